"""What this process counts for Prometheus. No label holds an address.

Each process counts what it did itself; Prometheus adds the processes up. What waits in the outbox
is read from the database when somebody asks (``app.operations.metrics``).
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from app.mail.kinds import Kind
from app.mail.outbox.event_tables import Event
from app.mail.outbox.tables import State
from app.mail.smtp.replies import Outcome

# Without this, each counter has a second series with the time at which it began.
disable_created_metrics()  # type: ignore[no-untyped-call]

METRICS = CollectorRegistry()

EMAILS = Counter(
    "pillarbox_emails", "Emails that came into a state.", ["kind", "state"], registry=METRICS
)
ATTEMPTS = Counter(
    "pillarbox_attempts",
    "Attempts to hand an email to the relay.",
    ["kind", "outcome"],
    registry=METRICS,
)
DELIVERY_SECONDS = Histogram(
    "pillarbox_delivery_seconds",
    "From the writing of an email until the relay accepted it.",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400),
    registry=METRICS,
)
EVENTS = Counter(
    "pillarbox_events",
    "Events heard about emails that the relay took.",
    ["event"],
    registry=METRICS,
)
COUNTERS = {
    "pillarbox_emails_total": EMAILS,
    "pillarbox_attempts_total": ATTEMPTS,
    "pillarbox_events_total": EVENTS,
}
"""The counters by the names under which Prometheus knows them."""
_STATES = (State.QUEUED, State.SENT, State.FAILED, State.BOUNCED, State.UNKNOWN)
_OUTCOMES = (Outcome.ACCEPTED, Outcome.REFUSED)


def begin_series(kinds: Iterable[Kind]) -> None:
    """Let the series that alerts look at exist before their first count. Prometheus cannot see a
    rise in a series that begins with it.
    """
    for kind in kinds:
        for state in _STATES:
            EMAILS.labels(kind.name, state)
        for outcome in _OUTCOMES:
            ATTEMPTS.labels(kind.name, outcome)
    for event in Event:
        EVENTS.labels(event)
