"""The page of an order says what became of its receipt, and sends it again when asked."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import delete, update
from webtest import TestApp, TestResponse

from app.database.engine import Database
from app.mail.outbox.tables import NOT_ACCEPTED, OutboxEmail, State
from app.mail.recomposing import Recomposing
from app.mail.testing import Mailbox
from tests.support.accounts import ANNA
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.shopping import buy, order, put_into_basket, sign_in


@pytest.fixture
def broken(app: Router, tmp_path: Path) -> Path:
    """A receipt's template that names a variable wrongly. Deleting the file corrects it."""
    path = tmp_path / "email" / "purchase_receipt.jinja2"
    path.parent.mkdir()
    own = Path(__file__).parents[2] / "templates" / "email" / path.name
    wrong = own.read_text("utf-8").replace("order_number", "oder_number", 1)
    assert "oder_number" in wrong
    path.write_text(wrong, "utf-8")
    app.registry.email_templates.searchpath.insert(0, str(tmp_path))
    app.registry.email_composer.raises = False
    return path


def change(database: Database, **values: Any) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(OutboxEmail).values(**values))


def said(page: TestResponse) -> str:
    """The page's first paragraph, which tells about the receipt."""
    return " ".join(page.html.select_one("p.lead").get_text().split())


def ask_again(page: TestResponse) -> TestResponse:
    """Press the button. Returns the page that follows."""
    [form] = [form for form in page.forms.values() if form.action.endswith("/resend-receipt")]
    return form.submit().follow()


def can_ask(page: TestResponse) -> bool:
    return "/resend-receipt" in page.text


@pytest.mark.parametrize(
    ("state", "words", "has_button"),
    [
        (State.QUEUED, f"Your receipt is on its way to {ANNA}.", False),
        (State.SENDING, f"Your receipt is on its way to {ANNA}.", False),
        (State.SENT, f"We have sent your receipt to {ANNA}.", True),
        (
            State.CAPTURED,
            "Your receipt is kept in the shop, because the shop runs in debug mode.",
            True,
        ),
        (State.UNKNOWN, "we do not know whether it arrived.", True),
        *(
            (state, f"Your receipt could not be sent to {ANNA}.", True)
            for state in (*NOT_ACCEPTED, State.BOUNCED)
            if state not in (State.UNKNOWN, State.CAPTURED)
        ),
    ],
)
def test_the_order_says_what_became_of_its_receipt(
    customer: TestApp, database: Database, state: State, words: str, has_button: bool
) -> None:
    path = buy(customer).request.path
    change(database, state=state)
    page = customer.get(path)
    assert said(page).startswith("Thank you. Your order is paid.")
    assert said(page).endswith(words)
    assert can_ask(page) == has_button


def test_a_receipt_that_is_gone_can_be_asked_for(
    customer: TestApp, database: Database, mailbox: Mailbox
) -> None:
    page = buy(customer)
    with database.transaction(write=True) as session:
        session.execute(delete(OutboxEmail))
    page = customer.get(page.request.path)
    assert "could not be sent" in said(page)
    assert f"Your receipt is on its way to {ANNA}." in ask_again(page).text
    assert mailbox.latest().kind == "purchase_receipt"


def test_a_receipt_is_sent_again_three_times_a_day(
    customer: TestApp, mailbox: Mailbox, clock: Clock
) -> None:
    page = buy(customer)
    for _ in range(3):
        page = ask_again(page)
        assert "Your receipt is on its way to" in page.text
        clock.advance(timedelta(hours=1))
    emails = mailbox.all(kind="purchase_receipt")
    original = emails[0].key
    assert [email.key for email in emails] == [original, *(f"{original}#{n}" for n in (2, 3, 4))]
    assert len({email.message_id for email in emails}) == 4
    [copy] = {email.text_body for email in emails[1:]}
    assert "This is a copy of your receipt." in copy
    assert "copy" not in emails[0].text_body
    page = ask_again(page)
    assert "You have asked for this receipt 3 times. Ask again in 21 hours." in page.text
    assert len(mailbox.all(kind="purchase_receipt")) == 4
    clock.advance(timedelta(hours=21))
    ask_again(page)
    assert len(mailbox.all(kind="purchase_receipt")) == 5


def test_a_clock_that_was_ahead_holds_nothing_back(
    customer: TestApp, mailbox: Mailbox, clock: Clock
) -> None:
    page = buy(customer)
    clock.advance(timedelta(days=2))
    for _ in range(3):
        page = ask_again(page)
    clock.advance(timedelta(days=-2))
    ask_again(page)
    assert len(mailbox.all(kind="purchase_receipt")) == 5


def test_what_is_on_its_way_is_not_sent_twice(
    customer: TestApp, mailbox: Mailbox, database: Database
) -> None:
    page = buy(customer)
    change(database, state=State.QUEUED)
    assert "Your receipt is already on its way to" in ask_again(page).text
    assert len(mailbox.all(kind="purchase_receipt")) == 1


def test_only_the_customer_of_a_paid_order_asks(
    app: Router, customer: TestApp, database: Database, mailbox: Mailbox
) -> None:
    page = buy(customer)
    path = f"{page.request.path}/resend-receipt"
    token = page.forms[0]["csrf_token"].value
    customer.get(path, status=405)
    customer.post(path, status=400)
    stranger = another_browser(app)
    sign_in(stranger, database, "bert@example.org")
    others = stranger.get("/account").forms[0]["csrf_token"].value
    stranger.post(path, {"csrf_token": others}, status=404)
    put_into_basket(customer, "envelopes")
    order(customer)
    unpaid = customer.get("/orders").html.select_one('main a[href*="/orders/"]')["href"]
    assert not can_ask(customer.get(unpaid))
    customer.post(f"{unpaid}/resend-receipt", {"csrf_token": token}, status=404)
    assert len(mailbox.all(kind="purchase_receipt")) == 1


def test_a_receipt_that_could_not_be_written_comes_when_the_template_is_corrected(
    customer: TestApp, mailbox: Mailbox, broken: Path
) -> None:
    page = buy(customer)
    assert "Your receipt is not written yet, because of a fault of ours." in said(page)
    email = mailbox.latest(kind="purchase_receipt")
    assert "'oder_number' is undefined in email/purchase_receipt.jinja2, line " in email.reason
    page = ask_again(page)
    assert "Your receipt could not be written, because of a fault of ours." in page.text
    broken.unlink()
    page = ask_again(page)
    assert said(page).endswith(f"Your receipt is on its way to {ANNA}.")
    row = mailbox.latest(kind="purchase_receipt")
    assert (row.id, row.key, row.state) == (email.id, email.key, "queued")
    assert row.text_body
    assert row.html_body


def test_a_start_writes_the_receipt_by_itself(
    app: Router, customer: TestApp, mailbox: Mailbox, broken: Path
) -> None:
    page = buy(customer)
    broken.unlink()
    registry = app.registry
    Recomposing(
        registry.database, registry.email_kinds, registry.email_composer, registry.email_wakeup
    ).run(registry.clock())
    assert mailbox.latest(kind="purchase_receipt").state == "queued"
    assert "on its way" in said(customer.get(page.request.path))
