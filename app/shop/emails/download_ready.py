"""The email that says that downloads which had to wait are open."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.mail.kinds import Kind, Priority, RateLimit
from app.shop.emails import samples


@dataclass(frozen=True, slots=True)
class DownloadReady:
    """Downloads are open. ``link`` is the order's page, never a file, because a mail scanner that
    fetches it must not begin a download.

    With ``consent_at``, the customer asked for it on that page, and this email confirms that
    consent on a durable medium (Directive 2011/83/EU, Articles 8(7) and 16(m)). Without, the time
    to withdraw has passed.
    """

    order_number: str
    ordered_at: datetime
    link: str
    files: tuple[str, ...]
    """The names of what can be downloaded."""
    consent_at: datetime | None
    withdraw_link: str
    withdraw_until: datetime
    """The last moment of the last day on which the customer can withdraw."""
    is_test: bool


def _sample(*files: str, **more: Any) -> DownloadReady:
    ready = DownloadReady(
        order_number=samples.ORDER_NUMBER,
        ordered_at=samples.ORDERED_AT,
        link=samples.ORDER_LINK,
        files=files,
        consent_at=datetime(2026, 11, 24, 8, 15, tzinfo=UTC),
        withdraw_link=samples.WITHDRAW_LINK,
        withdraw_until=samples.WITHDRAW_UNTIL,
        is_test=False,
    )
    return replace(ready, **more)


DOWNLOAD_READY = Kind(
    name="download_ready",
    context=DownloadReady,
    samples={
        "short": _sample("The art of the letter"),
        "long": _sample(
            *(f"Postcard no. {n}, printed by hand on heavy cotton paper" for n in range(1, 21)),
            consent_at=None,
        ),
        "scripts": _sample("Почтовая бумага «Нева»", "便箋とインクの贈り物", "دفتر الرسائل"),
        "hostile": _sample(samples.HOSTILE_WORDS, samples.MARKDOWN_WORDS, "m" * 200, "🎁 & Sons"),
        "waited": _sample("The art of the letter", consent_at=None, is_test=True),
    },
    time_to_live=timedelta(days=14),
    priority=Priority.RECEIPT,
    limit=RateLimit(100, timedelta(days=1)),
)
