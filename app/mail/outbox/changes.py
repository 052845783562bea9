"""The statements that every change of an email is made of.

Each change is one UPDATE whose conditions name the state that the email leaves. So when two
workers, or a worker and a person, change the same email, only one of them succeeds.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, delete, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.mail.outbox.tables import EmailAttachment, OutboxEmail

BODIES_ERASED: dict[str, None] = {"html_body": None, "text_body": None, "made_from": None}
"""The columns that erasing sets: the bodies, and what they would be made from.
Whoever sets them deletes the attachments too.
"""


def update_emails(
    session: Session | Connection, *conditions: ColumnElement[bool], **values: Any
) -> int:
    """Set ``values`` on the emails that fulfil ``conditions``. Returns how many there were."""
    result = session.execute(
        update(OutboxEmail)
        .where(*conditions)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def delete_attachments(session: Session | Connection, email_ids: Collection[int]) -> None:
    """Delete the attachments of the emails with these ids."""
    if email_ids:
        session.execute(
            delete(EmailAttachment)
            .where(EmailAttachment.email_id.in_(email_ids))
            .execution_options(synchronize_session=False)
        )
