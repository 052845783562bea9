"""A member of staff, and an email to look at."""

from hashlib import sha256

import pytest
from pyramid.router import Router
from webtest import TestApp

from app.accounts.models import SignInSession
from app.accounts.sessions import COOKIE
from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from tests.support.accounts import ANNA, add_account
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.outbox import Outbox

SAM = "sam@example.org"


@pytest.fixture
def sam(database: Database) -> int:
    """Sam, a member of staff."""
    return add_account(database, SAM, is_staff=True)


@pytest.fixture
def staff(app: Router, sam: int, database: Database, clock: Clock) -> TestApp:
    """Sam's browser, signed in with the second factor."""
    secret, now = "0123456789", clock()
    row = SignInSession(
        account_id=sam,
        digest=sha256(secret.encode()).digest(),
        created_at=now,
        authenticated_at=now,
        last_used_at=now,
        second_factor_at=now,
        browser="Firefox",
        system="Linux",
    )
    with database.transaction(write=True) as session:
        session.add(row)
    browser = another_browser(app)
    browser.set_cookie(COOKIE, secret)
    return browser


@pytest.fixture
def anna(outbox: Outbox) -> OutboxEmail:
    """An email to Anna, which is captured."""
    return outbox.write(1, address=ANNA, name="Anna")
