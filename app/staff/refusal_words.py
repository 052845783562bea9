"""Why emails were refused, in words for staff. Each text is a translation string."""

from app.mail.outbox.rules import Why
from app.web.translation import _

WORDS = {
    Why.QUEUED: _("Already waiting to be sent"),
    Why.SENDING: _("Being sent just now"),
    Why.RESENT: _("Already sent again"),
    Why.NOT_HELD: _("Not in doubt. Only emails in doubt can be released"),
    Why.NOT_WAITING: _("Neither waiting nor held"),
    Why.NO_KIND: _("Their kind of email does not exist any more"),
    Why.NO_BODY: _("Their content is erased"),
    Why.NEWER: _("A newer email about the same thing exists"),
    Why.SUPPRESSED: _("Nothing is sent to their addresses for now"),
    Why.EXPIRED: _("Their links have expired"),
    Why.UNCOMPOSED: _("Their template is broken"),
    Why.CHANGED: _("Somebody else changed them at the same time"),
}
