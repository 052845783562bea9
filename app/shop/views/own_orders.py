"""The customer's own order, as the pages of an order find it."""

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.shop.models import Order
from app.shop.order_numbers import read_order_number


def number_of(request: Request) -> str:
    """The order number in the address, in its standard form. Raises 404 if it is none."""
    number = read_order_number(request.matchdict["number"])
    if number is None:
        raise HTTPNotFound()
    return number


def own_order(request: Request, session: Session, number: str) -> Order:
    """The customer's own order; another customer's gives 404 (STANDARDS D11)."""
    found = session.scalars(
        select(Order)
        .where(Order.number == number, Order.account_id == request.account.id)
        .options(
            selectinload(Order.lines),
            selectinload(Order.taxes),
            selectinload(Order.payments),
            selectinload(Order.documents),
        )
    ).one_or_none()
    if found is None:
        raise HTTPNotFound()
    return found
