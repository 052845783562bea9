"""What became of an email, in words for staff. Each text is a translation string."""

from app.mail.outbox.event_tables import Event
from app.mail.outbox.tables import OutboxEmail, State
from app.mail.smtp.replies import Outcome
from app.web.translation import _

STATES = {
    State.QUEUED: _("Waiting to be sent"),
    State.SENDING: _("Being sent now"),
    State.SENT: _("Accepted by the relay"),
    State.FAILED: _("Failed"),
    State.UNKNOWN: _("In doubt, held"),
    State.BOUNCED: _("Came back"),
    State.CAPTURED: _("Captured, not sent"),
    State.SUPPRESSED: _("Not sent, address suppressed"),
    State.THROTTLED: _("Not sent, over the limit"),
    State.EXPIRED: _("Expired, not sent"),
    State.SUPERSEDED: _("Superseded, not sent"),
    State.CANCELLED: _("Cancelled, not sent"),
}
_DELIVERED = _("Delivered")
OUTCOMES = {
    Outcome.ACCEPTED: _("The relay accepted the email"),
    Outcome.REFUSED: _("The relay refused the email"),
    Outcome.DEFERRED: _("The relay deferred the email"),
    Outcome.ABOUT_US: _("The relay took no email from us"),
    Outcome.QUOTA: _("The relay took no email, because our quota was used up"),
    Outcome.LOST: _("The connection was lost before the email went out"),
    Outcome.IN_DOUBT: _("The connection was lost before the relay answered"),
}
EVENTS = {
    Event.DEFERRED: _("The email is still on its way"),
    Event.AUTORESPONDED: _("A program answered the email"),
    Event.DELIVERED: _("The recipient's server accepted the email"),
    Event.COMPLAINED: _("The recipient reported the email as spam"),
    Event.REJECTED: _("The service did not send the email"),
    Event.BOUNCED: _("The email came back"),
}
ACTIONS = {
    "resend": _("The email was sent again by hand"),
    "release": _("The email was released by hand"),
    "cancel": _("The email was cancelled by hand"),
    "copy": _("One of our staff got a copy"),
    "lift": _("The suppression of the address was lifted by hand"),
}
PAST = {
    "resend": _("The email is sent again."),
    "release": _("The email is released and goes out."),
    "cancel": _("The email is cancelled."),
}
"""What staff read after they pressed a button."""


def state_words(email: OutboxEmail) -> str:
    """The email's state. A delivered email is still ``sent``, but there is more to say."""
    if email.state == State.SENT and email.delivered_at is not None:
        return _DELIVERED
    return STATES[State(email.state)]
