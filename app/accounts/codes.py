"""Checking a code of the second factor, within the limit that makes guessing one hopeless
(STANDARDS B7).
"""

import unicodedata
from typing import Any

from pyramid.request import Request
from wtforms import StringField
from wtforms.validators import InputRequired

from app.accounts import rate_limits, recovery_codes, second_factor
from app.accounts.events import EventKind, Outcome, record
from app.accounts.limited import require
from app.accounts.models import SecondFactor
from app.database import short_transaction
from app.web import limits
from app.web.forms import Form
from app.web.translation import _

APP_CODE_LENGTH = 6
LONGEST = 200
"""Characters of what somebody types. A recovery code in groups has 29."""

NOT_CORRECT = _(
    "This code is not correct. Enter the code that your authenticator app shows now. If your phone"
    " sets its time by hand, let it set the time by itself."
)
USED_BEFORE = _(
    "This code was used before. Wait until your authenticator app shows the next code, and enter"
    " that one."
)
NO_SUCH_RECOVERY_CODE = _(
    "This recovery code is not correct, or it was used before. Each one works once. Check it, or"
    " enter another one."
)


class WrongCode(ValueError):
    """``message`` is a translation string that says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class CodeForm(Form):
    """One code of the authenticator app. With ``?with=recovery_code`` in the page's address, the
    form asks for a recovery code, because the keyboard for digits has no letters. Either form takes
    either code.
    """

    code = StringField(
        _("Code"),
        validators=[InputRequired(_("Enter the code."))],
        render_kw={
            "autocomplete": "one-time-code",
            "autocapitalize": "none",
            "spellcheck": "false",
        },
    )

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.asks_for_recovery_code = request.GET.get("with") == "recovery_code"
        if self.asks_for_recovery_code:
            self.code.label.text = _("Recovery code")
            self.code.description = _(
                "One of the codes that you have kept since you turned the second step on."
            )
        else:
            self.code.description = _("The six digits that your authenticator app shows now.")

    def refuse_code(self, wrong: WrongCode) -> dict[str, Any]:
        """Say what is wrong. The field keeps what was typed (STANDARDS C2). Returns the page."""
        self.refuse(self.code, wrong.message)
        return {"form": self}


def key_changed(request: Request) -> str:
    """What to do when the setting ``secret`` has changed, and with it the key of every app."""
    return _(
        "The codes of authenticator apps do not work at the moment, because this shop's key was"
        " changed. Use one of your recovery codes, or write to us at ${address}.",
        mapping={"address": request.registry.pillarbox.site.support_email},
    )


def use_code(request: Request, account_id: int, typed: str) -> EventKind:
    """Use up a code of the account's authenticator app (``EventKind.CODE``) or one of its recovery
    codes (``EventKind.RECOVERY_CODE``). The caller records the success.

    Raises ``WrongCode``, which is recorded, and ``LimitReached``. Call it before the request's
    transaction begins.
    """
    typed = _normalized(typed)
    if _is_of_app(typed):
        _use_app_code(request, account_id, typed)
        return EventKind.CODE
    _use_recovery_code(request, account_id, typed)
    return EventKind.RECOVERY_CODE


def step_of_set_up(request: Request, set_up: SecondFactor, typed: str) -> int:
    """The time step of the first code, with which the set-up ends (``second_factor.turn_on``).
    Raises as ``use_code`` does.
    """
    _count_try(request, set_up.account_id, EventKind.CODE)
    step = second_factor.step_of(set_up, _secret(request), _normalized(typed), request.now)
    if step is None:
        raise _wrong(request, set_up.account_id, EventKind.CODE, NOT_CORRECT)
    _clear(request, set_up.account_id)
    return step


def _use_app_code(request: Request, account_id: int, code: str) -> None:
    _count_try(request, account_id, EventKind.CODE)
    with short_transaction(request.registry, write=False) as session:
        factor = second_factor.find(session, account_id)
    if factor is None:
        raise _wrong(request, account_id, EventKind.CODE, NOT_CORRECT)
    try:
        step = second_factor.step_of(factor, _secret(request), code, request.now)
    except second_factor.KeyChanged:
        raise _wrong(request, account_id, EventKind.CODE, key_changed(request)) from None
    if step is None:
        raise _wrong(request, account_id, EventKind.CODE, NOT_CORRECT)
    if step > factor.last_step:
        # The count is cleared before the request's transaction begins to write.
        _clear(request, account_id)
        if second_factor.use_step(request.dbsession, factor, step):
            return
    raise _wrong(request, account_id, EventKind.CODE, USED_BEFORE)


def _use_recovery_code(request: Request, account_id: int, code: str) -> None:
    _count_try(request, account_id, EventKind.RECOVERY_CODE)
    with short_transaction(request.registry, write=False) as session:
        is_right = second_factor.find(session, account_id) is not None and recovery_codes.exists(
            session, account_id, code
        )
    if is_right:
        _clear(request, account_id)
        if recovery_codes.use(request.dbsession, account_id, code):
            return
    raise _wrong(request, account_id, EventKind.RECOVERY_CODE, NO_SUCH_RECOVERY_CODE)


def _count_try(request: Request, account_id: int, kind: EventKind) -> None:
    # Every try counts until it proves right, so that many tries at once do not pass the limit.
    uses = (rate_limits.CODES, str(account_id))
    require(request, kind, uses, account_id=account_id)


def _clear(request: Request, account_id: int) -> None:
    limits.clear(request.registry, forget=[(rate_limits.CODES, str(account_id))])


def _wrong(request: Request, account_id: int, kind: EventKind, message: str) -> WrongCode:
    record(request.dbsession, request, kind, account_id, Outcome.FAILED)
    return WrongCode(message)


def _normalized(typed: str) -> str:
    """``typed`` without spaces, and with ordinary digits in place of full-width ones."""
    return "".join(unicodedata.normalize("NFKC", typed[:LONGEST]).split())


def _is_of_app(code: str) -> bool:
    # A recovery code is much longer, so a digit too many does not make one.
    return len(code) <= 2 * APP_CODE_LENGTH


def _secret(request: Request) -> str:
    secret: str = request.registry.pillarbox.secret
    return secret
