"""docs/security.md states the numbers that the code has."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from app.accounts import (
    events,
    passwords,
    permissions,
    rate_limits,
    second_factor,
    sessions,
    tokens,
)
from app.accounts.models import TokenKind
from app.i18n.formats import duration
from app.mail.events import suppression
from app.shop import downloads, receipt_emails
from app.shop.views import withdrawal
from app.web.limits import Limit

PAGE = Path(__file__).parents[2].joinpath("docs", "security.md").read_text("utf-8")
LIMITS = [limit for limit in vars(rate_limits).values() if isinstance(limit, Limit)]
LIMITS += [downloads.EACH_FILE, receipt_emails.AGAIN, withdrawal.STATEMENTS]
LIFETIMES = {
    "link to confirm an address": tokens.LIFETIMES[TokenKind.CONFIRM],
    "link to choose a new password": tokens.LIFETIMES[TokenKind.RESET],
    "link to confirm a new address": tokens.LIFETIMES[TokenKind.EMAIL_CHANGE],
    "session, unused": sessions.IDLE_TIMEOUT,
    "session, in all": sessions.ABSOLUTE_TIMEOUT,
    "session of staff, unused": sessions.STAFF_IDLE_TIMEOUT,
    "session of staff, in all": sessions.STAFF_ABSOLUTE_TIMEOUT,
    "sign-in that waits for a code": sessions.CODE_TIMEOUT,
    "key of an authenticator app that no code has proved": second_factor.SET_UP_LIFETIME,
    "entered password, for changes of the account": permissions.RECENT_FOR,
    "events of an account": events.RETENTION,
    "bounces of an address, after its last suppression has ended": suppression.RETENTION,
}


def row(name: str) -> list[str]:
    """The other cells of the first table row that begins with this name."""
    found = re.search(rf"^\| {re.escape(name)} \|(.*)\|$", PAGE, re.MULTILINE)
    assert found, name
    return [cell.strip() for cell in found[1].split("|")]


def words(length: timedelta) -> str:
    return duration(length, "en")


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_the_limits_are_those_of_the_code(limit: Limit) -> None:
    then = f", then one in {words(limit.then)}" if limit.then else ""
    assert row(limit.name)[0] == f"{limit.count} in {words(limit.period)}{then}"


@pytest.mark.parametrize("name", LIFETIMES)
def test_the_lifetimes_are_those_of_the_code(name: str) -> None:
    assert row(name) == [words(LIFETIMES[name])]


def test_the_longest_password_is_that_of_the_code() -> None:
    assert row("longest password")[0].startswith(f"{passwords.MAX_CODE_POINTS} code points")


def test_every_file_that_the_page_names_exists() -> None:
    project = Path(__file__).parents[2]
    named = set(re.findall(r"`(app/[\w/.]+)`", PAGE))
    assert named
    assert [name for name in sorted(named) if not (project / name).exists()] == []
