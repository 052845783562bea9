"""Whether anybody tells what becomes of emails after the relay took them."""

from collections.abc import Iterator
from datetime import timedelta

from pyramid.registry import Registry
from sqlalchemy import func, select

from app.mail.outbox.event_tables import REPORT, EventSource
from app.mail.outbox.tables import OutboxEmail
from app.operations.doctor.findings import Finding, ok, warning
from app.settings.declarations import Email
from app.settings.values import TAG

LATELY = timedelta(days=1)
ENOUGH_SENT = 5
"""After this many emails within a day, silence of the service is no accident."""


def check(registry: Registry) -> Iterator[Finding]:
    """Yield the findings."""
    settings: Email = registry.pillarbox.email
    now = registry.clock()
    with registry.database.transaction(write=False) as session:
        sources = {source.name: source for source in session.scalars(select(EventSource))}
        sent = session.scalar(
            select(func.count()).select_from(
                select(OutboxEmail.id)
                .where(OutboxEmail.sent_at > now - LATELY, OutboxEmail.state == "sent")
                .order_by(OutboxEmail.id.desc())
                .limit(ENOUGH_SENT)
                .subquery()
            )
        )
    is_silent = settings.events is None and TAG not in settings.return_path
    if is_silent and not settings.debug:
        yield warning(
            "nobody tells what becomes of an email after the relay took it",
            "Set email.events to your service, or put {tag} into email.return_path; docs/relay.md"
            " says how.",
        )
    if settings.events is not None:
        source = sources.get(settings.events)
        if source is not None and source.confirmation_link is not None:
            yield warning(
                "Amazon SNS asks to confirm its subscription, and tells nothing before",
                f"Open this link once: {source.confirmation_link}",
            )
        elif source is not None and source.heard_at > now - LATELY:
            yield ok(f"{settings.events} was last heard {source.heard_at:%Y-%m-%d %H:%M} UTC")
        elif (sent or 0) < ENOUGH_SENT:
            yield ok(f"{settings.events} had nothing to tell in the last day")
        else:
            base = registry.pillarbox.site.base_url
            yield warning(
                f"{settings.events} told nothing in the last day, although emails were sent",
                f"At {settings.events}, check the webhook to {base}/webhooks/email and its"
                " password, email.events_secret.",
            )
    if TAG in settings.return_path:
        source = sources.get(REPORT)
        heard = "no report yet" if source is None else f"last report {source.heard_at:%Y-%m-%d}"
        yield ok(f"reports come to {settings.return_path}; {heard}")
    for source in sources.values():
        if source.unmatched:
            when = source.unmatched_at or source.heard_at
            yield warning(
                f"{source.unmatched} events of {source.name} named no email of this shop, the last"
                f" {when:%Y-%m-%d %H:%M} UTC",
                "That is well if the account there serves other senders too. Else the tag does not"
                " come back: docs/relay.md says what the service needs.",
            )
