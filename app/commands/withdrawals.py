"""``pillarbox withdrawals``: the customers' withdrawals that staff decide about."""

from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.commands.application import INI, ready_application
from app.shop.models import OrderLine, Withdrawal, WithdrawalState
from app.shop.payments.refundable import CannotRefund
from app.shop.payments.refunds import ask_for_refund
from app.shop.withdrawal import accept as accept_withdrawal
from app.shop.withdrawal import close as close_withdrawal
from app.shop.withdrawal import right_lasts
from app.web.background import background_request

NAME = "pillarbox withdrawals"


@click.group(short_help="Decide about customers' withdrawals.")
@click.argument("ini", type=INI)
@click.pass_context
def withdrawals(context: click.Context, ini: Path) -> None:
    """List the withdrawals that wait for a decision, accept them or close them."""
    context.obj = ini


@withdrawals.command("list")
@click.option("--all", "shows_all", is_flag=True, help="Decided ones, too.")
@click.pass_obj
def list_(ini: Path, shows_all: bool) -> None:
    """Show withdrawals, the oldest first, with what was downloaded and when, and whether the right
    of withdrawal still lasted when the customer withdrew.
    """
    found = select(Withdrawal).order_by(Withdrawal.id)
    if not shows_all:
        found = found.where(Withdrawal.state == WithdrawalState.RECEIVED)
    with (
        ready_application(ini) as registry,
        registry.database.transaction(write=False) as session,
    ):
        rows = session.scalars(found).all()
        for withdrawal in rows:
            _show(session, withdrawal)
    if not rows:
        click.echo("No withdrawal waits for a decision." if not shows_all else "No withdrawals.")


@withdrawals.command()
@click.argument("number", type=int)
@click.pass_obj
def accept(ini: Path, number: int) -> None:
    """Give the money back, and close the downloads that NUMBER is about."""
    with ready_application(ini) as registry:
        request = background_request(registry, NAME)
        with registry.database.transaction(write=True) as session:
            withdrawal = _undecided(session, number)
            try:
                refunds = accept_withdrawal(request, session, withdrawal, by=NAME)
            except (CannotRefund, ValueError) as problem:
                raise click.ClickException(
                    f"Withdrawal {number} cannot be accepted: {problem}. Write to"
                    f" {withdrawal.email}, then close it with a note."
                ) from None
        for refund_id in refunds:
            ask_for_refund(request, refund_id)
    click.echo(f"Withdrawal {number} is accepted. Refunds asked for: {len(refunds)}.")


@withdrawals.command()
@click.argument("number", type=int)
@click.option("--note", default="", help="Why, for staff to read.")
@click.pass_obj
def close(ini: Path, number: int, note: str) -> None:
    """End NUMBER without a refund. Write to the customer yourself: no email is sent."""
    with ready_application(ini) as registry, registry.database.transaction(write=True) as session:
        withdrawal = _undecided(session, number)
        close_withdrawal(background_request(registry, NAME), withdrawal, note=note, by=NAME)
        address = withdrawal.email
    click.echo(f"Withdrawal {number} is closed. Tell {address} why.")


def _undecided(session: Session, number: int) -> Withdrawal:
    # Two people who decide at once wait for each other here on PostgreSQL.
    by_number = select(Withdrawal).where(Withdrawal.id == number).with_for_update()
    withdrawal = session.scalars(by_number).one_or_none() if number < 2**31 else None
    if withdrawal is None:
        raise click.ClickException(f"There is no withdrawal {number}.")
    if withdrawal.state != WithdrawalState.RECEIVED:
        raise click.ClickException(
            f"Withdrawal {number} was {withdrawal.state} on {withdrawal.decided_at:%Y-%m-%d} by"
            f" {withdrawal.decided_by}. Nothing was changed."
        )
    return withdrawal


def _show(session: Session, withdrawal: Withdrawal) -> None:
    order = withdrawal.order
    click.echo(
        f"{withdrawal.id}  {withdrawal.state}  received {withdrawal.received_at:%Y-%m-%d %H:%M} UTC"
        f"  order {withdrawal.order_number}  {withdrawal.email}"
    )
    if order is None:
        click.echo("    No order has this number and email address.")
        return
    click.echo(
        f"    ordered {order.created_at:%Y-%m-%d}, can be withdrawn from until"
        f" {order.withdraw_until:%Y-%m-%d}"
    )
    if order.consent_at is not None:
        click.echo(f"    consented {order.consent_at:%Y-%m-%d %H:%M} UTC to start the downloads")
    for line in order.lines:
        if line.position in withdrawal.positions:
            lasted = right_lasts(session, order, line, withdrawal.received_at)
            right = "the right of withdrawal " + ("lasted" if lasted else "had ended")
            click.echo(f"    line {line.position + 1}: {line.name}, {_download(line)}, {right}")
    if withdrawal.note:
        click.echo(f"    note: {withdrawal.note}")


def _download(line: OrderLine) -> str:
    if line.closed_at is not None:
        return "closed"
    if line.first_download_at is None:
        return "not downloaded"
    return f"downloaded {line.first_download_at:%Y-%m-%d %H:%M} UTC"
