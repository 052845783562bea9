"""How every change of an email is written: one conditional UPDATE."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, delete, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.mail.outbox.tables import EmailAttachment, OutboxEmail, State

NO_BODIES: dict[str, None] = {"html_body": None, "text_body": None}


def move(
    session: Session,
    email: OutboxEmail,
    leaves: ColumnElement[bool] | State,
    *conditions: ColumnElement[bool],
    erase: bool = False,
    **values: Any,
) -> bool:
    if isinstance(leaves, State):
        leaves = OutboxEmail.state == leaves
    if erase:
        values |= NO_BODIES
    moved = update_emails(session, OutboxEmail.id == email.id, leaves, *conditions, **values) == 1
    if moved and erase and email.attachments:
        delete_attachments(session, [email.id])
    return moved


def update_emails(
    session: Session | Connection, *conditions: ColumnElement[bool], **values: Any
) -> int:
    result = session.execute(
        update(OutboxEmail)
        .where(*conditions)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def delete_attachments(session: Session | Connection, email_ids: Collection[int]) -> None:
    if email_ids:
        session.execute(
            delete(EmailAttachment)
            .where(EmailAttachment.email_id.in_(email_ids))
            .execution_options(synchronize_session=False)
        )
