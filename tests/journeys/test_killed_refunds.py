"""Whoever refunds is killed with -9 at each step: ``pillarbox refund``, a worker, and the server in
a webhook and in a withdrawal. Then there is one refund at Stripe, with one document and one email.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from pyramid.router import Router

from app.database.clock import utc_clock
from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Payment, Withdrawal
from app.shop.payments.asking import check_payment
from app.shop.payments.reconcile import PERIOD, YOUNGEST, reconcile
from app.web.background import background_request
from tests.support.accounts import ANNA
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.dying import ask, death
from tests.support.orders import place
from tests.support.paid_orders import (
    TWO_LINES,
    buyer,
    payment_in,
    refund,
    refund_documents_in,
    refunds_in,
    requested_refund,
    rows,
)
from tests.support.ports import free_port, is_listening
from tests.support.refunding import ALL
from tests.support.rows import count
from tests.support.server_process import pillarbox, running, start
from tests.support.shop_settings import write_ini
from tests.support.stripe import FakeStripe, post_to


@pytest.fixture
def clock() -> Clock:
    """The killed process goes by the real time. By the application's clock it is earlier, so that a
    worker finds what the application requests old enough to ask about.
    """
    clock = Clock()
    clock.now = utc_clock() - YOUNGEST
    return clock


@pytest.fixture
def stripe() -> Iterator[FakeStripe]:
    with FakeStripe() as stripe:
        yield stripe


@pytest.fixture
def values(settings_values: dict[str, str], stripe: FakeStripe) -> dict[str, str]:
    return settings_values | stripe.settings()


@pytest.fixture
def app(make_app: MakeApp, values: dict[str, str]) -> Router:
    return make_app(values)


@pytest.fixture
def number(app: Router, database: Database, stripe: FakeStripe) -> str:
    """The number of a paid order."""
    payment = place(app.registry, buyer(database), TWO_LINES, basket_id="basket")
    stripe.pay(payment.session or "")
    check_payment(background_request(app.registry, "test"), payment, by="test")
    with database.transaction(write=False) as session:
        return session.get_one(Payment, payment.id).order.number


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def ini(values: dict[str, str], port: int, tmp_path: Path) -> Path:
    # A worker wants a relay. Nobody connects to it, because emails are captured.
    return write_ini(tmp_path / "shop.ini", values | {"email.smtp_server": "localhost"}, port=port)


@pytest.fixture
def command(ini: Path, number: str) -> list[object]:
    """What refunds 5.00 of a paid order."""
    return ["refund", ini, number, "--amount", "5.00"]


def finished_once(
    app: Router,
    database: Database,
    clock: Clock,
    stripe: FakeStripe,
    mailbox: Mailbox,
    amount: int = 500,
) -> None:
    """Let the reconciler finish what the killed process began, and count what came of it."""
    assert len(refunds_in(database)) == 1
    assert payment_in(database).refunded == amount
    for _ in range(2):
        clock.now = max(clock.now, utc_clock()) + PERIOD
        reconcile(app.registry, is_daily_due=True)
    assert [refund["amount"] for refund in stripe.refunds] == [amount]
    assert [refund.state for refund in refunds_in(database)] == ["succeeded"]
    assert payment_in(database).refunded == amount
    assert [document.number for document in refund_documents_in(database)] == [2]
    assert len(mailbox.all(kind="refund_receipt")) == 1
    assert not mailbox.all(kind="shop_notice")


@pytest.mark.parametrize(
    ("line", "when", "made"),
    [
        ("GET /v1/refunds", "before", 0),
        ("POST /v1/refunds", "before", 0),
        ("POST /v1/refunds", "during", 0),
        ("POST /v1/refunds", "after", 1),
    ],
)
def test_who_is_killed_while_stripe_is_asked_leaves_one_refund(
    app: Router,
    database: Database,
    clock: Clock,
    stripe: FakeStripe,
    mailbox: Mailbox,
    command: list[object],
    tmp_path: Path,
    line: str,
    when: str,
    made: int,
) -> None:
    hanging = stripe.hang(line, when=when)
    process = start(pillarbox(*command), tmp_path / "log")
    stripe.faults.wait_for(hanging)
    process.kill()
    process.wait()
    hanging.drop()
    assert len(stripe.refunds) == made
    assert [refund.state for refund in refunds_in(database)] == ["requested"]

    finished_once(app, database, clock, stripe, mailbox)


@pytest.mark.parametrize(
    ("module", "function", "state"),
    [
        ("app.shop.payments.refunds", "settle_refund", "requested"),
        ("app.shop.payments.settle_refund", "issue", "requested"),
        ("app.shop.payments.settle_refund", "send_refund_receipt", "requested"),
        ("app.commands.refund", "_tell", "succeeded"),
    ],
)
def test_who_is_killed_with_stripes_answer_leaves_one_refund(
    app: Router,
    database: Database,
    clock: Clock,
    stripe: FakeStripe,
    mailbox: Mailbox,
    command: list[object],
    tmp_path: Path,
    module: str,
    function: str,
    state: str,
) -> None:
    dies = death(module, function, after=False)
    process = start(pillarbox(*command, setup=dies), tmp_path / "log")
    assert process.wait(60) == -9, (tmp_path / "log").read_text()
    assert [refund.state for refund in refunds_in(database)] == [state]

    finished_once(app, database, clock, stripe, mailbox)


STRIPE_REFUNDS = death(
    "app.shop.payments.stripe", "refund", after=True, holder="module.StripeProvider"
)
BY_A_WORKER = {
    "after the claim": death("app.shop.payments.reconcile", "_claim_refund", after=True),
    "with Stripe's answer": STRIPE_REFUNDS,
    "before the commit": death("app.shop.payments.refunds", "settle_refund", after=True),
    "after the commit": death("app.shop.payments.reconcile", "ask_for_refund", after=True),
}
IN_A_WEBHOOK = {
    "before the commit": death("app.shop.payments.provider_refunds", "settle_refund", after=True),
    "after the commit": death("app.shop.payments.webhook", "take_provider_refund", after=True),
}
IN_A_WITHDRAWAL = {
    "before the statement's commit": death("app.shop.withdrawal", "receive", after=True),
    "with Stripe's answer": STRIPE_REFUNDS,
    "after the refund's commit": death("app.shop.payments.refunds", "ask_for_refund", after=True),
}


def each_on_sqlite(steps: Iterable[str], on_postgresql: str) -> pytest.MarkDecorator:
    """Run a test for each step on SQLite, and for one of them on PostgreSQL."""
    runs = [*(("sqlite", step) for step in steps), ("postgresql", on_postgresql)]
    return pytest.mark.parametrize(("database_url", "step"), runs, indirect=["database_url"])


@pytest.mark.long
@pytest.mark.usefixtures("number")
@each_on_sqlite(BY_A_WORKER, "with Stripe's answer")
def test_a_worker_that_dies_while_it_refunds_leaves_one_refund(
    app: Router,
    database: Database,
    clock: Clock,
    stripe: FakeStripe,
    mailbox: Mailbox,
    ini: Path,
    tmp_path: Path,
    step: str,
) -> None:
    requested_refund(app.registry, 500)

    process = start(pillarbox("deliver", ini, setup=BY_A_WORKER[step]), tmp_path / "log")

    assert process.wait(60) == -9, (tmp_path / "log").read_text()
    is_committed = step == "after the commit"
    [refund] = refunds_in(database)
    assert refund.state == ("succeeded" if is_committed else "requested")
    finished_once(app, database, clock, stripe, mailbox)


@pytest.mark.long
@pytest.mark.usefixtures("number")
@each_on_sqlite(IN_A_WEBHOOK, "before the commit")
def test_a_server_that_dies_in_the_webhook_of_a_refund_settles_it_once(
    app: Router,
    database: Database,
    clock: Clock,
    stripe: FakeStripe,
    mailbox: Mailbox,
    ini: Path,
    port: int,
    tmp_path: Path,
    step: str,
) -> None:
    stripe.next_refund("pending")
    refund(app.registry, 500)
    # The server's own reconciler has nothing to ask about then.
    reconcile(app.registry, is_daily_due=True)
    stripe.change_refund(stripe.refunds[0]["id"], "succeeded")
    assert [refund.state for refund in refunds_in(database)] == ["pending"]

    command = pillarbox("serve", ini, setup=IN_A_WEBHOOK[step])
    with running(command, tmp_path / "log", lambda: is_listening(port)) as process:
        assert 0 in stripe.deliver(post_to(f"http://127.0.0.1:{port}/webhooks/stripe"))
        assert process.wait(10) == -9

    # Stripe tries again, and gets an answer.
    browser = another_browser(app)
    for body, headers in map(stripe.signed, stripe.waiting.events * 2):
        browser.post("/webhooks/stripe", body, headers, status=200)
    finished_once(app, database, clock, stripe, mailbox)


@pytest.mark.long
@each_on_sqlite(IN_A_WITHDRAWAL, "before the statement's commit")
def test_a_server_that_dies_in_a_withdrawal_acknowledges_and_refunds_once(
    app: Router,
    database: Database,
    clock: Clock,
    stripe: FakeStripe,
    mailbox: Mailbox,
    number: str,
    ini: Path,
    port: int,
    tmp_path: Path,
    step: str,
) -> None:
    browser = another_browser(app)
    form = browser.get("/withdraw").forms[0]
    form["name"], form["order"], form["email"] = "Anna", number, ANNA
    statement = form.submit(status=303).follow().forms[0]

    command = pillarbox("serve", ini, setup=IN_A_WITHDRAWAL[step])
    with running(command, tmp_path / "log", lambda: is_listening(port)) as process:
        assert ask(browser, port, "POST", "/withdraw/confirm", statement.submit_fields()) is None
        assert process.wait(10) == -9
    is_committed = step != "before the statement's commit"
    assert count(database, Withdrawal) == len(refunds_in(database)) == is_committed

    # The customer got no answer, and presses the button again.
    statement.submit(status=303)
    finished_once(app, database, clock, stripe, mailbox, ALL)
    assert [withdrawal.state for withdrawal in rows(database, Withdrawal)] == ["accepted"]
    assert len(mailbox.all(kind="withdrawal_received")) == 1
