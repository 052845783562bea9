"""What a reply of the relay means: ``verdict_of(reply, phase)``.

A refusal is about the email (its recipient, its content, its size), or about us (not logged in,
sender not verified, account suspended, too fast, quota used up). A refusal about us says nothing
about the email: the relay rests and the email waits (``Outcome.rests_relay``).

A reply that is misunderstood is taught in ``_MEANINGS`` below, in one line, and nowhere else.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.mail.smtp.reply_text import Reply, plain_words


class Phase(StrEnum):
    """The step of the SMTP dialogue that was reached (RFC 5321 3)."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    VERDICT = "verdict"
    """The final dot is sent. Only the reply to it is missing."""


class Outcome(StrEnum):
    """The class of a verdict: what one try to hand over an email came to."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """The relay will never take this email."""
    DEFERRED = "deferred"
    """The relay may take this email later."""
    ABOUT_US = "about us"
    """The relay takes no email from us, or none from anybody, for now."""
    QUOTA = "quota"
    """The relay takes no email from us until our quota allows it, which may take hours."""
    LOST = "lost"
    """The connection was lost before the final dot, so the relay did not take the email."""
    IN_DOUBT = "in doubt"
    """No valid reply followed the final dot, so the relay may or may not have taken the email."""

    @property
    def rests_relay(self) -> bool:
        """Whether the relay has to rest, because it says nothing about this email."""
        return self in (Outcome.ABOUT_US, Outcome.QUOTA)


class _Meaning(NamedTuple):
    """One line of the table. Each part that is given must match; the parts are regular expressions,
    the words in lower case. ``about`` is us, this email, or its recipient, whom a reply to MAIL
    cannot mean.
    """

    about: str
    words: str = ""
    code: str = ""
    enhanced: str = ""

    def matches(self, code: str, enhanced: str, words: str) -> bool:
        return bool(
            (not self.code or re.fullmatch(self.code, code))
            and (not self.enhanced or re.fullmatch(self.enhanced, enhanced))
            and (not self.words or re.search(self.words, words))
        )


_US, _QUOTA, _EMAIL, _RECIPIENT = Outcome.ABOUT_US, Outcome.QUOTA, "email", "recipient"

_LIMIT = r"(limits?|quotas?|credits?|threshold|allowance)"
_PERIOD = r"(daily|hourly|monthly|day|hour|month)"
_NOT = r"(not|n't|un)[ -]?(been )?(yet )?"

# The first line that matches decides. A line above another one is its exception.
_MEANINGS = (
    # --- One message's size and form
    # RFC 3463 3.4 and 3.7: x.3.4 too big, x.6.x content; RFC 6531: x.6.7 needs SMTPUTF8.
    _Meaning(_EMAIL, enhanced=r".\.(3\.4|6\.\d+)"),
    # RFC 6531 and 1870: a parameter of MAIL that the relay does not know.
    _Meaning(_EMAIL, r"smtputf8|non-ascii|\butf-?8\b|8bitmime|\bsize=", code="5.."),
    # SES "552 Message is too long", Exim "552 message size exceeds maximum".
    _Meaning(_EMAIL, r"message (size|length|exceeds)|\btoo (big|large|long)\b", code="55[024]"),
    _Meaning(_EMAIL, r"\bsize\b", code="523|552"),
    # --- Us, although the code is the recipient's
    # Microsoft 365: "5.2.0 ... SubmissionQuotaExceeded", "5.2.2 Submission quota exceeded",
    # "5.1.90 ... you've reached your daily limit for message recipients".
    _Meaning(_QUOTA, r"submission ?quota"),
    _Meaning(_QUOTA, enhanced=r"5\.1\.90"),
    # Microsoft 365: "5.2.252 SendAsDenied", "5.7.60 ... permissions to send as this sender".
    _Meaning(_US, r"send ?as ?denied|\bto send as\b|bad outbound sender"),
    # Gmail: "450 4.2.1 Peak SMTP relay limit exceeded for customer".
    _Meaning(_QUOTA, r"\bsmtp relay (sending )?limit"),
    # RFC 3463 3.2 and 3.3: x.1.1 to x.1.6 and x.1.10 are about the recipient's address, x.2.x
    # about its mailbox. Postfix: "450 4.1.2 <ada@rate.example>: ... Domain not found".
    _Meaning(_EMAIL, enhanced=r".\.(1\.[1-6]|1\.10|2\.\d+)"),
    # Amazon SES: "on the suppression list for your account"; others: "recipient is blocked".
    _Meaning(
        _RECIPIENT,
        r"\bsuppress\w*|\bunsubscribed\b|\brecipients? (is |are )?(on|blocked|suppressed)\b",
    ),
    # Postfix and others: "too many hops". It is a loop of this email's way.
    _Meaning(_EMAIL, r"\bhops\b|\bloop\b"),
    # --- Us, in words that name a limit or what is ours
    # Brevo and others: "Monthly email limit reached. Please upgrade your plan."
    _Meaning(
        _QUOTA,
        rf"\b(daily|hourly|monthly) (e-?mail|message|sending|send)s? ({_LIMIT}|reached)\b"
        rf"|\bplan {_LIMIT}\b",
    ),
    # Microsoft 365: "5.7.232 ... your trial tenant has exceeded its daily limit".
    _Meaning(
        _QUOTA,
        rf"\b(your|you've|you have|tenant)\b.*\b{_LIMIT}\b"
        rf"|\b{_LIMIT}\b.{{0,40}}\bfor (your|this|the) (account|plan|sender|user|domain|server)\b",
    ),
    # Mailgun: "Domain ... is not allowed to send: recipient limit exceeded".
    # Postmark: "... is not a Sender Signature on your account".
    _Meaning(
        _US,
        r"not (allowed|permitted|authori[sz]ed|able) to (send|submit|use)"
        r"|\byour (account|domain|plan|subscription|server|ip|sender|api|smtp|organi[sz]ation)\b",
    ),
    # --- What the message says
    _Meaning(
        _EMAIL,
        r"\b(urls?|uris?|links?|attachments?|virus\w*|malware|malicious|phishing|surbl|uribl)\b",
    ),
    # --- The recipient
    # Exchange: "5.7.124 Sender not in allowed-senders list", "5.7.133 RESOLVER.RST...".
    _Meaning(_EMAIL, enhanced=r"5\.7\.1(24|3[3-6])"),
    # Gmail: "The user ... is receiving mail at a rate"; Microsoft 365: "432 4.3.2
    # STOREDRV.Deliver; recipient thread limit exceeded"; Postfix: "Recipient address rejected".
    _Meaning(
        _RECIPIENT,
        r"receiving mail|recipient('s)? .*(limit|rate|quota|full)|recipient (thread|mailbox)"
        r"|\bfor (this )?recipient\b|\bmailbox quota\b|\bresolver\."
        r"|recipient (address )?(rejected|denied|refused|unknown|not found|invalid)",
    ),
    # Postmark: "... marked as inactive"; SES: "on the suppression list".
    _Meaning(
        _RECIPIENT,
        r"\b(mailbox|user|recipient|addressee|account)\b.{0,40}"
        r"\b(unknown|unavailable|not found|does(n't| not) exist|full|over ?quota|inactive)\b"
        r"|\bno such (user|mailbox|recipient|address|account|person)\b"
        r"|\bunknown (user|mailbox|recipient|local)\b|\bunrouteable\b"
        r"|\bmarked as inactive\b|\bsuppression list\b|\bpreviously bounced\b",
    ),
    # RFC 5321 4.2.3: 552 "exceeded storage allocation" is the mailbox's, unless it names a sender.
    _Meaning(
        _EMAIL,
        rf"^(?!.*\b(sen[dt]\w*|{_PERIOD}|outgoing|account)\b).*\b(quota|storage|space|full)\b",
        code="552",
    ),
    # --- Our quota
    # Gmail: "550 5.4.5 Daily user sending limit exceeded".
    _Meaning(_QUOTA, enhanced=r".\.4\.5"),
    # SES: "454 Throttling failure: Daily message quota exceeded"; SendGrid: "451 Authentication
    # failed: Maximum credits exceeded", "452 Too many recipients received this hour"; cPanel:
    # "Domain ... has exceeded the max emails per hour".
    _Meaning(
        _QUOTA,
        rf"\b({_PERIOD}|per[- ]{_PERIOD}|sending|messag\w+|outgoing|outbound|account|credits?)\b"
        rf".{{0,40}}\b{_LIMIT}\b.{{0,30}}\b(exceeded|reached|used|exhausted)\b"
        rf"|\b(exceed(ed|s)|reached|over|used up|exhausted)\b.{{0,40}}"
        rf"\b({_PERIOD}|sending|messag\w+|account|outgoing|permitted|max(imum)?)\b"
        rf".{{0,40}}\b({_LIMIT}|emails?|messages?)\b"
        r"|\b(quota|credits?) (is |was |has been )?(exceeded|exhausted|reached|used)\b"
        r"|\b(out of|no more|insufficient|not enough) credits?\b"
        rf"|\b(this|per) {_PERIOD}\b",
    ),
    # --- Too fast, too many, no room
    # SES: "454 Throttling failure: Maximum sending rate exceeded"; Postfix: "450 4.7.1 Error: too
    # much mail"; Mailtrap: "550 5.7.0 ... too many emails per second"; Exim: "rate overlimit".
    _Meaning(
        _US,
        r"\btoo (many|much|fast|often|frequent\w*)\b|\bthrottl\w*|\bbandwidth\b"
        r"|\bslow(ing)? down\b|\brate[ -]?limit|\b(message|sending|submission|connection) rate\b"
        r"|\brate (overlimit|exceeded)\b|\bmaximum .*\b(connections|rate)\b"
        r"|\bconnections? (limit|rate)\b|\bunusual (rate|sending)\b|\bthread limit\b"
        r"|\bsender .*limit",
    ),
    # RFC 3463 3.4: x.3.1 mail system full, x.3.2 takes no mail, x.3.5 set up wrongly.
    _Meaning(_US, enhanced=r".\.3\.[125]"),
    # SES: "451 Temporary service failure"; Microsoft 365: "451 4.7.500 Server busy".
    _Meaning(
        _US,
        r"\binsufficient (system|disk|storage)\b|\bsystem (storage|resources|not accepting)\b"
        r"|\bserver (is )?(busy|error|configuration)\b|\bqueue file\b|\bwrite error\b|\bdisk full\b"
        r"|\bservice (is )?(temporarily )?(unavailable|not (available|active))\b"
        r"|\btemporary (service|system) (failure|problem)\b",
        code="4..",
    ),
    # --- Not logged in
    # RFC 5321: 421. RFC 4954 and 3207: 432, 454, 530, 534, 535, 538. Brevo: "525 5.7.1
    # Unauthorized IP address".
    # 503: the relay has forgotten the command before, which is no email's fault.
    _Meaning(_US, code="421|432|454|503|525|530|534|535|538"),
    # RFC 3463, 4954, 7372: x.7.8 to x.7.14 the login, x.7.20 to x.7.27 SPF, DKIM and DNS of the
    # sender. Microsoft 365: "5.7.30 Basic authentication is not supported", "5.7.57 Client not
    # authenticated", 5.7.3, 5.7.54, 5.7.60, 5.7.64, 5.7.139, 5.7.50x, 5.7.6xx, 5.7.7xx.
    _Meaning(
        _US,
        enhanced=r".\.7\.(3|8|9|1[134]|2[0-7]|30|5[47]|6[04]|139|23[23]|50[1-35-9]|51[12]"
        r"|[67]\d\d)",
    ),
    # RFC 3463 3.2: x.1.7 and x.1.8 are about the sender's address.
    _Meaning(_US, enhanced=r".\.1\.[78]"),
    # SendGrid: "550 Unauthenticated senders not allowed"; SES: "not authorized to perform".
    _Meaning(
        _US,
        r"\b(un)?authenticat\w*|\bauthori[sz]ation\b|\bcredentials?\b|\bnot authori[sz]ed\b"
        r"|\b(not|first) logged in\b|\blog ?in (first|required)\b|\bapi key\b|\bstarttls\b"
        r"|\bauth (is )?(first|required|needed)\b|\b(need|use|must|requires?) auth\b"
        r"|\bunauthori[sz]ed (ip|host|server|sender|client|domain)\b"
        r"|\b(tls|encryption) (is )?(required|needed)\b",
    ),
    # --- The sender or the account
    # Postfix: "553 5.7.1 <...>: Sender address rejected: not owned by user"; Exim: "Sender verify
    # failed"; Postmark: "Sender signature not found"; SES: "Sending paused for this account".
    _Meaning(
        _US,
        r"\bsender\b.{0,60}\b(rejected|denied|refused|blocked|invalid|unverified|verify|mismatch"
        r"|verification|signature|identity|not|without|unknown|banned|suspended)\b"
        r"|\b(rejected|denied|refused|blocked|invalid|unverified|unknown|banned|bad) sender\b"
        r"|\benvelope sender\b|\bbadmailfrom\b"
        r"|\bsending (domain|suspended|paused|is (paused|disabled|suspended))\b",
    ),
    # SES: "Email address is not verified"; SendGrid: "The from address does not match a verified
    # Sender Identity"; SparkPost: "Unconfigured Sending Domain".
    _Meaning(
        _US,
        rf"\b(from|sender|identity|identities|domain|e?-?mail address|return[ -]path)\b.{{0,80}}"
        rf"\b{_NOT}(verified|validated|confirmed|authori[sz]ed|registered|owned|permitted"
        r"|allowed to send|configured|match|active|activated|on the \w*list)\b"
        r"|\bverify (your|the) (sender|domain|from|identity)\b|\bunverified\b"
        r"|\bunconfigured sending domain\b|\bdoes not match a verified\b",
    ),
    # Mailgun: "Account disabled", "Sandbox subdomains are for test purposes only"; Brevo: "not yet
    # activated".
    _Meaning(
        _US,
        r"\b(account|domain|subscription|plan|service|tenant|user|organi[sz]ation|server"
        r"|outgoing mail|mail from .*)\b.{0,60}\b(suspended|disabled|blocked|paused|deactivated"
        r"|locked|terminated|closed|expired|on hold|under review|pending"
        r"|not (yet )?(been )?(activated|active|approved|enabled))\b"
        r"|\b(billing|payment|unpaid|overdue)\b"
        r"|\bcredits? (is |are )?depleted\b|\bbalance\b|\btoken (is )?(revoked|expired|invalid)\b"
        r"|\btrial (has |is )?(expired|ended|over)\b|\bconfiguration set\b"
        r"|\bsending from .*\bnot allowed\b|\baccount .{0,20}\bnot validated\b"
        r"|\b(free|test|trial|sandbox) (accounts?|mode|domains?|subdomains?)\b"
        r"|\bonly send (testing|test)\b",
    ),
    # --- Where we come from
    # Postfix: "554 5.7.1 <...>: Relay access denied", "Client host [...] blocked using ...",
    # "Helo command rejected"; Exim: "relay not permitted"; Exchange: "Unable to relay".
    _Meaning(
        _US,
        r"\bnot relay\b|\brelaying disallowed\b|\brcpthosts\b|\bno smtp service\b"
        r"|\brelay(ing)? (access )?(is )?(not|denied|prohibited|refused|restrict\w*)\b"
        r"|\bunable to relay\b|\b(permitted|allowed) to relay\b|\bclient host\b|\bhelo\b"
        r"|\b(dns|r)bl\b|\breverse dns\b|\bptr\b|\b(block|black) ?list"
        r"|spamhaus|spamcop|\bblocked using\b"
        r"|\bip (address )?(is )?(not|blocked|banned)\b|\bfrom (this|your) ip\b"
        r"|\badministrative(ly)? prohibit\w*|\breputation\b",
    ),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one try came to: the outcome, the phase that was reached, and the relay's reply, or else
    the error.
    """

    outcome: Outcome
    phase: Phase
    reply: str
    code: int | None = None
    enhanced_code: str | None = None
    is_unfamiliar: bool = False
    """A refusal in words that no line of the table knows. It may be about us after all."""

    @property
    def ends_connection(self) -> bool:
        """Whether the mailer closes the connection after this verdict."""
        lost = (Outcome.LOST, Outcome.IN_DOUBT)
        return self.outcome.rests_relay or self.outcome in lost


def verdict_of(reply: Reply, phase: Phase) -> Verdict:
    """The verdict on an email by the relay's ``reply`` to its ``phase``."""
    outcome, is_unfamiliar = _outcome_of(reply, phase)
    return Verdict(outcome, phase, str(reply), reply.code, reply.enhanced_code, is_unfamiliar)


def _outcome_of(reply: Reply, phase: Phase) -> tuple[Outcome, bool]:
    if reply.code < 300:
        return Outcome.ACCEPTED, False
    if reply.code < 400:
        # "Go on" is no reply to a final dot (RFC 5321 4.2.1).
        return Outcome.IN_DOUBT, False
    words, enhanced = plain_words(reply.text), reply.enhanced_code or ""
    meaning = next((m for m in _MEANINGS if m.matches(str(reply.code), enhanced, words)), None)
    if meaning is not None and isinstance(meaning.about, Outcome):
        return meaning.about, False
    if reply.code < 500:
        return Outcome.DEFERRED, False
    is_about_email = meaning is not None and meaning.about == _EMAIL
    if phase is Phase.MAIL and reply.code != 552 and not is_about_email:
        # A refusal of MAIL names nobody but the sender.
        return Outcome.ABOUT_US, False
    # An attacker's bad addresses must not make the relay rest, so their refusals never count.
    names_mailbox = (
        enhanced.startswith(("5.1.", "5.2.", "5.4."))
        or _ADDRESSEE.search(words) is not None
        or (phase is Phase.RCPT and _MAILBOX.search(words) is not None)
    )
    return Outcome.REFUSED, meaning is None and not names_mailbox


_ADDRESSEE = re.compile(r"\brecipients?\b|\bto'? address|\bdns\b|<>|@domain")
_MAILBOX = re.compile(
    r"\b(mailbox|user|account|address|alias|unknown|exists?|domain|host|route|mx|verification)\b"
)
