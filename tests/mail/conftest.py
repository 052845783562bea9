"""Shared by tests of the email service: an outbox without a worker, and rows in any state."""

from collections.abc import Callable
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import func, select, update

from app.mail import Attachment
from app.mail.outbox.tables import EmailAttachment, OutboxEmail, State
from tests.support.sending import Outbox

RECEIPT = Attachment("receipt.pdf", "application/pdf", b"%PDF-1.7")


@pytest.fixture
def sending(
    make_app: Callable[[dict[str, str]], Router], settings_values: dict[str, str]
) -> Outbox:
    """The outbox of an application with ``email.debug = false`` and no worker."""
    values = {"email.debug": "false", "email.smtp_server": "127.0.0.1", "email.smtp_port": "1"}
    return Outbox(make_app(settings_values | values | {"email.smtp_security": "none"}).registry)


def put(outbox: Outbox, email: OutboxEmail, state: State, **values: Any) -> OutboxEmail:
    """The email's row after it was set to a state without any of the outbox's rules."""
    with outbox.registry.database.transaction(write=True) as session:
        session.execute(
            update(OutboxEmail)
            .where(OutboxEmail.id == email.id)
            .values(state=state, next_attempt_at=None, **values)
        )
    return outbox.row(email)


def attachments(outbox: Outbox) -> int:
    """How many attachments the database holds."""
    with outbox.registry.database.transaction(write=False) as session:
        return session.scalar(select(func.count()).select_from(EmailAttachment)) or 0
