"""``pillarbox staff``: who is staff, and help when a phone is lost."""

from pathlib import Path

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.accounts.models import Account, RecoveryCode, SecondFactor, SignInSession
from app.database.clock import utc_clock
from app.database.engine import Database
from app.mail.testing import Mailbox
from tests.support.accounts import ANNA, add_account, is_signed_in, sign_in
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.pillarbox_command import Pillarbox
from tests.support.rows import count
from tests.support.second_factor import events, turn_on


@pytest.fixture
def clock() -> Clock:
    """The command goes by the real time, so the application does too."""
    clock = Clock()
    clock.now = utc_clock()
    return clock


@pytest.fixture
def app(sending_app: Router) -> Router:
    """The application of the .ini file."""
    return sending_app


@pytest.fixture
def anna(database: Database) -> int:
    return add_account(database)


def is_staff(database: Database) -> bool:
    with database.transaction(write=False) as session:
        return session.scalars(select(Account.is_staff)).one()


def test_an_account_becomes_staff_and_the_next_step_is_said(
    pillarbox: Pillarbox, ini: Path, database: Database, anna: int
) -> None:
    output = pillarbox("staff", ini, "ANNA@example.org").output
    assert "anna@example.org is staff now. Next: sign in, and set up the second factor" in output
    assert "http://localhost/account/second-factor" in output
    assert is_staff(database)
    assert events(database) == [("staff_on", "ok")]
    assert "is staff already" in pillarbox("staff", ini, ANNA).output
    assert events(database) == [("staff_on", "ok")]


def test_a_customers_session_does_not_become_one_of_staff(
    pillarbox: Pillarbox, ini: Path, browser: TestApp, anna: int
) -> None:
    sign_in(browser)
    pillarbox("staff", ini, ANNA)
    assert not is_signed_in(browser)


def test_staff_is_unmade_and_every_session_ends(
    pillarbox: Pillarbox, ini: Path, app: Router, database: Database, anna: int
) -> None:
    pillarbox("staff", ini, ANNA)
    browser = another_browser(app)
    sign_in(browser)
    assert "no longer staff" in pillarbox("staff", ini, ANNA, "--remove").output
    assert not is_staff(database)
    assert not is_signed_in(browser)
    assert events(database)[-1] == ("staff_off", "ok")
    assert "is not staff. Nothing was changed" in pillarbox("staff", ini, ANNA, "--remove").output
    assert events(database).count(("staff_off", "ok")) == 1


def test_after_a_lost_phone_the_password_alone_signs_in_and_the_owner_is_told(
    pillarbox: Pillarbox,
    ini: Path,
    app: Router,
    database: Database,
    anna: int,
    clock: Clock,
    mailbox: Mailbox,
) -> None:
    browser = another_browser(app)
    sign_in(browser)
    turn_on(browser, clock)
    output = pillarbox("staff", ini, ANNA, "--new-second-factor").output
    assert "are removed" in output
    for model in (SecondFactor, RecoveryCode, SignInSession):
        assert count(database, model) == 0
    email = mailbox.latest()
    assert (email.kind, email.subject) == ("second_factor_changed", "Second step removed")
    assert "http://localhost/account/second-factor" in (email.text_body or "")
    assert events(database)[-1] == ("second_factor_off", "ok")
    assert not is_signed_in(browser)
    sign_in(browser)
    assert is_signed_in(browser)
    output = pillarbox("staff", ini, ANNA, "--new-second-factor").output
    assert "has no second factor. Nothing was changed." in output
    assert len(mailbox.all(kind="second_factor_changed")) == 2


def test_an_address_without_an_account_is_an_error_that_says_what_to_do(
    pillarbox: Pillarbox, ini: Path, database: Database
) -> None:
    output = pillarbox("staff", ini, ANNA, code=1).output
    assert "There is no account with the address anna@example.org" in output
    assert "Sign up at http://localhost/sign-up first" in output
    assert "is not an email address" in pillarbox("staff", ini, "anna@", code=1).output


def test_two_acts_at_once_are_an_error_of_usage(pillarbox: Pillarbox, ini: Path, anna: int) -> None:
    output = pillarbox("staff", ini, ANNA, "--remove", "--new-second-factor", code=2).output
    assert "not both" in output
