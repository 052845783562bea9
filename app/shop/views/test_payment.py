"""The test provider's payment page. A real provider has its page on its own site."""

from typing import Any

from pyramid.httpexceptions import HTTPBadRequest, HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.accounts.permissions import SIGNED_IN
from app.database import short_transaction
from app.shop.models import Order, Payment
from app.shop.payments.provider import PaymentOutcome, PaymentResult
from app.shop.payments.test import TestProvider

DECISIONS = {"pay": PaymentOutcome.PAID, "decline": PaymentOutcome.FAILED}


@view_config(
    route_name="test_payment",
    request_method="GET",
    permission=SIGNED_IN,
    renderer="shop/test_payment.jinja2",
)
def test_payment(request: Request) -> dict[str, Any] | Response:
    """Show the amount, and a button each to pay and to decline."""
    number, result = _fetch(request)
    if result.outcome is not PaymentOutcome.PENDING:
        return _back(request, number)
    return {"number": number, "charge": result}


@view_config(route_name="test_payment", request_method="POST", permission=SIGNED_IN)
def decide(request: Request) -> Response:
    """Pay or decline, and redirect to the order, whose page asks the provider for the result."""
    number, _result = _fetch(request)
    outcome = DECISIONS.get(request.POST.get("decision", ""))
    if outcome is None:
        raise HTTPBadRequest()
    request.registry.payment_provider.decide(request.matchdict["payment"], outcome)
    return _back(request, number)


def _fetch(request: Request) -> tuple[str, PaymentResult]:
    """The order's number, and the provider's result for the customer's own payment; another
    customer's gives 404.
    """
    with short_transaction(request.registry, write=False) as session:
        payment = session.scalars(
            select(Payment)
            .join(Order)
            .where(
                Payment.id == request.matchdict["payment"],
                Payment.provider == TestProvider.name,
                Order.account_id == request.account.id,
            )
            .options(joinedload(Payment.order))
        ).one_or_none()
    if payment is None or payment.session is None:
        raise HTTPNotFound()
    provider: TestProvider = request.registry.payment_provider
    return payment.order.number, provider.fetch(payment.session)


def _back(request: Request, number: str) -> HTTPSeeOther:
    return HTTPSeeOther(request.route_path("order", number=number, _query={"returned": "1"}))
