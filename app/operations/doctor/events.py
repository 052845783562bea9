"""Whether anybody tells what becomes of emails after the relay took them."""

from collections.abc import Iterator
from datetime import datetime, timedelta

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
        lately = (
            select(OutboxEmail.id)
            .where(OutboxEmail.sent_at > now - LATELY, OutboxEmail.state == "sent")
            .order_by(OutboxEmail.id.desc())
            .limit(ENOUGH_SENT)
            .subquery()
        )
        sent = session.scalar(select(func.count()).select_from(lately)) or 0
    is_silent = settings.events is None and TAG not in settings.return_path
    if is_silent and not settings.debug:
        yield warning(
            "nobody reports what becomes of an email after the relay has accepted it",
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
        elif sent < ENOUGH_SENT:
            few = {0: "no email was", 1: "only 1 email was"}.get(sent, f"only {sent} emails were")
            yield ok(f"{settings.events} has sent no event in the last day, but {few} sent")
        else:
            base = registry.pillarbox.site.base_url
            yield warning(
                f"{settings.events} has sent no event in the last day, although emails were sent",
                f"At {settings.events}, check the webhook to {base}/webhooks/email and its"
                " password, email.events_secret.",
            )
    if TAG in settings.return_path:
        source = sources.get(REPORT)
        heard = "no report yet" if source is None else f"last report {source.heard_at:%Y-%m-%d}"
        yield ok(f"reports come to {settings.return_path}; {heard}")
    configured = [settings.events, REPORT if TAG in settings.return_path else None]
    for name in filter(None, configured):
        if (source := sources.get(name)) is not None:
            yield from _unmatched(source, now)


def _unmatched(source: EventSource, now: datetime) -> Iterator[Finding]:
    """A warning when the source has lately told of something that is no email of this shop."""
    last, count = source.unmatched_at, source.unmatched
    if last is None or last <= now - LATELY:
        return
    if source.name == REPORT:
        what = "1 report" if count == 1 else f"{count:,} reports"
        cure = (
            "Spam to the return path is harmless. If your own bounces are among them, check that"
            " the email server keeps the part after the +."
        )
    else:
        what = f"{'1 event' if count == 1 else f'{count:,} events'} of {source.name}"
        cure = (
            "This is normal if other senders use the same account. If not, the service does not"
            " return the tag: see docs/relay.md."
        )
    yield warning(
        f"{what} named no email of this shop, the last one {last:%Y-%m-%d %H:%M} UTC", cure
    )
