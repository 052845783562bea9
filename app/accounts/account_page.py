"""The page ``/account``."""

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
    """Show the account's address and age, and links to what the customer can do."""
    return {"account": request.account}
