"""A pytest plugin for an application that sends emails: its tests read the outbox.

Put ``pytest_plugins = ["app.mail.testing"]`` into the application's ``conftest.py``, and define the
fixture ``app`` there: the configured WSGI application with ``email.debug = true``. Tests then use
the fixture ``mailbox``.
"""

import re

import pytest
from pyramid.router import Router
from sqlalchemy import select

from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail


class Mailbox:
    """Reads the emails in the outbox, whatever their state."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, *, to: str | None = None, kind: str | None = None) -> list[OutboxEmail]:
        """The emails, the oldest first. ``to`` and ``kind`` select a recipient and a kind."""
        query = select(OutboxEmail).order_by(OutboxEmail.id)
        if to is not None:
            query = query.where(OutboxEmail.recipient == to)
        if kind is not None:
            query = query.where(OutboxEmail.kind == kind)
        with self._database.transaction(write=False) as session:
            return list(session.scalars(query))

    def latest(self, *, to: str | None = None, kind: str | None = None) -> OutboxEmail:
        """The newest email. Raises ``AssertionError`` when there is none."""
        emails = self.all(to=to, kind=kind)
        if not emails:
            raise AssertionError(f"no email of kind {kind} to {to}")
        return emails[-1]

    @staticmethod
    def link(email: OutboxEmail, path: str = "/") -> str:
        """The first link in the email's plain text whose path begins with ``path``, without scheme
        and host. Raises ``AssertionError`` when there is none.
        """
        match = re.search(rf"https?://[^/\s]+({re.escape(path)}[^\s>]*)", email.text_body or "")
        if match is None:
            raise AssertionError(f"email {email.id} has no link to {path}")
        return match[1]


@pytest.fixture
def mailbox(app: Router) -> Mailbox:
    """The emails that the application has written."""
    return Mailbox(app.registry.database)
