"""The filters of ``pillarbox emails``, which find the emails that a command is about."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
from pyramid.registry import Registry
from sqlalchemy.orm import Session

from app.commands.moments import MomentType
from app.mail.outbox.search import Filter
from app.mail.outbox.tables import State
from app.shop.order_numbers import read_order_number
from app.staff.email_filter import about_order

ID = click.IntRange(1, 2**31 - 1)
"""The range of an id in PostgreSQL."""
_OPTIONS = (
    click.option(
        "--state", type=click.Choice([state.value for state in State]), help="Only this state."
    ),
    click.option("--kind", help="Only this kind, such as password_reset."),
    click.option("--to", help="Only this recipient's address."),
    click.option("--reason", help="Only those whose reason begins so, such as '550 5.4.5'."),
    click.option(
        "--since",
        type=MomentType(),
        help="Only emails written since then: 12:00 (today or yesterday), 2026-11-28,"
        " '2026-11-28 12:00', 2h or 3d (ago). The time zone is site.time_zone.",
    ),
    click.option("--until", type=MomentType(), help="Only emails written before then."),
    click.option("--message-id", metavar="ID", help="Only the email with this Message-ID."),
    click.option("--order", metavar="NUMBER", help="Only emails about this order."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of the filters. It gets them as ``**typed``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def is_typed(typed: dict[str, Any]) -> bool:
    """Whether somebody typed a filter."""
    return any(value is not None for value in typed.values())


def filter_of(registry: Registry, session: Session, typed: dict[str, Any]) -> Filter:
    """The filter that somebody typed. ``session`` looks up the order that it names."""
    return Filter(
        state=None if typed["state"] is None else State(typed["state"]),
        kind=typed["kind"],
        recipient=typed["to"],
        since=_time(registry, typed, "since"),
        until=_time(registry, typed, "until"),
        reason=typed["reason"],
        about=None if typed["order"] is None else _about(session, typed["order"]),
        message_id=typed["message_id"],
    )


def _about(session: Session, typed: str) -> str:
    number = read_order_number(typed.strip())
    if number is None:
        raise click.BadParameter(
            "it is not an order number, such as 7K3M-9QXW-2TBC.", param_hint="--order"
        )
    about = about_order(session, number)
    if about is None:
        raise click.ClickException(f"There is no order {number}.")
    return about


def _time(registry: Registry, typed: dict[str, Any], name: str) -> datetime | None:
    if typed[name] is None:
        return None
    try:
        at: datetime = typed[name](registry.clock(), registry.pillarbox.site.time_zone)
    except OverflowError:
        raise click.BadParameter("no calendar holds this time.", param_hint=f"--{name}") from None
    return at
