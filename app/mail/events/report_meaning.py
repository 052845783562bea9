"""What a report says: a delivery status (RFC 3464), a feedback report (RFC 5965), an automatic
answer (RFC 3834), or a bounce in the words of an email server that knows none of these.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from flufl.bounce import all_failures

from app.mail import addresses
from app.mail.events import report_parts
from app.mail.events.codes import enhanced_code
from app.mail.events.hearing import LONGEST_WORDS
from app.mail.events.report_parts import line_of
from app.mail.outbox.event_tables import WEIGHTS, Event
from app.mail.smtp.reply_text import without_addresses

# It logs tracebacks, whose last line may quote an address.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)

STATUS = "message/delivery-status", "message/global-delivery-status"
FEEDBACK = "message/feedback-report"
COMPLAINTS = ("abuse", "fraud")
"""The types of feedback by which a recipient reports an email as spam or as phishing."""
_TYPE = re.compile(r"^[\w-]+ ?; ?")
"""The type that stands before a diagnostic, such as "smtp;"."""
_ACTIONS = {
    "failed": Event.BOUNCED,
    "error": Event.BOUNCED,  # OpenSMTPD
    "delayed": Event.DEFERRED,
    "delivered": Event.DELIVERED,
    # After these nobody knows yet whether the email arrives.
    "relayed": None,
    "expanded": None,
}
_BY_CLASS = {"5": Event.BOUNCED, "4": Event.DEFERRED}
_OLD_SIGNS = ("X-Autoreply", "X-Autorespond")
_OLD_PRECEDENCES = ("auto_reply", "bulk", "junk")


@dataclass(frozen=True, slots=True)
class Saying:
    """What a report says about one recipient. ``event`` is None for what changes nothing.

    ``recipients`` are the addresses that it gives to this recipient. They only tell which saying of
    a report is about the email's own recipient.
    """

    event: Event | None
    code: str | None = None
    words: str = ""
    recipients: frozenset[str] = frozenset()


NOTHING = Saying(None)


def sayings(report: Message, octets: bytes) -> list[Saying]:
    """What the report says, one saying for each recipient. Empty when it is no report.

    ``octets`` is the report as it came.
    """
    if (feedback := report_parts.first(report, FEEDBACK)) is not None:
        return [_feedback(feedback)]
    said = list(_delivery_status(report)) or list(_in_other_words(report, octets))
    if said and has_sender(report):
        # An email server sends its reports without a sender (RFC 3464 2), so this one is an answer.
        worst = worst_of(said)
        return [Saying(Event.AUTORESPONDED, worst.code, worst.words)]
    if not said and _is_automatic(report):
        return [Saying(Event.AUTORESPONDED, words=report_parts.words_of(report, "Subject"))]
    return said


def worst_of(said: list[Saying]) -> Saying:
    """The saying with the weightiest event, the first of several such."""
    return max(said, key=lambda saying: -1 if saying.event is None else WEIGHTS[saying.event])


def has_sender(report: Message) -> bool:
    """Whether the envelope of the report named a sender. Some email servers write MAILER-DAEMON in
    place of none.
    """
    sender = line_of(report, "Return-Path").strip("<> ").lower()
    return sender not in ("", "#@[]") and sender.partition("@")[0] != "mailer-daemon"


def address_of(text: str) -> str:
    """An address as reports write it, in the form in which addresses are compared."""
    address = text.strip().strip("<>").strip()
    try:
        return addresses.key_of(addresses.ascii_domain(address))
    except addresses.BadAddress:
        return addresses.key_of(address)


def _delivery_status(report: Message) -> Iterator[Saying]:
    status = report_parts.first(report, *STATUS)
    for block in () if status is None else report_parts.blocks(status):
        # Without these fields, the group is about the message and not about a recipient.
        if "Action" in block or "Final-Recipient" in block:
            yield _status(block)


def _status(block: Message) -> Saying:
    """The saying of one recipient's fields (RFC 3464 2.3)."""
    status = line_of(block, "Status")
    diagnostic = _TYPE.sub("", line_of(block, "Diagnostic-Code"))
    code = enhanced_code(status, without_addresses(diagnostic))
    action = re.match(r"[a-z]*", line_of(block, "Action").lower())
    name = action[0] if action else ""
    event = _ACTIONS.get(name) if name else _BY_CLASS.get(status[:1])
    named = (line_of(block, name) for name in ("Original-Recipient", "Final-Recipient"))
    recipients = frozenset(address_of(text.rpartition(";")[2]) for text in named if text)
    return Saying(event, code, diagnostic or status, recipients)


def _feedback(part: Message) -> Saying:
    fields = report_parts.inner(part)
    kind = "" if fields is None else line_of(fields, "Feedback-Type").lower()
    event = Event.COMPLAINED if kind in COMPLAINTS else None
    return Saying(event, words=f"feedback report: {kind}")


def _is_automatic(report: Message) -> bool:
    """Whether a program wrote the message (RFC 3834 5), or an older one with signs of its own."""
    submitted = line_of(report, "Auto-Submitted").lower()
    if submitted:
        return not submitted.startswith("no")
    is_old = any(line_of(report, name) for name in _OLD_SIGNS)
    return is_old or line_of(report, "Precedence").lower() in _OLD_PRECEDENCES


def _in_other_words(report: Message, octets: bytes) -> Iterator[Saying]:
    """The sayings of a bounce that has no delivery status, such as qmail's."""
    # flufl.bounce searches each line with patterns whose time grows with the square of its length.
    lines = octets[: report_parts.LONGEST_TEXT].splitlines()
    cut = b"\n".join(line[: report_parts.LONGEST_LINE // 2] for line in lines)
    try:
        temporary, permanent = all_failures(report_parts.parse(cut))
    except Exception:
        # It searches malformed messages with the standard library, as report_parts does.
        return
    text = report_parts.text_of(report)
    for event, found in ((Event.BOUNCED, permanent), (Event.DEFERRED, temporary)):
        for address in sorted(octets.decode("ascii", "replace") for octets in found if octets):
            words = _words_about(address, text)
            yield Saying(
                event,
                enhanced_code(without_addresses(words)),
                words,
                frozenset((address_of(address),)),
            )


def _words_about(address: str, text: str) -> str:
    """The paragraph that follows the address in the text."""
    _before, _address, after = text.partition(address)
    paragraph, _line, _rest = after.lstrip(">:) \t\n").partition("\n\n")
    return " ".join(paragraph[:LONGEST_WORDS].split())
