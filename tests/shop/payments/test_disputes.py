"""Disputes: recorded with their date, told to the shop's own people once, to the customer never."""

from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Payment, ShopEvent
from app.shop.payments.disputes import open_disputes
from tests.shop.payments.conftest import Post
from tests.support.shopping import order, orders_in, put_into_basket
from tests.support.stripe import FakeStripe, Json


@pytest.fixture
def intent(customer: TestApp, database: Database, stripe: FakeStripe, webhook: Post) -> str:
    """Stripe's name for the payment of a paid order of 9.80."""
    put_into_basket(customer, "envelopes")
    order(customer)
    stripe.pay(stripe.sessions[0]["id"])
    stripe.deliver(webhook)
    with database.transaction(write=False) as session:
        found = session.scalars(select(Payment.intent)).one()
    assert found is not None
    return found


def told(database: Database) -> list[tuple[str, str]]:
    """The kind and detail of each event of a dispute."""
    with database.transaction(write=False) as session:
        events = session.scalars(select(ShopEvent).order_by(ShopEvent.id)).all()
    return [(event.kind, event.detail) for event in events if event.kind.startswith("dispute")]


def test_a_dispute_is_recorded_and_told_to_staff_with_its_date(
    database: Database,
    mailbox: Mailbox,
    stripe: FakeStripe,
    webhook: Post,
    intent: str,
    app: Router,
) -> None:
    before = len(mailbox.all())
    dispute = stripe.dispute(intent, reason="product_not_received")

    assert stripe.deliver(webhook) == [200]

    [(kind, detail)] = told(database)
    assert kind == "dispute opened"
    assert f"dispute={dispute['id']} payment=" in detail
    assert "amount=980 EUR state=needs_response reason=product_not_received answer_by=" in detail
    assert "answer_by=none" not in detail
    emails = mailbox.all()[before:]
    assert [email.kind for email in emails] == ["shop_notice"]
    notice = mailbox.latest(kind="shop_notice")
    assert notice.recipient == app.registry.pillarbox.site.support_email
    number = orders_in(database)[0].number
    assert notice.subject == f"Dispute opened about order {number}"
    for fact in ("€9.80", dispute["id"], "Answer by", "product_not_received"):
        assert fact in notice.text_body, fact
    with database.transaction(write=False) as session:
        assert len(open_disputes(session)) == 1


@pytest.mark.parametrize("how", [{"times": 3}, {"reverse": True}, {"reverse": True, "times": 2}])
def test_a_dispute_and_its_end_are_told_once_in_any_order(
    database: Database,
    mailbox: Mailbox,
    stripe: FakeStripe,
    webhook: Post,
    intent: str,
    how: dict[str, Any],
) -> None:
    dispute = stripe.dispute(intent)
    stripe.close_dispute(dispute["id"], "lost")

    assert set(stripe.deliver(webhook, **how)) == {200}

    assert [kind for kind, _detail in told(database)] == ["dispute opened", "dispute closed"]
    assert "state=lost" in told(database)[1][1]
    assert len(mailbox.all(kind="shop_notice")) == 1
    with database.transaction(write=False) as session:
        assert not open_disputes(session)


def test_the_end_of_a_dispute_sends_no_second_email(
    database: Database, mailbox: Mailbox, stripe: FakeStripe, webhook: Post, intent: str
) -> None:
    dispute: Json = stripe.dispute(intent)
    stripe.deliver(webhook)
    stripe.close_dispute(dispute["id"], "won")
    stripe.deliver(webhook)

    assert [kind for kind, _detail in told(database)] == ["dispute opened", "dispute closed"]
    assert len(mailbox.all(kind="shop_notice")) == 1


def test_a_dispute_about_a_payment_of_another_shop_is_none_of_ours(
    database: Database, mailbox: Mailbox, stripe: FakeStripe, webhook: Post, intent: str
) -> None:
    with database.transaction(write=True) as session:
        session.scalars(select(Payment)).one().intent = "pi_of_another"
    stripe.dispute(intent)

    assert stripe.deliver(webhook) == [200]

    assert not told(database)
    assert not mailbox.all(kind="shop_notice")
