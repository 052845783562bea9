"""The shop's own people learn of receipts that no relay takes."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import update
from webtest import TestApp

from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from app.mail.testing import Mailbox
from app.shop.late_receipts import tell_of_late_receipts
from tests.support.clock import Clock
from tests.support.shopping import buy, orders_in, sign_in, stock


@pytest.fixture
def paid(browser: TestApp, database: Database) -> None:
    """A paid order. Its receipt is captured, so nobody need be told of it."""
    stock(database)
    sign_in(browser, database)
    buy(browser)


def receipt_is(database: Database, state: str) -> None:
    with database.transaction(write=True) as session:
        of_receipts = OutboxEmail.kind == "purchase_receipt"
        session.execute(update(OutboxEmail).where(of_receipts).values(state=state))


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize("state", ["queued", "failed", "expired", "suppressed", "unknown"])
def test_a_receipt_that_no_relay_took_within_a_day_is_told_once(
    app: Router, database: Database, mailbox: Mailbox, clock: Clock, state: str
) -> None:
    receipt_is(database, state)
    clock.advance(timedelta(hours=23, minutes=59))
    tell_of_late_receipts(app.registry)
    assert not mailbox.all(kind="shop_notice")

    clock.advance(timedelta(minutes=1))
    tell_of_late_receipts(app.registry)
    clock.advance(timedelta(hours=1))
    tell_of_late_receipts(app.registry)

    [notice] = mailbox.all(kind="shop_notice")
    assert notice.recipient == "help@example.org"
    assert orders_in(database)[0].number in notice.text_body


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize("state", ["sent", "bounced", "captured"])
def test_a_receipt_that_left_is_not_told(
    app: Router, database: Database, mailbox: Mailbox, clock: Clock, state: str
) -> None:
    receipt_is(database, state)
    clock.advance(timedelta(days=2))

    tell_of_late_receipts(app.registry)

    assert not mailbox.all(kind="shop_notice")
