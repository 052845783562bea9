"""``pillarbox withdrawals``: what staff see and decide."""

from datetime import timedelta
from pathlib import Path

import pytest
from pyramid.router import Router
from sqlalchemy import update
from webtest import TestApp

from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from app.mail.testing import Mailbox
from app.shop.models import OrderLine, Payment, Withdrawal
from tests.support.accounts import ANNA
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.paid_orders import paid_order, refunds_in, rows
from tests.support.pillarbox_command import Pillarbox

NOBODYS = "0000-0000-0000"
"""An order number with a right check character, which no order has."""


@pytest.fixture
def visitor(app: Router) -> TestApp:
    return another_browser(app)


def withdraw(visitor: TestApp, number: str, email: str = ANNA) -> None:
    form = visitor.get("/withdraw").forms[0]
    form["name"], form["order"], form["email"] = "Anna", number, email
    form.submit(status=303).follow().forms[0].submit(status=303)


def downloaded(database: Database, clock: Clock, position: int = 0) -> None:
    with database.transaction(write=True) as session:
        of_line = OrderLine.position == position
        session.execute(update(OrderLine).where(of_line).values(first_download_at=clock.now))


@pytest.fixture
def undecided(app: Router, database: Database, clock: Clock, visitor: TestApp) -> str:
    """The number of an order of two lines. The first was downloaded, and its buyer withdrew from
    both. The other one is refunded by itself.
    """
    number = paid_order(app.registry)
    downloaded(database, clock)
    clock.advance(timedelta(hours=1))
    withdraw(visitor, number)
    return number


def test_the_list_says_what_was_downloaded(pillarbox: Pillarbox, ini: Path, undecided: str) -> None:
    output = pillarbox("withdrawals", ini, "list").output

    assert f"1  received  received 2026-11-22 13:00 UTC  order {undecided}  {ANNA}" in output
    assert "ordered 2026-11-22, can be withdrawn from until 2026-12-06" in output
    assert "line 1: Letter paper, 50 sheets, downloaded 2026-11-22 12:00 UTC, the right" in output
    assert "line 2: Letters to Nobody, closed, the right of withdrawal lasted" in output
    assert "consented 2026-11-22 12:00 UTC" in output


@on_sqlite
@pytest.mark.parametrize(
    ("hours", "told"),
    [(None, "lasted"), (0, "had ended"), (2, "lasted")],
    ids=["never", "before the withdrawal", "after the withdrawal"],
)
def test_the_list_says_whether_the_right_lasted(
    pillarbox: Pillarbox,
    ini: Path,
    database: Database,
    undecided: str,
    clock: Clock,
    hours: int | None,
    told: str,
) -> None:
    """The right ended when a relay had accepted the email that confirms the consent."""
    if hours is not None:
        bought_at = clock.now - timedelta(hours=1)
        values = {"state": "sent", "sent_at": bought_at + timedelta(hours=hours)}
        with database.transaction(write=True) as session:
            is_receipt = OutboxEmail.kind == "purchase_receipt"
            session.execute(update(OutboxEmail).where(is_receipt).values(values))

    output = pillarbox("withdrawals", ini, "list").output

    assert f"12:00 UTC, the right of withdrawal {told}" in output


def test_an_accepted_withdrawal_gives_the_rest_back(
    pillarbox: Pillarbox, ini: Path, database: Database, mailbox: Mailbox, undecided: str
) -> None:
    output = pillarbox("withdrawals", ini, "accept", 1).output

    assert "Withdrawal 1 is accepted. Refunds asked for: 1." in output
    assert [(row.amount, row.state, row.origin) for row in refunds_in(database)] == [
        (1600, "succeeded", "withdrawal"),
        (1200, "succeeded", "withdrawal"),
    ]
    assert len(mailbox.all(kind="refund_receipt")) == 2
    [withdrawal] = rows(database, Withdrawal)
    assert (withdrawal.state, withdrawal.decided_by) == ("accepted", "pillarbox withdrawals")
    assert "No withdrawal waits" in pillarbox("withdrawals", ini, "list").output
    assert "1  accepted" in pillarbox("withdrawals", ini, "list", "--all").output


def test_a_closed_withdrawal_gives_nothing_back_and_says_whom_to_write_to(
    pillarbox: Pillarbox, ini: Path, database: Database, mailbox: Mailbox, undecided: str
) -> None:
    emails = len(mailbox.all())
    output = pillarbox("withdrawals", ini, "close", 1, "--note", "It was read.").output

    assert f"Withdrawal 1 is closed. Tell {ANNA} why." in output
    assert len(refunds_in(database)) == 1
    assert len(mailbox.all()) == emails
    assert "note: It was read." in pillarbox("withdrawals", ini, "list", "--all").output


@pytest.mark.parametrize("again", ["accept", "close"])
def test_a_withdrawal_is_decided_once(
    pillarbox: Pillarbox, ini: Path, database: Database, undecided: str, again: str
) -> None:
    pillarbox("withdrawals", ini, "close", 1)

    refused = pillarbox("withdrawals", ini, again, 1, code=1).output

    assert "Withdrawal 1 was closed on" in refused
    assert "by pillarbox withdrawals. Nothing was changed." in refused
    assert len(refunds_in(database)) == 1


@on_sqlite
@pytest.mark.parametrize("number", ["2", "0", "99999999999999999999"])
def test_a_withdrawal_that_is_not_there_is_told(
    pillarbox: Pillarbox, ini: Path, undecided: str, number: str
) -> None:
    output = pillarbox("withdrawals", ini, "accept", number, code=1).output

    assert f"There is no withdrawal {number}." in output


@on_sqlite
def test_one_that_names_no_order_can_only_be_closed(
    pillarbox: Pillarbox, ini: Path, visitor: TestApp
) -> None:
    withdraw(visitor, NOBODYS)

    assert "No order has this number" in pillarbox("withdrawals", ini, "list").output
    refused = pillarbox("withdrawals", ini, "accept", 1, code=1).output
    assert "no order has this number and email address" in refused
    assert f"Write to {ANNA}" in refused
    pillarbox("withdrawals", ini, "close", 1)


@on_sqlite
def test_one_whose_money_cannot_go_back_stays_undecided_and_its_download_open(
    pillarbox: Pillarbox, ini: Path, database: Database, undecided: str
) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(Payment).values(intent=None))

    refused = pillarbox("withdrawals", ini, "accept", 1, code=1).output

    assert "The provider's name of the payment is not known." in refused
    [withdrawal] = rows(database, Withdrawal)
    assert withdrawal.state == "received"
    with database.transaction(write=False) as session:
        assert session.get_one(OrderLine, (1, 0)).closed_at is None
