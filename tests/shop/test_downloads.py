"""Downloads of an order: by buttons alone, and only once they are open."""

from datetime import timedelta
from pathlib import Path

import pytest
from pyramid.router import Router
from sqlalchemy import select, update
from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.downloads import open_waiting_downloads
from app.shop.forms import START_NOW
from app.shop.models import Order, OrderLine
from tests.support import accounts
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.shopping import (
    buy,
    fill_files,
    order,
    orders_in,
    put_into_basket,
    sign_in,
    stock,
)

CONTENT = b"%PDF-1.7 a letter"


@pytest.fixture
def app(make_app, settings_values: dict[str, str], tmp_path: Path) -> Router:
    """The application, with a folder of its own for what is sold."""
    return make_app(settings_values | {"shop.files": str(tmp_path / "files")})


@pytest.fixture
def customer(app: Router, browser: TestApp, database: Database) -> TestApp:
    """A signed-in browser, in a shop whose files all have the same content."""
    stock(database)
    sign_in(browser, database)
    fill_files(app.registry, CONTENT)
    return browser


def buy_with_consent(customer: TestApp) -> str:
    """Buy letter paper whose download starts at once. Returns the order's path."""
    put_into_basket(customer, "letter-paper")
    page = order(customer, start_now="y").follow().forms[0].submit().follow()
    return str(page.request.path)


def line_in(database: Database) -> OrderLine:
    with database.transaction(write=False) as session:
        return session.scalars(select(OrderLine)).one()


def press(customer: TestApp, path: str, button: str, status: int = 303):
    """Press a button of the order's page."""
    page = customer.get(path)
    [form] = [form for form in page.forms.values() if form.action.endswith(button)]
    return form.submit(status=status)


def test_with_consent_the_download_is_open_once_the_order_is_paid(
    customer: TestApp, database: Database, clock: Clock
) -> None:
    path = buy_with_consent(customer)

    answer = press(customer, path, "/files/0", 200)

    assert answer.body == CONTENT
    assert answer.content_type == "application/pdf"
    assert answer.content_length == len(CONTENT)
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename*=utf-8''letter-paper.pdf"
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert line_in(database).first_download_at == clock.now
    clock.advance(timedelta(hours=1))
    press(customer, path, "/files/0", 200)
    assert line_in(database).first_download_at == clock.now - timedelta(hours=1)


def test_a_link_begins_no_download(customer: TestApp, database: Database) -> None:
    path = buy_with_consent(customer)

    customer.get(f"{path}/files/0", status=405)

    assert line_in(database).first_download_at is None


def test_without_consent_the_download_waits_until_the_button_is_pressed(
    customer: TestApp, database: Database, mailbox: Mailbox, clock: Clock
) -> None:
    page = buy(customer)
    path = page.request.path
    token = page.forms[0]["csrf_token"].value
    customer.post(f"{path}/files/0", {"csrf_token": token}, status=404)
    assert START_NOW in page.text
    assert "December 7, 2026" in page.html.find(class_="downloads").text

    press(customer, path, "/start-download")
    press_again = customer.post(f"{path}/start-download", {"csrf_token": token}, status=303)

    assert press_again.location.endswith(path)
    [placed] = orders_in(database)
    assert placed.consent_at == placed.opened_at == clock.now
    assert len(mailbox.all(kind="download_ready")) == 1
    assert press(customer, path, "/files/0", 200).body == CONTENT


def test_downloads_open_by_themselves_after_fourteen_days(
    app: Router, customer: TestApp, database: Database, mailbox: Mailbox, clock: Clock
) -> None:
    path = buy(customer).request.path
    put_into_basket(customer, "envelopes")
    order(customer)
    # Ordered on November 22, so December 6 is the last of the fourteen days.
    clock.now = clock.now.replace(month=12, day=6, hour=23, minute=59)
    open_waiting_downloads(app.registry)
    assert not mailbox.all(kind="download_ready")

    clock.advance(timedelta(minutes=1))
    open_waiting_downloads(app.registry)
    open_waiting_downloads(app.registry)

    assert len(mailbox.all(kind="download_ready")) == 1
    paid, unpaid = orders_in(database)
    assert paid.opened_at == clock.now
    assert paid.consent_at is None
    assert unpaid.opened_at is None
    accounts.sign_in(customer)
    assert press(customer, path, "/files/0", 200).body == CONTENT


def test_another_customers_file_is_not_found(app: Router, customer: TestApp, database) -> None:
    path = buy_with_consent(customer)
    stranger = another_browser(app)
    sign_in(stranger, database, "bert@example.org")
    token = stranger.get("/products/letter-paper").forms[0]["csrf_token"].value

    stranger.post(f"{path}/files/0", {"csrf_token": token}, status=404)
    stranger.post(f"{path}/start-download", {"csrf_token": token}, status=404)


@pytest.mark.parametrize("position", ["1", "-1", "00", "x", "99999999999999999999"])
def test_a_line_that_is_not_there_is_not_found(customer: TestApp, position: str) -> None:
    path = buy_with_consent(customer)
    token = customer.get(path).forms[0]["csrf_token"].value

    customer.post(f"{path}/files/{position}", {"csrf_token": token}, status=404)


def test_a_file_can_be_downloaded_twenty_times_a_day(customer: TestApp, clock: Clock) -> None:
    path = buy_with_consent(customer)
    for _ in range(20):
        press(customer, path, "/files/0", 200)

    page = press(customer, path, "/files/0").follow()

    assert "You have downloaded this file 20 times today." in page.text
    clock.advance(timedelta(days=1))
    press(customer, path, "/files/0", 200)


@pytest.mark.parametrize("content", [None, b"another size"])
def test_a_file_that_is_missing_on_disk_is_told_and_begins_no_download(
    app: Router,
    customer: TestApp,
    database: Database,
    mailbox: Mailbox,
    caplog: pytest.LogCaptureFixture,
    content: bytes | None,
) -> None:
    path = buy_with_consent(customer)
    file = app.registry.pillarbox.shop.files / str(line_in(database).file_sha256)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)

    page = press(customer, path, "/files/0").follow()

    assert "This file cannot be downloaded at the moment" in page.text
    assert line_in(database).first_download_at is None
    assert "file of an order cannot be read: order=1 line=0" in caplog.text
    press(customer, path, "/files/0")
    [notice] = mailbox.all(kind="shop_notice")
    assert file.name in notice.html_body


def test_a_file_name_of_any_script_is_kept(customer: TestApp, database: Database) -> None:
    path = buy_with_consent(customer)
    with database.transaction(write=True) as session:
        session.execute(update(OrderLine).values(file_name='便箋 "a";b.pdf'))

    answer = press(customer, path, "/files/0", 200)

    assert answer.headers["Content-Disposition"] == (
        "attachment; filename*=utf-8''%E4%BE%BF%E7%AE%8B%20%22a%22%3Bb.pdf"
    )


def test_a_payment_after_the_fourteen_days_opens_the_download_at_once(
    customer: TestApp, database: Database, clock: Clock
) -> None:
    put_into_basket(customer, "letter-paper")
    order(customer)
    with database.transaction(write=True) as session:
        session.execute(update(Order).values(withdrawal_ends_at=clock.now))
    path = f"/orders/{orders_in(database)[0].number}"

    payment_page = customer.get(path).forms[0].submit().follow()
    clock.advance(timedelta(seconds=10))
    payment_page.forms[0].submit().follow()

    assert press(customer, path, "/files/0", 200).body == CONTENT
