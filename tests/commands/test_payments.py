"""``pillarbox payments``: the check before going live, and the decisions about held payments."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import delete, select, update

from app.database.clock import utc_clock
from app.database.engine import Database
from app.shop.models import File, Order, Payment, Product, Refund, RefundState, Seller, TaxRate
from app.shop.payments.asking import check_payment
from app.shop.payments.stripe_checks import PERMISSIONS
from app.shop.payments.webhook import EVENTS
from app.web.background import background_request
from tests.support.application import MakeApp
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.orders import place
from tests.support.paid_orders import buyer
from tests.support.pillarbox_command import Pillarbox
from tests.support.shop_settings import write_ini
from tests.support.stripe import LIVE_KEY, FakeStripe

WEBHOOK = "https://shop.example.org/webhooks/stripe"
Hold = Callable[..., Payment]


@pytest.fixture
def clock() -> Clock:
    """The command goes by the real time, so the application does too."""
    clock = Clock()
    clock.now = utc_clock()
    return clock


@pytest.fixture
def values(settings_values: dict[str, str], stripe: FakeStripe, tmp_path: Path) -> dict[str, str]:
    """Settings of a shop that takes its money by our fake of Stripe."""
    own = {"site.base_url": "https://shop.example.org", "shop.files": str(tmp_path / "files")}
    return settings_values | stripe.settings() | own


@pytest.fixture
def ini(tmp_path: Path, values: dict[str, str]) -> Path:
    return write_ini(tmp_path / "shop.ini", values)


@pytest.fixture
def app(make_app: MakeApp, values: dict[str, str]) -> Router:
    """The application of the .ini file."""
    return make_app(values)


@pytest.fixture
def ready(app: Router, database: Database, stripe: FakeStripe, tmp_path: Path) -> FakeStripe:
    """A shop that is ready to take money, and its Stripe."""
    buyer(database)
    (tmp_path / "files").mkdir()
    with database.transaction(write=False) as session:
        for file in session.scalars(select(File)):
            (tmp_path / "files" / file.sha256).write_bytes(b"x" * file.size)
    stripe.add_webhook(WEBHOOK, EVENTS)
    return stripe


@pytest.fixture
def hold(app: Router, database: Database, stripe: FakeStripe) -> Hold:
    """Orders envelopes for 9.80 and pays them at Stripe, whose session then says something else:
    ``hold(amount_total=1)``.
    """

    def hold(**told: Any) -> Payment:
        payment = place(app.registry, buyer(database), {"envelopes": 1}, basket_id="basket")
        session = stripe.sessions[-1]
        stripe.pay(session["id"])
        session |= told
        check_payment(background_request(app.registry, "test"), payment, by="test")
        with database.transaction(write=False) as session:
            return session.get_one(Payment, payment.id)

    return hold


def problems(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("problem")]


# --- check --------------------------------------------------------------------


def test_a_shop_that_is_ready_is_told_so(
    pillarbox: Pillarbox, ini: Path, ready: FakeStripe
) -> None:
    output = pillarbox("payments", ini, "check").output

    assert not problems(output)
    assert output.endswith("All is well.\n")
    for fact in (
        "mode        test: the key is a test key, and nothing is charged",
        "key         Stripe accepts it",
        "permission  Checkout Sessions: Write",
        "permission  Charges and Refunds: Write",
        f"webhook     {WEBHOOK} is enabled and sends all {len(EVENTS)} events",
        "events      1 signing secret; none has come yet",
        "API version 2026-",
        "seller      Pillarbox (DE), prices in EUR",
        "everything is sold to 27 countries",
    ):
        assert fact in output, fact


def test_the_check_changes_nothing_at_stripe(
    pillarbox: Pillarbox, ini: Path, ready: FakeStripe
) -> None:
    pillarbox("payments", ini, "check")

    assert ready.requests
    assert not ready.sessions
    assert not ready.refunds


@on_sqlite
def test_a_key_that_stripe_refuses_ends_the_questions(
    pillarbox: Pillarbox, ini: Path, ready: FakeStripe
) -> None:
    ready.api.refuses_keys = True

    output = pillarbox("payments", ini, "check", code=1).output

    assert len(problems(output)) == 1
    assert "key         Stripe does not accept it" in output
    assert "payments.stripe_secret_key" in output
    assert "permission" not in output
    assert "1 thing to correct" in output
    assert "sk_test_51Pillarbox" not in output


@on_sqlite
def test_a_stripe_that_cannot_be_reached_is_said(
    pillarbox: Pillarbox, ini: Path, ready: FakeStripe
) -> None:
    ready.refuse_connections()

    output = pillarbox("payments", ini, "check", code=1).output

    assert "Stripe does not answer (APIConnectionError, no answer)" in output
    assert "Allow this machine to open HTTPS connections to api.stripe.com" in output


@on_sqlite
@pytest.mark.parametrize(
    ("line", "missing", "cure"),
    [
        ("POST /v1/checkout/*", "Checkout Sessions: Write", "set Checkout Sessions to Write"),
        ("* /v1/payment_intents*", "PaymentIntents: Read", "set PaymentIntents to Read"),
        ("POST /v1/refunds", "Charges and Refunds: Write", "set Charges and Refunds to Write"),
        ("GET /v1/charges*", "Charges and Refunds: Read", "set Charges and Refunds to Read"),
        ("* /v1/disputes*", "Disputes: Read", "set Disputes to Read"),
    ],
)
def test_a_permission_that_the_key_lacks_is_named(
    pillarbox: Pillarbox, ini: Path, ready: FakeStripe, line: str, missing: str, cure: str
) -> None:
    ready.api.lacks.add(line)

    output = pillarbox("payments", ini, "check", code=1).output

    [problem] = problems(output)
    assert f"{missing} is missing" in problem
    assert cure in output


@on_sqlite
@pytest.mark.parametrize(
    ("url", "events", "status", "problem"),
    [
        (
            "https://shop.example.org/stripe",
            EVENTS,
            "enabled",
            f"no endpoint with the address {WEBHOOK}",
        ),
        (WEBHOOK, EVENTS, "disabled", f"{WEBHOOK} is disabled, so Stripe sends no events"),
        (WEBHOOK, EVENTS[:-2], "enabled", f"{WEBHOOK} does not send {', '.join(EVENTS[-2:])}"),
        (WEBHOOK, ["*"], "enabled", ""),
    ],
)
def test_a_webhook_endpoint_that_would_miss_something_is_named(
    pillarbox: Pillarbox,
    ini: Path,
    ready: FakeStripe,
    url: str,
    events: list[str],
    status: str,
    problem: str,
) -> None:
    ready.state.objects["webhook_endpoint"].clear()
    ready.add_webhook(url, events, status)

    output = pillarbox("payments", ini, "check", code=1 if problem else 0).output

    assert [problem in line for line in problems(output)] == ([True] if problem else [])


@on_sqlite
def test_of_two_endpoints_one_that_is_right_is_enough(
    pillarbox: Pillarbox, ini: Path, ready: FakeStripe
) -> None:
    ready.add_webhook(WEBHOOK, EVENTS, "disabled")

    pillarbox("payments", ini, "check")


@on_sqlite
def test_webhook_endpoints_that_cannot_be_read_are_a_problem(
    pillarbox: Pillarbox, ini: Path, ready: FakeStripe
) -> None:
    ready.api.lacks.add("* /v1/webhook_endpoints*")

    output = pillarbox("payments", ini, "check", code=1).output

    assert "the key may not read the webhook endpoints" in output
    assert "set Webhook Endpoints to Read" in output


@on_sqlite
def test_a_machine_that_stripe_cannot_reach_is_told_of_the_command_that_helps(
    pillarbox: Pillarbox, tmp_path: Path, values: dict[str, str], ready: FakeStripe
) -> None:
    here = write_ini(tmp_path / "here.ini", values | {"site.base_url": "http://localhost:6543"})

    output = pillarbox("payments", here, "check", code=1).output

    assert "stripe listen --forward-to http://localhost:6543/webhooks/stripe" in output


@on_sqlite
def test_a_live_key_in_development_is_a_problem(
    pillarbox: Pillarbox,
    tmp_path: Path,
    values: dict[str, str],
    ready: FakeStripe,
) -> None:
    ready.add_webhook(WEBHOOK, EVENTS, livemode=True)
    live = values | ready.settings(key=LIVE_KEY)

    output = pillarbox("payments", write_ini(tmp_path / "live.ini", live), "check", code=1).output

    [problem] = problems(output)
    assert "this development shop takes real money" in problem


@on_sqlite
def test_a_shop_without_a_file_is_told_to_import_one(
    pillarbox: Pillarbox, ini: Path, database: Database, ready: FakeStripe
) -> None:
    with database.transaction(write=True) as session:
        session.execute(delete(Seller))

    output = pillarbox("payments", ini, "check", code=1).output

    assert "seller      nobody sells yet, so the checkout is closed" in output
    assert "pillarbox shop INI import FILE" in output


@on_sqlite
def test_products_rates_and_files_are_checked(
    pillarbox: Pillarbox, ini: Path, database: Database, ready: FakeStripe, tmp_path: Path
) -> None:
    first, second, *_ = sorted(os.listdir(tmp_path / "files"))
    (tmp_path / "files" / first).unlink()
    (tmp_path / "files" / second).write_bytes(b"longer than it was")
    with database.transaction(write=True) as session:
        session.execute(delete(TaxRate).where(TaxRate.tax_class == "reduced"))

    output = pillarbox("payments", ini, "check", code=1).output

    assert len(problems(output)) == 2
    assert "tax rates   no country has a rate today for the class reduced" in output
    assert f"files are missing in {tmp_path / 'files'}, or have another size" in output
    assert first[:12] in output
    assert second[:12] in output

    with database.transaction(write=True) as session:
        session.execute(update(Product).values(is_available=False))
    assert "products    nothing is sold" in pillarbox("payments", ini, "check", code=1).output


@on_sqlite
def test_the_test_provider_is_named(
    pillarbox: Pillarbox, tmp_path: Path, settings_values: dict[str, str], ready: FakeStripe
) -> None:
    own = settings_values | {"shop.files": str(tmp_path / "files")}

    output = pillarbox("payments", write_ini(tmp_path / "test.ini", own), "check").output

    assert "provider    test: every payment is a test, and nothing is charged" in output
    assert "seller      Pillarbox" in output
    assert not ready.requests


def test_the_documentation_names_the_same_events_and_permissions() -> None:
    page = (Path(__file__).parents[2] / "docs" / "payments.md").read_text(encoding="utf-8")

    listed = page.partition("and these events:\n\n   ```\n")[2].partition("   ```")[0]
    assert tuple(listed.split()) == EVENTS
    for permission in PERMISSIONS:
        assert f"| {permission.name} | " in page
    assert "| Webhook Endpoints | Read |" in page


# --- list ---------------------------------------------------------------------


def test_the_list_shows_held_payments_and_why(
    pillarbox: Pillarbox, ini: Path, database: Database, hold: Hold
) -> None:
    assert "No payment is held" in pillarbox("payments", ini, "list").output
    payment = hold(amount_total=1)

    heads, row = pillarbox("payments", ini, "list").output.splitlines()

    with database.transaction(write=False) as session:
        number = session.scalars(select(Order.number)).one()
    assert heads.split() == ["ORDER", "PAYMENT", "STATE", "AMOUNT", "SINCE", "(UTC)", "WHY"]
    assert row.startswith(f"{number}  {payment.id}  held   €0.01 ")
    assert row.endswith("€0.01 came, €9.80 was asked")


def test_the_longer_list_shows_what_is_not_settled(
    pillarbox: Pillarbox, ini: Path, app: Router, database: Database, stripe: FakeStripe
) -> None:
    payment = place(app.registry, buyer(database), {"envelopes": 1}, basket_id="basket")
    with database.transaction(write=True) as session:
        for state, failure in (
            (RefundState.FAILED, "lost_or_stolen_card"),
            (RefundState.PENDING, None),
        ):
            session.add(
                Refund(
                    id=state,
                    order_id=payment.order_id,
                    payment_id=payment.id,
                    amount=100,
                    currency="EUR",
                    origin="shop",
                    state=state,
                    failure=failure,
                    requested_by="test",
                    created_at=app.registry.clock(),
                )
            )

    short = pillarbox("payments", ini, "list").output
    assert "lost_or_stolen_card" in short
    assert payment.id not in short
    assert "pending" not in short
    longer = pillarbox("payments", ini, "list", "--all").output
    assert f"{payment.id}  pending" in longer
    assert longer.count("pending") == 3


@on_sqlite
def test_the_list_shows_open_disputes(
    pillarbox: Pillarbox, ini: Path, app: Router, database: Database, stripe: FakeStripe
) -> None:
    from app.shop.payments.disputes import take_dispute

    payment = place(app.registry, buyer(database), {"envelopes": 1}, basket_id="basket")
    stripe.pay(stripe.sessions[0]["id"])
    request = background_request(app.registry, "test")
    check_payment(request, payment, by="test")
    dispute = stripe.dispute(stripe.intents[0]["id"])
    found = app.registry.payment_provider.fetch_dispute(dispute["id"])
    take_dispute(request, found, event=("evt_1", "charge.dispute.created"))

    output = pillarbox("payments", ini, "list").output

    assert output.startswith("Open dispute since ")
    assert f"dispute={dispute['id']}" in output


# --- release ------------------------------------------------------------------


def test_without_an_option_the_payment_is_described_and_nothing_changes(
    pillarbox: Pillarbox, ini: Path, database: Database, hold: Hold
) -> None:
    payment = hold(amount_total=900)

    output = pillarbox("payments", ini, "release", payment.id, code=2).output

    assert "is held." in output
    assert "€9.00 came, €9.80 was asked" in output
    assert "--pay" in output
    assert "--refund" in output
    with database.transaction(write=False) as session:
        assert session.scalars(select(Payment.state)).one() == "held"


def test_a_held_payment_pays_the_order(
    pillarbox: Pillarbox, ini: Path, database: Database, hold: Hold
) -> None:
    payment = hold(amount_total=900)

    output = pillarbox("payments", ini, "release", payment.id, "--pay").output

    with database.transaction(write=False) as session:
        order = session.scalars(select(Order)).one()
        assert order.state == "paid"
        assert f"Order {order.number} is paid. Its receipt {order.receipt.full_number}" in output
    assert "is over €9.80" in output
    assert "€9.00 came, which is €0.80 less." in output
    again = pillarbox("payments", ini, "release", payment.id, "--refund", code=1).output
    assert "is paid, not held" in again
    assert "Nothing was changed." in again


def test_a_held_payment_goes_back(
    pillarbox: Pillarbox, ini: Path, database: Database, hold: Hold, stripe: FakeStripe
) -> None:
    payment = hold(amount_total=900)

    output = pillarbox("payments", ini, "release", payment.id, "--refund").output

    assert "€9.00 of order" in output
    assert "went back to the customer." in output
    assert [refund["amount"] for refund in stripe.refunds] == [900]
    assert "No payment is held" in pillarbox("payments", ini, "list").output


@on_sqlite
def test_a_refund_that_takes_its_time_or_fails_is_said(
    pillarbox: Pillarbox, ini: Path, hold: Hold, stripe: FakeStripe
) -> None:
    payment = hold(amount_total=900)
    stripe.fail("POST /v1/refunds", 402)

    failed = pillarbox("payments", ini, "release", payment.id, "--refund", code=1).output
    assert "did not go back" in failed

    stripe.next_refund("pending")
    slow = pillarbox("payments", ini, "release", payment.id, "--refund").output
    assert "goes back to the customer, as soon as the provider has done it" in slow


@on_sqlite
def test_a_provider_that_does_not_answer_changes_nothing(
    pillarbox: Pillarbox, ini: Path, hold: Hold, stripe: FakeStripe
) -> None:
    payment = hold(amount_total=900)
    stripe.refuse_connections()

    output = pillarbox("payments", ini, "release", payment.id, "--pay", code=1).output

    assert "could not be asked" in output
    assert "Nothing was changed." in output
