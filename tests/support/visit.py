"""How a test brings a page of the shop into the state that it wants to look at."""

import secrets
from contextlib import ExitStack
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

from playwright.sync_api import Page
from pyramid.router import Router
from sqlalchemy import delete

from app.accounts import tokens
from app.accounts.addresses import parse_address
from app.accounts.models import PendingSignUp, SignInSession, TokenKind
from app.accounts.sessions import COOKIE
from app.web.limits import Limit, RateLimit, use
from tests.support.accounts import PASSWORD_HASH, add_account
from tests.support.browser import another_browser

_numbers = count(1)


class Visit:
    """One visit to one page. ``during`` is left at its end.

    ``browser`` does without JavaScript what comes before the page. It shares its cookies with
    Chromium, and is much faster.
    """

    def __init__(self, app: Router, page: Page, during: ExitStack, language: str) -> None:
        self.app = app
        self.registry = app.registry
        self.page = page
        self.during = during
        self.language = language
        self.browser = another_browser(app, HTTP_ACCEPT_LANGUAGE=language)
        self.address = f"customer.{next(_numbers)}@a-rather-long-domain-name.example.org"
        # Visits before this one have used the limits of this network.
        with self.registry.database.transaction(write=True) as session:
            session.execute(delete(RateLimit))

    @property
    def now(self) -> datetime:
        now: datetime = self.registry.clock()
        return now

    def open(self, path: str) -> None:
        """Open a path of the shop in Chromium, with the cookies of ``browser``."""
        url = self.registry.pillarbox.site.base_url
        cookies = self.browser.cookies.items()
        self.page.context.add_cookies(
            [{"name": name, "value": value.strip('"'), "url": url} for name, value in cookies]
        )
        self.page.goto(path)

    def sign_in(self, *, ago: timedelta = timedelta(0), **values: Any) -> int:
        """Make an account and sign both browsers in to it. ``values`` go into the account's row.
        Returns the account's id.
        """
        values = {"locale": self.language} | values
        id = add_account(self.registry.database, self.address, **values)
        self.browser.set_cookie(COOKIE, self.add_session(id, ago=ago))
        return id

    def add_session(self, account_id: int, *, ago: timedelta = timedelta(0), **values: Any) -> str:
        """Sign a browser in to an account. Returns the session's secret."""
        secret, then = secrets.token_urlsafe(32), self.now - ago
        row = SignInSession(
            account_id=account_id,
            digest=sha256(secret.encode()).digest(),
            created_at=then,
            authenticated_at=then,
            last_used_at=then,
            browser="Firefox",
            system="Android",
            **values,
        )
        with self.registry.database.transaction(write=True) as session:
            session.add(row)
        return secret

    def token(self, kind: TokenKind, **values: Any) -> str:
        """The secret of a new link, to an account or a sign-up of the visit's address. ``values``
        go into its row.
        """
        owner, new = {}, None
        if kind is TokenKind.CONFIRM:
            owner["pending_sign_up_id"] = self._sign_up()
        else:
            owner["account_id"] = add_account(self.registry.database, self.address)
        if kind is TokenKind.EMAIL_CHANGE:
            new = parse_address(f"new.{self.address}")
        with self.registry.database.transaction(write=True) as session:
            token = tokens.issue(session, kind, self.now, new_address=new, **owner)
            for name, value in values.items():
                setattr(token.row, name, value)
            return token.secret

    def _sign_up(self) -> int:
        parsed = parse_address(self.address)
        row = PendingSignUp(
            address=parsed.stored,
            address_key=parsed.key,
            password_hash=PASSWORD_HASH,
            locale="en",
            created_at=self.now,
        )
        with self.registry.database.transaction(write=True) as session:
            session.add(row)
            session.flush()
            return row.id

    def newest_link(self) -> str:
        """The path of the first link in the newest email."""
        link: str = self.browser.get("/dev/mailbox.json").json[0]["links"][0]
        return link.removeprefix(self.registry.pillarbox.site.base_url)

    def use_up(self, limit: Limit, used_by: str = "127.0.0.1") -> None:
        """Use a limit until it refuses."""
        while use(self.registry, limit, used_by, self.now) is None:
            pass


def fill(page: Page, **fields: str) -> None:
    """Fill the fields in, by their names, and press the button of their form."""
    for name, value in fields.items():
        page.locator(f"main [name={name}]").fill(value)
    form = page.locator("main form", has=page.locator(f"[name={next(iter(fields))}]"))
    form.locator("button[type=submit]").click()
