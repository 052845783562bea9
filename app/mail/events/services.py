"""What a service's webhook tells, one function a service.

Each returns None for an event that says nothing about delivery, such as that an email was opened,
and for one whose type is missing or unknown. Whatever else is missing or of another type counts as
not told, because services add and leave out fields.
"""

import re
from collections.abc import Callable
from typing import Any

from app.mail.events.codes import enhanced_code
from app.mail.events.hearing import Heard
from app.mail.events.json_fields import (
    BadBody,
    JsonObject,
    at,
    event_id,
    json_of,
    message_id,
    objects,
    text,
    time,
    without_protocol,
)
from app.mail.outbox.event_tables import Event

# --- Amazon SES, by way of Amazon SNS ------------------------------------------

_SES_DETAILS = {
    "Bounce": "bounce",
    "Complaint": "complaint",
    "Delivery": "delivery",
    "DeliveryDelay": "deliveryDelay",
    "Reject": "reject",
}
_CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
_SNS_LINK = re.compile(r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?/\?[!-~]{1,2000}")


def ses(call: JsonObject) -> Heard | None:
    """An event of a configuration set, which Amazon SNS wraps or passes on raw."""
    event = _ses_event(call)
    if event is None:
        return None
    told = text(event, "eventType" if "eventType" in event else "notificationType")
    if told not in _SES_DETAILS:
        return None
    detail = at(event, _SES_DETAILS[told])
    recipients = at(detail, "bouncedRecipients") or at(detail, "delayedRecipients")
    status, diagnosis = text(recipients, 0, "status"), text(recipients, 0, "diagnosticCode")
    subtype = text(detail, f"{_SES_DETAILS[told]}SubType")
    what: Event | None
    match told:
        case "Delivery":
            what, words = Event.DELIVERED, text(detail, "smtpResponse")
        case "DeliveryDelay":
            what, words = Event.DEFERRED, diagnosis or text(detail, "delayType")
        case "Reject":
            what, words = Event.REJECTED, text(detail, "reason")
        case "Complaint":
            what, words = _ses_complaint(detail), subtype or text(detail, "complaintFeedbackType")
        case _:
            kind = text(detail, "bounceType")
            # A vacation notice comes as a bounce in which no email server says that it failed.
            is_answer = kind == "Transient" and subtype == "General" and not status + diagnosis
            what = Event.AUTORESPONDED if is_answer else Event.BOUNCED
            words = diagnosis or f"{kind} {subtype}"
    happened = text(detail, "timestamp") or text(event, "mail", "timestamp")
    if what is None:
        return None
    return Heard(
        what,
        event_id(told, text(detail, "feedbackId") or happened),
        tag=text(event, "mail", "tags", "tag", 0),
        message_id=message_id(text(event, "mail", "commonHeaders", "messageId")),
        at=time(happened),
        code=enhanced_code(status, words),
        words=without_protocol(words),
        is_hard=text(detail, "bounceType") == "Permanent",
    )


def _ses_event(call: JsonObject) -> JsonObject | None:
    """The event that SNS brings. None when it brings another message, such as a greeting."""
    if "eventType" in call or "notificationType" in call:
        return call
    if text(call, "Type") != "Notification":
        return None
    message = text(call, "Message")
    event = json_of(message) if message.startswith("{") else None
    is_event = isinstance(event, dict) and ("eventType" in event or "notificationType" in event)
    return event if is_event else None


def _ses_complaint(detail: Any) -> Event | None:
    # The recipient took the email out of the folder for spam.
    if text(detail, "complaintFeedbackType") == "not-spam":
        return None
    # SES has not sent it, because the recipient had complained before.
    was_sent = text(detail, "complaintSubType") != "OnAccountSuppressionList"
    return Event.COMPLAINED if was_sent else Event.REJECTED


def confirmation_link(body: Any) -> str | None:
    """The link by which a person confirms that SNS may call. None when SNS does not ask for it.

    Raises ``BadBody`` for a link that leads elsewhere.
    """
    if not isinstance(body, dict) or body.get("Type") not in _CONFIRMATIONS:
        return None
    link = text(body, "SubscribeURL")
    if not _SNS_LINK.fullmatch(link):
        raise BadBody("its SubscribeURL does not lead to Amazon SNS")
    return link


# --- Postmark ------------------------------------------------------------------

_POSTMARK_BOUNCES: dict[str, Event | None] = {
    "Transient": Event.DEFERRED,
    "DnsError": Event.DEFERRED,
    "AutoResponder": Event.AUTORESPONDED,
    "AddressChange": Event.AUTORESPONDED,
    "ChallengeVerification": Event.AUTORESPONDED,
    "SpamComplaint": Event.COMPLAINED,
    "DMARCPolicy": Event.REJECTED,
    "ManuallyDeactivated": Event.REJECTED,
    "SMTPApiError": Event.REJECTED,
    "TemplateRenderingFailed": Event.REJECTED,
    "Unconfirmed": Event.REJECTED,
    "InboundError": None,
    "OpenRelayTest": None,
    "Subscribe": None,
    "Unsubscribe": None,
}
"""What a type of bounce is. All others are bounces."""
_POSTMARK_HARD = ("HardBounce", "BadEmailAddress")


def postmark(event: JsonObject) -> Heard | None:
    """A delivery, a bounce or a spam complaint."""
    record, kind = text(event, "RecordType"), text(event, "Type")
    what: Event | None
    match record:
        case "Delivery":
            what = Event.DELIVERED
        case "SpamComplaint":
            what = Event.COMPLAINED
        case "Bounce":
            what = _POSTMARK_BOUNCES.get(kind, Event.BOUNCED)
        case _:
            what = None
    happened = text(event, "DeliveredAt") or text(event, "BouncedAt")
    details = text(event, "Details")
    if what is None:
        return None
    return Heard(
        what,
        event_id(record, kind, text(event, "ID"), happened),
        tag=text(event, "Metadata", "tag"),
        at=time(happened),
        code=enhanced_code(details),
        words=without_protocol(details or text(event, "Description")),
        is_hard=kind in _POSTMARK_HARD,
    )


# --- Mailgun -------------------------------------------------------------------

_MAILGUN_HARD = ("bounce", "suppress-bounce")
_MAILGUN_UNSENT = ("suppress-complaint", "suppress-unsubscribe")


def mailgun(call: JsonObject) -> Heard | None:
    """An event, signed by Mailgun or not."""
    event = at(call, "event-data")
    told, reason = text(event, "event"), text(event, "reason")
    what: Event | None
    match told:
        case "delivered":
            what = Event.DELIVERED
        case "complained":
            what = Event.COMPLAINED
        case "rejected":
            what = Event.REJECTED
        case "failed" if text(event, "severity") == "temporary":
            what = Event.DEFERRED
        case "failed":
            what = Event.REJECTED if reason in _MAILGUN_UNSENT else Event.BOUNCED
        case _:
            what = None
    status = at(event, "delivery-status")
    message, description = text(status, "message"), text(status, "description")
    words = message or description or text(event, "reject", "reason") or reason
    if what is None:
        return None
    return Heard(
        what,
        # Mailgun promises that an id is unique within one day.
        event_id(told, text(event, "id"), text(event, "timestamp")),
        tag=text(event, "user-variables", "tag"),
        message_id=message_id(text(event, "message", "headers", "message-id")),
        at=time(at(event, "timestamp")),
        code=enhanced_code(text(status, "enhanced-code"), message, description),
        words=without_protocol(words),
        is_hard=reason in _MAILGUN_HARD or text(status, "bounce-type") == "hard",
    )


# --- SendGrid ------------------------------------------------------------------

_SENDGRID = {
    "delivered": Event.DELIVERED,
    "deferred": Event.DEFERRED,
    "bounce": Event.BOUNCED,
    "dropped": Event.REJECTED,
    "spamreport": Event.COMPLAINED,
}
_SENDGRID_BOUNCED_BEFORE = ("Bounced Address", "Invalid")


def sendgrid(event: JsonObject) -> Heard | None:
    """One event of the list that a call holds."""
    told, reason = text(event, "event"), text(event, "reason")
    what = _SENDGRID.get(told)
    # SendGrid does not send to an address again that has bounced.
    has_bounced = told == "dropped" and reason.startswith(_SENDGRID_BOUNCED_BEFORE)
    words = reason or text(event, "response")
    if what is None:
        return None
    return Heard(
        Event.BOUNCED if has_bounced else what,
        event_id(told, text(event, "sg_event_id") or text(event, "timestamp")),
        tag=text(event, "tag"),
        message_id=message_id(text(event, "smtp-id")),
        at=time(at(event, "timestamp")),
        code=enhanced_code(text(event, "status"), words),
        words=without_protocol(words),
        is_hard=has_bounced or text(event, "type") == "bounce",
    )


# --- Brevo ---------------------------------------------------------------------

_BREVO = {
    "delivered": Event.DELIVERED,
    "deferred": Event.DEFERRED,
    "hard_bounce": Event.BOUNCED,
    "invalid_email": Event.BOUNCED,
    "soft_bounce": Event.BOUNCED,
    "blocked": Event.REJECTED,
    "error": Event.REJECTED,
    "complaint": Event.COMPLAINED,
    "spam": Event.COMPLAINED,
}
_BREVO_HARD = ("hard_bounce", "invalid_email")
_BREVO_MILLISECONDS = 10**11
"""A larger ``ts_epoch`` is in milliseconds: in seconds it would lie after the year 5138."""


def brevo(event: JsonObject) -> Heard | None:
    """An event of the transactional webhook."""
    told, reason = text(event, "event"), text(event, "reason")
    what = _BREVO.get(told)
    milliseconds, seconds = at(event, "ts_epoch"), at(event, "ts_event")
    # Brevo's documents also show seconds in ts_epoch. ts_event comes in the time zone of
    # some accounts, so it is used only then.
    are_milliseconds = isinstance(milliseconds, int) and milliseconds > _BREVO_MILLISECONDS
    if what is None:
        return None
    return Heard(
        what,
        # Brevo gives events no id. Its field "id" is the webhook's.
        event_id(told, text(event, "ts_epoch"), text(event, "ts_event")),
        tag=text(event, "X-Mailin-custom"),
        message_id=message_id(text(event, "message-id")),
        at=time(milliseconds // 1000 if are_milliseconds else seconds),
        code=enhanced_code(reason),
        words=without_protocol(reason),
        is_hard=told in _BREVO_HARD,
    )


_READERS: dict[str, Callable[[JsonObject], Heard | None]] = {
    "ses": ses,
    "postmark": postmark,
    "mailgun": mailgun,
    "sendgrid": sendgrid,
    "brevo": brevo,
}


def events_of(service: str, body: Any) -> list[Heard | None]:
    """What a call of ``service``, a value of ``email.events``, tells. ``body`` is its JSON: an
    event, or a list of events where the service sends them in batches.

    Raises ``BadBody``.
    """
    return [_READERS[service](event) for event in objects(body)]
