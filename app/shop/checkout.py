"""Placing an order: a basket becomes an order, once."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import Account
from app.database.base import insert_for
from app.settings.declarations import Site
from app.shop.basket import PricedBasket
from app.shop.models import Order, OrderLine, OrderState, OrderTax, Seller
from app.shop.order_numbers import new_order_number


def placed_order(session: Session, basket_id: str) -> Order | None:
    """The order that the basket has become, or None."""
    return session.scalars(select(Order).where(Order.basket_id == basket_id)).one_or_none()


def last_order(session: Session, account_id: int) -> Order | None:
    """The customer's latest order, whose name and address prefill the next one; or None."""
    return session.scalars(
        select(Order)
        .where(Order.account_id == account_id)
        .order_by(Order.created_at.desc(), Order.id.desc())
        .limit(1)
    ).one_or_none()


def place_order(
    session: Session,
    basket: PricedBasket,
    account: Account,
    *,
    name: str,
    address: str,
    site: Site,
    now: datetime,
) -> Order:
    """Write the order of ``basket`` with snapshots of all that it says (STANDARDS D2).

    ``name`` and ``address`` are the buyer's, as the receipt shows them.

    When several requests send the same basket, one of them writes the order, and all of them get
    that order (D1).
    """
    sums = basket.sums
    seller = session.get_one(Seller, 1)
    order: Order | None = session.scalars(
        insert_for(session, Order)
        .values(
            number=new_order_number(),
            basket_id=basket.id,
            account_id=account.id,
            state=OrderState.OPEN,
            created_at=now,
            seller_name=site.name,
            seller_address=seller.address,
            seller_vat_id=seller.vat_id,
            seller_support_email=site.support_email,
            seller_statement_name=seller.statement_name,
            buyer_name=name,
            buyer_address=address,
            buyer_email=account.address,
            locale=account.locale,
            body_format=account.body_format,
            currency=basket.currency,
            net=sums.net,
            vat=sums.vat,
            total=sums.total,
        )
        .on_conflict_do_nothing(index_elements=["basket_id"])
        .returning(Order)
    ).one_or_none()
    if order is None:
        return session.scalars(select(Order).where(Order.basket_id == basket.id)).one()
    session.add_all(
        OrderLine(
            order_id=order.id,
            position=position,
            slug=line.slug,
            name=line.name,
            quantity=line.quantity,
            unit_price=line.unit_price,
            vat_rate=line.vat_rate,
            total=line.total,
        )
        for position, line in enumerate(basket.lines)
    )
    session.add_all(
        OrderTax(order_id=order.id, rate=tax.rate, net=tax.net, vat=tax.vat, gross=tax.gross)
        for tax in sums.taxes
    )
    session.flush()
    return order
