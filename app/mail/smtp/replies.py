"""What a reply of the relay means: ``verdict_of(reply, phase)``.

A reply that is misunderstood is taught in ``_MEANINGS`` below, in one line, and nowhere else.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


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
    SLOWED = "slowed"
    """The relay takes no email for now, from anybody or from us. It says nothing about this one."""
    LOST = "lost"
    """The connection was lost before the final dot, so the relay did not take the email."""
    IN_DOUBT = "in doubt"
    """No valid reply followed the final dot, so the relay may or may not have taken the email."""


_RATE = r"too (many|much|fast|often|frequent\w*)|throttl\w*|slow(ing)? down|rate(s|limit\w*)?"

# The first pattern that matches decides. It is matched at the start of "<code> <text>", ignoring
# case.
_MEANINGS: tuple[tuple[str, Outcome], ...] = (
    (r"2", Outcome.ACCEPTED),
    # "Go on" is no reply to a final dot (RFC 5321 4.2.1).
    (r"3", Outcome.IN_DOUBT),
    (r"421", Outcome.SLOWED),
    # 4.2.x is about the recipient's mailbox (RFC 3463 3.3), so a rate there is that mailbox's.
    (rf"45[01] (?!4\.2\.).*\b({_RATE})\b", Outcome.SLOWED),
    (r"4", Outcome.DEFERRED),
    (r"5", Outcome.REFUSED),
)


class Reply(NamedTuple):
    """One reply: its code, 200 to 599, and the octets of its lines, joined by line feeds."""

    code: int
    octets: bytes

    @property
    def text(self) -> str:
        """The text as it can be stored: one line, printable, at most 1000 characters."""
        text = self.octets.decode("utf-8", "replace")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:1000]

    @property
    def enhanced_code(self) -> str | None:
        """The enhanced status code, such as ``4.2.1`` (RFC 3463), if the text begins with one."""
        match = re.match(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b", self.text)
        return match[0] if match else None

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


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

    @property
    def ends_connection(self) -> bool:
        """Whether the mailer closes the connection after this verdict."""
        return self.outcome in (Outcome.SLOWED, Outcome.LOST, Outcome.IN_DOUBT)


def verdict_of(reply: Reply, phase: Phase) -> Verdict:
    """The verdict on an email by the relay's ``reply`` to its ``phase``."""
    line = str(reply)
    outcome = next(
        outcome for pattern, outcome in _MEANINGS if re.match(pattern, line, re.IGNORECASE)
    )
    return Verdict(outcome, phase, line, reply.code, reply.enhanced_code)
