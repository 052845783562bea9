"""``pillarbox refund``: give the money for an order back, whole or in part."""

import re
from pathlib import Path

import click
from pyramid.registry import Registry
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.commands.application import INI, ready_application
from app.i18n import formats
from app.i18n.languages import SOURCE
from app.shop.models import Order, Payment, PaymentState, Refund, RefundOrigin, RefundState
from app.shop.order_numbers import read_order_number
from app.shop.payments.provider import ProviderError
from app.shop.payments.refundable import (
    CannotRefund,
    MoreThanLeft,
    left_of,
    line_of,
    paid_beside,
    payment_of,
)
from app.shop.payments.refunds import ask_for_refund, request_refund
from app.web.background import background_request

REQUEST_ID = "pillarbox refund"
"""Who asked for the refund, in its row and events."""
MAX_REASON = 500


@click.command(short_help="Refund an order, whole or in part.")
@click.argument("ini", type=INI)
@click.argument("order_number", metavar="ORDER")
@click.option("--line", type=click.IntRange(min=1), help="The order's line; 1 is the first.")
@click.option("--amount", help="How much, such as 5.00. Without it, all that is left.")
@click.option("--reason", default="", help="Why. The customer reads it, in the order's language.")
def refund(ini: Path, order_number: str, line: int | None, amount: str | None, reason: str) -> None:
    """Give the money for ORDER back, by the way that it was paid.

    Without --line and --amount, all that is left of the order is refunded. The customer gets a
    document and an email as soon as the payment provider says that the refund has succeeded.
    """
    number = read_order_number(order_number.strip())
    if number is None:
        raise click.ClickException(
            f"{order_number!r} is not an order number, or has a typing error. Copy it from the"
            " receipt; it looks like 7K3M-9QXW-2TBC."
        )
    position = None if line is None else line - 1
    with ready_application(ini) as registry:
        refund_id = _request(registry, number, position, amount, _checked(reason))
        problem = ask_for_refund(background_request(registry, REQUEST_ID), refund_id)
        _tell(registry, refund_id, problem)


def _checked(reason: str) -> str:
    reason = " ".join(reason.split())
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise click.ClickException(
            f"The reason must have at most {MAX_REASON} characters, all of them visible."
        )
    return reason


def _request(
    registry: Registry, number: str, position: int | None, amount: str | None, reason: str
) -> str:
    """Write the refund, and return its id."""
    request = background_request(registry, REQUEST_ID)
    with registry.database.transaction(write=True) as session:
        order = session.scalars(select(Order).where(Order.number == number)).one_or_none()
        if order is None:
            raise click.ClickException(f"There is no order {number}. Check its number.")
        payment = _payment(order, position)
        try:
            refund = request_refund(
                request,
                session,
                order,
                payment,
                amount=_amount(session, order, payment, position, amount),
                position=position,
                reason=reason,
                origin=RefundOrigin.SHOP,
                by=REQUEST_ID,
            )
        except CannotRefund as problem:
            raise click.ClickException(f"Order {number}: {problem} Nothing was refunded.") from None
        click.echo(_announcement(order, refund))
        return refund.id


def _payment(order: Order, position: int | None) -> Payment:
    beside = paid_beside(order)
    if beside is not None and position is None:
        click.echo(f"Order {order.number} was paid twice. The payment that came later goes back.")
        return beside
    payment = payment_of(order)
    if payment is None and any(held.state == PaymentState.HELD for held in order.payments):
        raise click.ClickException(
            f"The payment of order {order.number} is held. Give it back with `pillarbox payments"
            " INI release`; `pillarbox payments INI list` shows its id."
        )
    if payment is None:
        raise click.ClickException(
            f"Order {order.number} is not paid, so there is nothing to refund. To see whether the"
            " provider has news of it, run `pillarbox reconcile INI`."
        )
    return payment


def _amount(
    session: Session, order: Order, payment: Payment, position: int | None, text: str | None
) -> int:
    """The amount that was typed, or else all that is left, in minor units."""
    if text is not None:
        return _minor_units(text, payment.currency)
    left = left_of(session, order, payment, position)
    if left == 0:
        raise MoreThanLeft(left, payment.currency)
    return left


def _minor_units(text: str, currency: str) -> int:
    decimals = formats.decimals(currency)
    fraction = rf"(?:\.[0-9]{{{decimals}}})?" if decimals else ""
    if re.fullmatch(rf"[0-9]{{1,10}}{fraction}", text, re.ASCII) is None:
        example = f"{formats.amount(5 * 10**decimals, currency):f}"
        raise click.ClickException(
            f"{text!r} is not an amount in {currency}. Write it like {example}, without the"
            " currency."
        )
    whole, _point, minor = text.partition(".")
    return int(whole + minor.ljust(decimals, "0"))


def _announcement(order: Order, refund: Refund) -> str:
    what = ""
    if refund.position is not None:
        what = f", line {refund.position + 1}: {line_of(order, refund.position).name}"
    return f"Refunding {_money(refund.amount, refund)} of order {order.number}{what}."


def _tell(registry: Registry, refund_id: str, problem: ProviderError | None) -> None:
    """Say what became of the refund. Ends the process with code 1 when it failed."""
    with registry.database.transaction(write=False) as session:
        refund = session.get_one(Refund, refund_id)
        name = refund.payment.provider.capitalize()
        why = problem or refund.failure
        done = _OUTCOMES[RefundState(refund.state)].format(name=name, why=why)
        paid = refund.payment.amount
        left = _money(paid - refund.payment.refunded, refund)
        message = f"{done} {left} of {_money(paid, refund)} can still be refunded."
    if refund.state in (RefundState.FAILED, RefundState.CANCELED):
        raise click.ClickException(message)
    click.echo(message)


_OUTCOMES = {
    RefundState.SUCCEEDED: "Refunded. An email with the document goes to the customer.",
    RefundState.PENDING: (
        "Pending: {name} will tell when the refund has succeeded. The customer gets an email then."
    ),
    RefundState.REQUESTED: (
        "Requested: {name} has not made the refund yet ({why}). Do not repeat this command; who"
        " delivers the emails, or `pillarbox reconcile INI`, asks again. If it is about the key,"
        " `pillarbox payments INI check` says what to do."
    ),
    RefundState.FAILED: (
        "Failed: {name} refuses the refund ({why}), and no money has moved. Correct what it"
        " says and repeat this command, or pay the customer in another way."
    ),
    RefundState.CANCELED: (
        "Canceled: the refund was canceled at {name}, and no money has moved. Repeat this command."
    ),
}


def _money(minor: int, refund: Refund) -> str:
    return formats.money(minor, refund.currency, SOURCE)
