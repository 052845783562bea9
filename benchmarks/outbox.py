"""Fills an outbox quickly with as many emails as a benchmark needs."""

from typing import Any

from pyramid.registry import Registry
from sqlalchemy import String, cast, insert, literal, select

from app.mail import Message
from app.mail.outbox.tables import OutboxEmail
from tests.support.outbox import Outbox


def fill(registry: Registry, message: Message, count: int, *, key: str, **columns: Any) -> None:
    """Commit ``message`` ``count`` times: once as a request does, and then copies of that row.

    ``columns`` overrides columns of the copies, such as their state.
    """
    with registry.database.transaction(write=True) as session:
        first = Outbox(registry).service(session).send_message(message, key=f"{key}:0")
        if count > 1:
            session.execute(_copies(first, count - 1, key, columns))


def _copies(first: OutboxEmail, count: int, key: str, columns: dict[str, Any]) -> Any:
    table = OutboxEmail.__table__
    counted = select(literal(1).label("number")).cte("numbers", recursive=True)
    numbers = counted.union_all(select(counted.c.number + 1).where(counted.c.number < count))
    number = cast(numbers.c.number, String)
    address = literal("customer").concat(number).concat("@example.org")
    values: dict[str, Any] = {
        "key": literal(f"{key}:").concat(number),
        "recipient": address,
        "recipient_key": address,
        "mailbox_key": address,
        "message_id": literal("<").concat(number).concat(f".{first.message_id[1:]}"),
        **{name: literal(value, table.c[name].type) for name, value in columns.items()},
    }
    names = [column.name for column in table.columns if column.name != "id"]
    return insert(OutboxEmail).from_select(
        names,
        select(*(values.get(name, table.c[name]) for name in names))
        .where(OutboxEmail.id == first.id)
        .join_from(OutboxEmail, numbers, literal(True)),
    )
