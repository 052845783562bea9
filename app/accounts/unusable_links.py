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
    TokenState.UNKNOWN: (
        _("This link does not work"),
        _(
            "Part of it may be missing. Copy the whole link from the email, or request a new one"
            " here."
        ),
    ),
}
NEXT_STEPS = {
    TokenKind.CONFIRM: ("sign_up", _("Sign up again")),
    TokenKind.RESET: ("forgot_password", _("Get a new link")),
}


def unusable_link(request: Request, kind: TokenKind, state: TokenState) -> Response:
    """The page for a token in ``state``: status 404 for an unknown token, else 410."""
    title, explanation = EXPLANATIONS[state]
    route, button = NEXT_STEPS[kind]
    # A confirmation link is void once another one for the same address was used.
    if kind is TokenKind.CONFIRM and state in (TokenState.USED, TokenState.VOIDED):
        title, explanation, route, button = CONFIRMED
    page = {"title": title, "explanation": explanation, "route": route, "button": button}
    response = render_to_response("accounts/unusable_link.jinja2", page, request=request)
    response.status_int = 404 if state is TokenState.UNKNOWN else 410
    return response
