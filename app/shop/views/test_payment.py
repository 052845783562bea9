"""The test provider's payment page. A real provider has its page on its own site.

Each button does what can happen on the page of a real provider.
"""

from datetime import timedelta
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
from app.web.forms import Form
from app.web.translation import _

Page = dict[str, Any]

DELAY = timedelta(minutes=1)
"""How long a payment is under way that does not succeed or fail at once."""


@view_config(
    route_name="test_payment",
    request_method="GET",
    permission=SIGNED_IN,
    renderer="shop/test_payment.jinja2",
)
def test_payment(request: Request) -> Page | Response:
    """Show the amount, and a button for each thing that can happen."""
    number, result = _fetch(request)
    if result.outcome is PaymentOutcome.PENDING:
        return {"number": number, "charge": result, "is_closed": False}
    if result.outcome is PaymentOutcome.PAID and "closed" in request.GET:
        return {"number": number, "charge": result, "is_closed": True}
    return _back(request, number)


@view_config(
    route_name="test_payment",
    request_method="POST",
    permission=SIGNED_IN,
    renderer="shop/test_payment.jinja2",
)
def decide(request: Request) -> Page | Response:
    """Do what the button says, and redirect to the order, whose page asks the provider for the
    result. A declined card leaves the payment pending and the page open.
    """
    number, result = _fetch(request)
    payment = request.matchdict["payment"]
    provider: TestProvider = request.registry.payment_provider
    match request.POST.get("decision", ""):
        case "pay":
            provider.decide(payment, PaymentOutcome.PAID)
        case "pay_later":
            _decide_later(request, PaymentOutcome.PAID)
        case "fail_later":
            _decide_later(request, PaymentOutcome.FAILED)
        case "close":
            provider.decide(payment, PaymentOutcome.PAID)
            closed = request.route_path("test_payment", payment=payment, _query={"closed": "1"})
            return HTTPSeeOther(closed)
        case "decline":
            if result.outcome is PaymentOutcome.PENDING:
                return _declined(request, number, result)
        case _:
            raise HTTPBadRequest()
    return _back(request, number)


def _decide_later(request: Request, outcome: PaymentOutcome) -> None:
    request.registry.payment_provider.decide(
        request.matchdict["payment"],
        PaymentOutcome.PROCESSING,
        settles_as=outcome,
        settles_at=request.now + DELAY,
    )


def _declined(request: Request, number: str, result: PaymentResult) -> Page:
    form = Form(request)
    form.form_errors = [_("The card was declined. Try again or choose another.")]
    request.response.status_int = 422
    return {"number": number, "charge": result, "is_closed": False, "form": form}


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
