"""The customer's own page."""

from typing import Any

from pyramid.request import Request
from pyramid.view import view_config

from app.accounts.sessions import SIGNED_IN


@view_config(
    route_name="account",
    request_method="GET",
    renderer="accounts/account.jinja2",
    permission=SIGNED_IN,
)
def account(request: Request) -> Any:
    """Which account this is, since when, and where to go from here."""
    return {"account": request.account}
