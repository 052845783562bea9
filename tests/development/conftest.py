"""What tests of the developer's pages share: emails in the outbox, in any state."""

from collections.abc import Callable
from typing import Any

import pytest
from pyramid.router import Router

from app.mail import Message, Recipient
from app.mail.outbox.tables import OutboxEmail
from tests.support.outbox import Outbox, kind

Put = Callable[..., int]

HTML = (
    "<html><head></head><body><p>Hello {}</p>"
    '<a href="http://localhost/x?a=1&amp;b=2">x</a></body></html>'
)


@pytest.fixture
def put(app: Router) -> Put:
    """Writes an email and returns its id: ``put("ada@example.org", state="sent")``."""
    outbox = Outbox(app.registry)
    written = 0

    def put(address: str = "ada@example.org", *, of: str = "note", **values: Any) -> int:
        nonlocal written
        written += 1
        row: dict[str, Any] = {
            name: values.pop(name) for name in ("state", "reason") if name in values
        }
        message = Message(
            **{
                "kind": kind(of),
                "to": Recipient(address, values.pop("name", "")),
                "about": f"note:{written}",
                "subject": f"Note {written} for you",
                "html": HTML.format(written),
                "text": f"Hello {written}\nhttp://localhost/x?a=1&b=2\n",
            }
            | values
        )
        with app.registry.database.transaction(write=True) as session:
            email = outbox.service(session).send_message(message, key=f"note:{written}")
            if row:
                found = session.get_one(OutboxEmail, email.id)
                for name, value in row.items():
                    setattr(found, name, value)
            return email.id

    return put
