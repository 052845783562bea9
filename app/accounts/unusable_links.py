"""The page for a link from an email that does not work (STANDARDS A11).

It says why, and has a button for the next step.
"""

from pyramid.renderers import render_to_response
from pyramid.request import Request
from pyramid.response import Response

from app.accounts.models import TokenKind
from app.accounts.tokens import TokenState
from app.web.translation import _

CONFIRMED = (
    _("This address is already confirmed"),
    _("Your account is ready, and you can sign in."),
    "sign_in",
    _("Sign in"),
)
EXPLANATIONS = {
    TokenState.USED: (
        _("This link has already been used"),
        _("Each link works only once. If you need another one, you can request it here."),
    ),
    TokenState.EXPIRED: (
        _("This link has expired"),
        _(
            "For your security, links are valid for a short time only. You can request a new one"
            " here."
        ),
    ),
    TokenState.VOIDED: (
        _("This link no longer works"),
        _(
            "Your password was changed after we sent this link. Sign in with the new password. If"
            " you do not know it, you can request a new link here."
        ),
    ),
    TokenState.WITHDRAWN: (
        _("This link no longer works"),
        _(
            "The sign-up behind it no longer exists. Its address was corrected after we sent this"
            " link, or it was not confirmed in time. If you want an account with this address, sign"
            " up again."
        ),
    ),
    TokenState.UNKNOWN: (
        _("This link does not work"),
        _(
            "Part of it may be missing. Copy the whole link from the email, or request a new one"
            " here."
        ),
    ),
}
CHANGE_REPLACED = (
    _("This link no longer works"),
    _(
        "You have asked for another change since, or your password was changed. Sign in to see the"
        " address of your account, or to change it."
    ),
)
ADDRESS_TAKEN = (
    _("This address has an account already"),
    _(
        "Two accounts cannot have one address, so your account keeps its own. If the other account"
        " is yours too, sign in with this address to use it."
    ),
)
ADDRESS_CHANGED = (
    _("Your address is already changed"),
    _("This is the address of your account now. Sign in with it."),
)
NEXT_STEPS = {
    TokenKind.CONFIRM: ("sign_up", _("Sign up again")),
    TokenKind.RESET: ("forgot_password", _("Get a new link")),
    TokenKind.EMAIL_CHANGE: ("email_change", _("Change your address")),
}


def unusable_link(request: Request, kind: TokenKind, state: TokenState) -> Response:
    """The page for a token in ``state``: status 404 for an unknown token, else 410."""
    title, explanation = EXPLANATIONS[state]
    route, button = NEXT_STEPS[kind]
    is_unknown = state is TokenState.UNKNOWN
    # A confirmation link is void once another one for the same address was used.
    if kind is TokenKind.CONFIRM and state in (TokenState.USED, TokenState.VOIDED):
        title, explanation, route, button = CONFIRMED
    if kind is TokenKind.EMAIL_CHANGE and state is TokenState.VOIDED:
        title, explanation = CHANGE_REPLACED
    return _page(request, title, explanation, route, button, 404 if is_unknown else 410)


def taken_address(request: Request) -> Response:
    """The page for an address that got an account of its own before the change was confirmed."""
    return _page(request, *ADDRESS_TAKEN, "account", _("Your account"), 410)


def changed_address(request: Request) -> Response:
    """The page for a link to an address that the account has by now."""
    return _page(request, *ADDRESS_CHANGED, "account", _("Your account"), 410)


def _page(
    request: Request, title: str, explanation: str, route: str, button: str, status: int
) -> Response:
    page = {"title": title, "explanation": explanation, "route": route, "button": button}
    response = render_to_response("accounts/unusable_link.jinja2", page, request=request)
    response.status_int = status
    return response
