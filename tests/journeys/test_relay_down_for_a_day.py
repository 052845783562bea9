"""No relay takes an email for a day. Customers buy, download and withdraw as ever, and every email
arrives once in the end (STANDARDS D5).
"""

from datetime import timedelta
from pathlib import Path

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.late_receipts import tell_of_late_receipts
from app.shop.models import Withdrawal
from app.shop.withdrawal import right_lasts
from tests.support.application import MakeApp
from tests.support.clock import Clock
from tests.support.relay import Relay
from tests.support.shopping import fill_files, order, orders_in, put_into_basket, sign_in, stock
from tests.support.workers import Hire

CONTENT = b"%PDF-1.7 a letter"


@pytest.fixture
def app(make_app: MakeApp, sending_values: dict[str, str], tmp_path: Path) -> Router:
    return make_app(sending_values | {"shop.files": str(tmp_path / "files")})


@pytest.fixture
def customer(app: Router, browser: TestApp, database: Database) -> TestApp:
    stock(database)
    sign_in(browser, database)
    fill_files(app.registry, CONTENT)
    return browser


def buy_and_download(customer: TestApp, slug: str) -> None:
    put_into_basket(customer, slug)
    page = order(customer, start_now="y").follow().forms[0].submit().follow()
    [download] = [form for form in page.forms.values() if "/files/" in form.action]
    assert download.submit(status=200).body == CONTENT


def withdraw(customer: TestApp, number: str) -> None:
    form = customer.get(f"/withdraw?order={number}").forms[0]
    form["name"] = "Anna"
    form.submit(status=303).follow().forms[0].submit(status=303)


def test_a_day_without_a_relay_loses_and_doubles_nothing(
    app: Router,
    customer: TestApp,
    database: Database,
    mailbox: Mailbox,
    relay: Relay,
    clock: Clock,
    hire: Hire,
) -> None:
    relay.stop()
    worker = hire(app)
    for slug in ("letter-paper", "envelopes"):
        buy_and_download(customer, slug)
        worker.run_once()
    first, second = orders_in(database)

    # The right of withdrawal lasts, since no email has confirmed the consent.
    clock.advance(timedelta(hours=24))
    with database.transaction(write=False) as session:
        found = session.merge(first)
        assert right_lasts(session, found, found.lines[0], clock.now)
    page = customer.get(f"/orders/{first.number}")
    assert "Your receipt is on its way" in page.text
    assert customer.get(f"/orders/{first.number}/receipt.pdf").body.startswith(b"%PDF")
    tell_of_late_receipts(app.registry)
    withdraw(customer, second.number)
    with database.transaction(write=False) as session:
        # It was downloaded, so a person decides.
        assert session.scalars(select(Withdrawal)).one().state == "received"

    relay.start()
    clock.advance(timedelta(hours=1))
    worker.run_once()

    assert len({email.message for email in relay.received}) == len(relay.received) == 6
    kinds = sorted(email.kind for email in mailbox.all() if email.state == "sent")
    assert kinds == [
        "purchase_receipt",
        "purchase_receipt",
        "shop_notice",
        "shop_notice",
        "shop_notice",
        "withdrawal_received",
    ]
    with database.transaction(write=False) as session:
        found = session.merge(first)
        assert not right_lasts(session, found, found.lines[0], clock.now)
