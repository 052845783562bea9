"""What happened to an account, in words for its owner and for staff."""

from app.accounts.events import EventKind, Outcome
from app.accounts.models import AccountEvent
from app.web.translation import _

_OK = {
    EventKind.SIGN_UP: _("The account was created"),
    EventKind.SIGN_IN: _("Signed in"),
    EventKind.CODE: _("Signed in with a code of the authenticator app"),
    EventKind.RECOVERY_CODE: _("Signed in with a recovery code"),
    EventKind.PASSWORD_CHECK: _("The password was entered again"),
    EventKind.SIGN_OUT: _("Signed out"),
    EventKind.SESSION_END: _("Devices were signed out"),
    EventKind.RESET_REQUEST: _("A link to choose a new password was asked for"),
    EventKind.PASSWORD_RESET: _("The password was changed with a link"),
    EventKind.PASSWORD_CHANGE: _("The password was changed"),
    EventKind.EMAIL_CHANGE_REQUEST: _("A new email address was entered"),
    EventKind.EMAIL_CHANGE: _("The email address was changed"),
    EventKind.ADDRESS_RETRY: _("Another try of the email address was asked for"),
    EventKind.PREFERENCES: _("The preferences were changed"),
    EventKind.SECOND_FACTOR_ON: _("The second step was turned on"),
    EventKind.SECOND_FACTOR_OFF: _("The second step was turned off"),
    EventKind.NEW_RECOVERY_CODES: _("New recovery codes were made"),
    EventKind.EXPORT: _("The account's data was downloaded"),
    EventKind.STAFF_ON: _("The account became one of our staff"),
    EventKind.STAFF_OFF: _("The account is no longer one of our staff"),
}
_FAILED = {
    EventKind.SIGN_IN: _("Wrong password at sign-in"),
    EventKind.PASSWORD_CHECK: _("Wrong password"),
    EventKind.CODE: _("Wrong code"),
    EventKind.RECOVERY_CODE: _("Wrong recovery code"),
}
_REFUSED = {
    EventKind.RESET_REQUEST: _(
        "A link to choose a new password was asked for, but the email was held back"
    ),
    EventKind.EMAIL_CHANGE_REQUEST: _(
        "Too many new email addresses were entered, the next was refused for a while"
    ),
    EventKind.ADDRESS_RETRY: _(
        "Another try of the email address was asked for, but it was too early"
    ),
    EventKind.SIGN_IN: _("Too many wrong passwords, sign-in was refused for a while"),
    EventKind.PASSWORD_CHECK: _("Too many wrong passwords, the next was refused for a while"),
    EventKind.CODE: _("Too many wrong codes, the next was refused for a while"),
    EventKind.RECOVERY_CODE: _("Too many wrong codes, the next was refused for a while"),
}
_CODE_NEEDED = {EventKind.SIGN_IN: _("The password was right, and a code was asked for")}
_WORDS = {
    Outcome.OK: _OK,
    Outcome.CODE_NEEDED: _CODE_NEEDED,
    Outcome.FAILED: _FAILED,
    Outcome.REFUSED: _REFUSED,
}


def words_of(event: AccountEvent) -> str:
    """The event as a translation string. A kind of an older version is shown by its name."""
    try:
        return _WORDS[Outcome(event.outcome)][EventKind(event.kind)]
    except (KeyError, ValueError):
        return event.kind
