"""The test email, which an operator sends to see whether email works."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.mail.kinds import InDoubt, Kind, Priority, RateLimit


@dataclass(frozen=True, slots=True)
class DeliveryTest:
    """The context of the test email."""

    asked_at: datetime


TEST_MESSAGE = Kind(
    name="test_message",
    context=DeliveryTest,
    samples={
        "short": DeliveryTest(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        "long": DeliveryTest(datetime(2026, 11, 22, 23, 59, tzinfo=UTC)),
    },
    time_to_live=timedelta(hours=1),
    # A person waits for it, and few are sent, so it may go before other emails.
    priority=Priority.SECURITY,
    limit=RateLimit(30, timedelta(hours=1)),
    in_doubt=InDoubt.HOLD,
)
