"""``pillarbox refund`` is killed with -9 at each step. Then there is one refund at Stripe, with one
document and one email.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyramid.router import Router

from app.database.clock import utc_clock
from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Payment
from app.shop.payments.asking import check_payment
from app.shop.payments.reconcile import PERIOD, reconcile
from app.web.background import background_request
from tests.support.application import MakeApp
from tests.support.clock import Clock
from tests.support.orders import place
from tests.support.paid_orders import (
    TWO_LINES,
    buyer,
    payment_in,
    refund_documents_in,
    refunds_in,
)
from tests.support.server_process import pillarbox, start
from tests.support.shop_settings import write_ini
from tests.support.stripe import FakeStripe


@pytest.fixture
def clock() -> Clock:
    """The killed process goes by the real time, so the application does too."""
    clock = Clock()
    clock.now = utc_clock()
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
def command(
    app: Router, database: Database, values: dict[str, str], stripe: FakeStripe, tmp_path: Path
) -> list[object]:
    """What refunds 5.00 of a paid order."""
    payment = place(app.registry, buyer(database), TWO_LINES, basket_id="basket")
    stripe.pay(payment.session or "")
    check_payment(background_request(app.registry, "test"), payment, by="test")
    with database.transaction(write=False) as session:
        number = session.get_one(Payment, payment.id).order.number
    return ["refund", write_ini(tmp_path / "shop.ini", values), number, "--amount", "5.00"]


def finished_once(
    app: Router, database: Database, clock: Clock, stripe: FakeStripe, mailbox: Mailbox
) -> None:
    """Let the reconciler finish what the killed process began, and count what came of it."""
    assert len(refunds_in(database)) == 1
    assert payment_in(database).refunded == 500
    for _ in range(2):
        clock.now = max(clock.now, utc_clock()) + PERIOD
        reconcile(app.registry, is_daily_due=True)
    assert [refund["amount"] for refund in stripe.refunds] == [500]
    assert [refund.state for refund in refunds_in(database)] == ["succeeded"]
    assert payment_in(database).refunded == 500
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
    dies = f"""
import importlib, os, signal
import app.commands.refund
module = importlib.import_module({module!r})
module.{function} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
"""
    process = start(pillarbox(*command, setup=dies), tmp_path / "log")
    assert process.wait(60) == -9, (tmp_path / "log").read_text()
    assert [refund.state for refund in refunds_in(database)] == [state]

    finished_once(app, database, clock, stripe, mailbox)
