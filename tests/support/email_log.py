"""The log of emails for staff, as tests fill and read it."""

from pyramid.router import Router
from webtest import TestApp, TestResponse

from app.mail.events.hearing import Heard, hear
from app.mail.outbox.tables import OutboxEmail


def search(
    staff: TestApp, text: str = "", path: str = "/staff/emails", **fields: str
) -> TestResponse:
    """Fill in the filter, and press its button."""
    form = staff.get("/staff/emails").forms[0]
    form["find"] = text
    for name, value in fields.items():
        form[name] = value
    return form.submit(expect_errors=True)


def listed(page: TestResponse) -> list[int]:
    """The numbers of the emails in the list."""
    return [int(number.get_text()) for number in page.html.select(".log .number")]


def heard(app: Router, email: OutboxEmail, *events: Heard) -> None:
    """Let the email's service tell events about it."""
    registry = app.registry
    tag = registry.email_tags.of(email.id)
    with registry.database.transaction(write=True) as session:
        hear(
            session,
            "postmark",
            [
                Heard(**{name: getattr(event, name) for name in event.__slots__} | {"tag": tag})
                for event in events
            ],
            tags=registry.email_tags,
            kinds=registry.email_kinds,
            now=registry.clock(),
        )
