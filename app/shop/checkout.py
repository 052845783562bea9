"""Placing an order: a basket becomes an order, once."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import Account
from app.database.base import insert_for
from app.shop import money
from app.shop.basket import BasketLine, PricedBasket
from app.shop.models import Order, OrderLine, OrderState, OrderTax, Seller
from app.shop.order_numbers import new_order_number
from app.shop.tax import TaxRates

WITHDRAWAL_DAYS = 14
"""Directive 2011/83/EU, Article 9(1)."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """What a buyer enters at the checkout. ``address`` has line breaks, or is empty."""

    name: str
    country: str
    address: str
    starts_now: bool
    """Whether the downloads start at once, which ends the right of withdrawal."""


@dataclass(frozen=True, slots=True)
class TaxedLine:
    """A line of the basket with the rate that it has in the buyer's country, in basis points."""

    line: BasketLine
    vat_rate: int

    @property
    def total(self) -> int:
        """The line's amount in minor units."""
        return self.line.total


def taxed(basket: PricedBasket, rates: TaxRates, country: str) -> tuple[TaxedLine, ...] | None:
    """The basket's lines with their rates; None when something is not sold to the country."""
    lines = []
    for line in basket.lines:
        rate = rates.rate(line.product.tax_class, country) if line.product else None
        if rate is None:
            return None
        lines.append(TaxedLine(line, rate))
    return tuple(lines)


def withdrawal_ends_at(ordered_at: datetime, zone: tzinfo) -> datetime:
    """The end of the fourteenth day after the day of the order, by the clocks of ``zone``."""
    day = ordered_at.astimezone(zone).date()
    return datetime.combine(day + timedelta(days=WITHDRAWAL_DAYS + 1), time(), zone)


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
    lines: tuple[TaxedLine, ...],
    account: Account,
    buyer: Buyer,
    seller: Seller,
    *,
    now: datetime,
    zone: tzinfo,
) -> Order:
    """Write the order of ``basket`` with snapshots of all that it says (STANDARDS D2).

    When several requests send the same basket, one of them writes the order, and all of them get
    that order (D1).
    """
    sums = money.totals(lines)
    locale = account.locale
    order: Order | None = session.scalars(
        insert_for(session, Order)
        .values(
            number=new_order_number(),
            basket_id=basket.id,
            account_id=account.id,
            state=OrderState.OPEN,
            created_at=now,
            seller_name=seller.name,
            seller_address=seller.address,
            seller_country=seller.country,
            seller_vat_id=seller.vat_id,
            seller_register=seller.register,
            seller_support_email=seller.email,
            seller_phone=seller.phone,
            seller_statement_name=seller.statement_name,
            vat_sentence=in_language(seller.vat_sentence, locale) if seller.is_exempt else "",
            terms=in_language(seller.terms, locale),
            buyer_name=buyer.name,
            buyer_address=buyer.address,
            buyer_country=buyer.country,
            buyer_email=account.address,
            locale=locale,
            body_format=account.body_format,
            currency=basket.currency,
            net=sums.net,
            vat=sums.vat,
            total=sums.total,
            consent_at=now if buyer.starts_now else None,
            withdrawal_ends_at=withdrawal_ends_at(now, zone),
        )
        .on_conflict_do_nothing(index_elements=["basket_id"])
        .returning(Order)
    ).one_or_none()
    if order is None:
        return session.scalars(select(Order).where(Order.basket_id == basket.id)).one()
    session.add_all(
        _order_line(order, position, taxed_line, locale)
        for position, taxed_line in enumerate(lines)
    )
    session.add_all(
        OrderTax(order_id=order.id, rate=tax.rate, net=tax.net, vat=tax.vat, gross=tax.gross)
        for tax in sums.taxes
    )
    session.flush()
    return order


def _order_line(order: Order, position: int, taxed_line: TaxedLine, locale: str) -> OrderLine:
    line, product = taxed_line.line, taxed_line.line.product
    if product is None:
        raise ValueError(f"the basket's line {position} has no product")
    # The order speaks the customer's language, which need not be the page's.
    text = product.text(locale)
    return OrderLine(
        order_id=order.id,
        position=position,
        slug=line.slug,
        name=text.name,
        format=text.format,
        file_sha256=product.file_sha256,
        file_name=product.file_name,
        quantity=line.quantity,
        unit_price=line.unit_price,
        vat_rate=taxed_line.vat_rate,
        total=line.total,
    )


def in_language(texts: dict[str, str], locale: str) -> str:
    """The text for a reader of ``locale``: in that language, else the first one; ``""`` if none."""
    language = locale.partition("_")[0]
    return texts.get(locale) or texts.get(language) or next(iter(texts.values()), "")
