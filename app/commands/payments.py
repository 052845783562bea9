"""``pillarbox payments``: check that the shop can take money, and decide about held payments."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import click
from pyramid.request import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.commands.application import INI, ready_application
from app.i18n import formats
from app.i18n.languages import SOURCE
from app.operations.readiness import require_migrated_database
from app.shop.models import Payment, PaymentState, Refund, RefundState
from app.shop.payments import held
from app.shop.payments.checks import checks
from app.shop.payments.disputes import open_disputes
from app.shop.payments.held import CannotRelease
from app.shop.payments.provider import ProviderError
from app.web.background import background_request

REQUEST_ID = "pillarbox payments"
"""Who decided, in the events of an order."""
LABEL_WIDTH = 12
MOST_ROWS = 200
"""How many payments, and how many refunds, ``list`` shows."""


@click.group(short_help="Check the set-up; list and release held payments.")
@click.argument("ini", type=INI)
@click.pass_context
def payments(context: click.Context, ini: Path) -> None:
    """Check that the shop can take money, and decide about held payments."""
    context.obj = ini


@payments.command()
@click.pass_obj
def check(ini: Path) -> None:
    """Check the provider, the key, the webhook, and what is sold. Changes nothing.

    Ends with code 1 when there is something to correct.
    """
    problems = 0
    with ready_application(ini, require_migrated_database) as registry:
        for found in checks(background_request(registry, REQUEST_ID)):
            problems += not found.is_ok
            mark = "ok     " if found.is_ok else "problem"
            click.echo(f"{mark}  {found.what.ljust(LABEL_WIDTH)}{found.found}")
            if found.cure:
                click.echo(f"{' ' * 9}{found.cure}")
    if problems:
        raise click.ClickException(
            f"{problems} thing{'s' if problems > 1 else ''} to correct. Then run this again."
        )
    click.echo("All is well.")


@payments.command("list")
@click.option(
    "--all", "with_all", is_flag=True, help="Also payments and refunds that are not settled yet."
)
@click.pass_obj
def list_(ini: Path, with_all: bool) -> None:
    """List held payments, failed refunds and open disputes, the oldest first."""
    states = [PaymentState.HELD]
    refund_states = [RefundState.FAILED]
    if with_all:
        states += [PaymentState.PENDING, PaymentState.PROCESSING]
        refund_states += [RefundState.REQUESTED, RefundState.PENDING]
    with (
        ready_application(ini, require_migrated_database) as registry,
        registry.database.transaction(write=False) as session,
    ):
        lines = [
            *_payment_lines(session, states),
            *_refund_lines(session, refund_states),
            *_dispute_lines(session),
        ]
    if not lines:
        click.echo("No payment is held, no refund has failed, and no dispute is open.")
    for line in lines:
        click.echo(line)


def _payment_lines(session: Session, states: Sequence[PaymentState]) -> Iterator[str]:
    found = session.scalars(
        select(Payment)
        # A held payment whose money goes back needs no decision any more.
        .where(Payment.state.in_(states), Payment.refunded < Payment.amount)
        .order_by(Payment.created_at, Payment.id)
        .limit(MOST_ROWS)
    )
    rows = [
        (
            payment.order.number,
            payment.id,
            payment.state,
            formats.money(payment.amount, payment.currency, SOURCE),
            _time(payment.settled_at or payment.created_at),
            payment.held_because or "",
        )
        for payment in found
    ]
    return _table(("ORDER", "PAYMENT", "STATE", "AMOUNT", "SINCE (UTC)", "WHY"), rows)


def _refund_lines(session: Session, states: Sequence[RefundState]) -> Iterator[str]:
    found = session.scalars(
        select(Refund)
        .where(Refund.state.in_(states))
        .order_by(Refund.created_at, Refund.id)
        .limit(MOST_ROWS)
    )
    rows = [
        (
            refund.order.number,
            refund.reference or refund.id,
            refund.state,
            formats.money(refund.amount, refund.currency, SOURCE),
            _time(refund.settled_at or refund.created_at),
            refund.failure or "",
        )
        for refund in found
    ]
    return _table(("ORDER", "REFUND", "STATE", "AMOUNT", "SINCE (UTC)", "WHY"), rows)


def _dispute_lines(session: Session) -> Iterator[str]:
    for event in open_disputes(session):
        yield f"Open dispute since {_time(event.at)}: {event.detail}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


@payments.command(short_help="Decide about a held payment.")
@click.argument("payment")
@click.option("--pay", "decision", flag_value="pay", help="It pays the order.")
@click.option("--refund", "decision", flag_value="refund", help="The money goes back.")
@click.pass_context
def release(context: click.Context, payment: str, decision: str | None) -> None:
    """Decide about the held PAYMENT. Without an option, say what is known about it.

    --pay: the order is paid, with a receipt over the order's total and its email, even if another
    amount came. --refund: all the money that came goes back to the customer.
    """
    ini: Path = context.obj
    with ready_application(ini) as registry:
        request = background_request(registry, REQUEST_ID)
        try:
            if decision == "pay":
                _accept(request, payment)
            elif decision == "refund":
                _give_back(request, payment)
            else:
                _describe(request, payment)
                context.exit(2)
        except CannotRelease as problem:
            raise click.ClickException(f"{problem} Nothing was changed.") from None
        except ProviderError as problem:
            raise click.ClickException(
                f"The payment provider could not be asked ({problem}). Nothing was changed. Try"
                " again in a few minutes."
            ) from None


def _accept(request: Request, payment_id: str) -> None:
    done = held.accept(request, payment_id, by=REQUEST_ID)
    total = formats.money(done.total, done.currency, SOURCE)
    click.echo(
        f"Order {done.order_number} is paid. Its receipt {done.receipt_number} is over {total}, and"
        " its email is on its way."
    )
    if done.came != done.total:
        came = formats.money(done.came, done.currency, SOURCE)
        difference = formats.money(abs(done.total - done.came), done.currency, SOURCE)
        less = "less" if done.came < done.total else "more"
        click.echo(f"{came} came, which is {difference} {less}. No more than that can be refunded.")


def _give_back(request: Request, payment_id: str) -> None:
    refund_id = held.give_back(request, payment_id, by=REQUEST_ID)
    with request.registry.database.transaction(write=False) as session:
        refund = session.get_one(Refund, refund_id)
        amount = formats.money(refund.amount, refund.currency, SOURCE)
        of_order = f"{amount} of order {refund.order.number}"
        match refund.state:
            case RefundState.SUCCEEDED:
                click.echo(f"{of_order} went back to the customer.")
            case RefundState.FAILED | RefundState.CANCELED:
                raise click.ClickException(
                    f"{of_order} did not go back: {refund.failure or refund.state}. Correct that,"
                    " and run this again."
                )
            case _:
                click.echo(
                    f"{of_order} goes back to the customer, as soon as the provider has done it."
                )


def _describe(request: Request, payment_id: str) -> None:
    payment = held.held_payment(request, payment_id)
    order = payment.order
    asked = formats.money(order.total, order.currency, SOURCE)
    click.echo(f"Payment {payment.id} of order {order.number} over {asked} is held.")
    click.echo(f"  why   {payment.held_because}")
    if payment.settled_at is not None:
        click.echo(f"  since {_time(payment.settled_at)} UTC")
    click.echo("Nothing was changed. Decide with one of these options:")
    click.echo("  --pay     it pays the order, which gets its receipt")
    click.echo("  --refund  all the money that came goes back")
