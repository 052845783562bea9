"""The words in which an account's pages show its events, for the owner and for staff."""

from app.accounts.events import EventKind, Outcome
from app.accounts.models import AccountEvent
from app.web.translation import _

_OK = {
    EventKind.SIGN_UP: _("Signed up"),
    EventKind.SIGN_IN: _("Signed in"),
    EventKind.CODE: _("Signed in with a code from the authenticator app"),
    EventKind.RECOVERY_CODE: _("Signed in with a recovery code"),
    EventKind.PASSWORD_CHECK: _("Confirmed the password"),
    EventKind.SIGN_OUT: _("Signed out"),
    EventKind.SESSION_END: _("Other devices signed out"),
    EventKind.RESET_REQUEST: _("Reset of the password requested"),
    EventKind.PASSWORD_RESET: _("Password reset"),
    EventKind.PASSWORD_CHANGE: _("Password changed"),
    EventKind.EMAIL_CHANGE_REQUEST: _("Change of the email address requested"),
    EventKind.EMAIL_CHANGE: _("Email address changed"),
    EventKind.PREFERENCES: _("Preferences changed"),
    EventKind.SECOND_FACTOR_ON: _("Second factor turned on"),
    EventKind.SECOND_FACTOR_OFF: _("Second factor turned off"),
    EventKind.NEW_RECOVERY_CODES: _("New recovery codes created"),
    EventKind.EXPORT: _("Data exported"),
    EventKind.DELETION: _("Account deleted"),
    EventKind.STAFF_ON: _("Became a member of staff"),
    EventKind.STAFF_OFF: _("No longer a member of staff"),
}
_OTHERWISE = {
    (EventKind.SIGN_IN, Outcome.CODE_NEEDED): _("Password correct, code asked for"),
    (EventKind.SIGN_IN, Outcome.FAILED): _("Wrong password"),
    (EventKind.SIGN_IN, Outcome.REFUSED): _("Sign-in refused after too many wrong passwords"),
    (EventKind.PASSWORD_CHECK, Outcome.FAILED): _("Wrong password, while signed in"),
    (EventKind.PASSWORD_CHECK, Outcome.REFUSED): _("Refused after too many wrong passwords"),
    (EventKind.CODE, Outcome.FAILED): _("Wrong code"),
    (EventKind.CODE, Outcome.REFUSED): _("Refused after too many wrong codes"),
    (EventKind.RECOVERY_CODE, Outcome.FAILED): _("Wrong recovery code"),
    (EventKind.RECOVERY_CODE, Outcome.REFUSED): _("Refused after too many wrong codes"),
}
_UNKNOWN = {
    Outcome.FAILED: _("An attempt failed"),
    Outcome.REFUSED: _("An attempt was refused"),
}


def words_of(event: AccountEvent) -> str:
    """What happened, as a translation string."""
    kind, outcome = EventKind(event.kind), Outcome(event.outcome)
    return _OTHERWISE.get((kind, outcome)) or _UNKNOWN.get(outcome) or _OK[kind]
