"""The acknowledgement of a withdrawal (Directive 2011/83/EU, Article 11a(4))."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from app.mail.kinds import Kind, Priority, RateLimit
from app.shop.emails import samples


@dataclass(frozen=True, slots=True)
class Statement:
    """What the customer declared. ``lines`` names the goods, and is empty for the whole order."""

    name: str
    email: str
    lines: tuple[str, ...] = ()


class NextStep(StrEnum):
    """What the shop does now that a withdrawal has arrived."""

    CHECK = "check"
    """A person decides about all of it."""
    REFUND = "refund"
    """The money goes back."""
    REFUND_AND_CHECK = "refund and check"
    """The money for what was not downloaded goes back, and a person decides about the rest."""
    NOTHING = "nothing"
    """Nothing was paid, or all of it has gone back before."""


@dataclass(frozen=True, slots=True)
class WithdrawalReceived:
    """A withdrawal has arrived.

    ``statement`` is None when no order has this number and this email address. Then a stranger may
    have typed the address, and the email repeats none of the words (STANDARDS A15). It names only
    the order number in its standard form, which has no room for words; empty if it has none.
    """

    order_number: str
    received_at: datetime
    statement: Statement | None
    next_step: NextStep = NextStep.CHECK
    is_test: bool = False

    @property
    def is_unconfirmed(self) -> bool:
        """Whether the email goes to an address that nobody has confirmed."""
        return self.statement is None


_AT = datetime(2026, 11, 24, 8, 15, 30, tzinfo=UTC)
_ADA = Statement("Ada Lovelace", "ada@example.org")

WITHDRAWAL_RECEIVED = Kind(
    name="withdrawal_received",
    context=WithdrawalReceived,
    samples={
        "short": WithdrawalReceived(samples.ORDER_NUMBER, _AT, _ADA),
        "long": WithdrawalReceived(
            samples.ORDER_NUMBER,
            _AT,
            Statement(
                "Adelheid Friederike Wilhelmine von Musterhausen-Beispielstein",
                "adelheid.wilhelmine@a-host-with-a-long-name.example.org",
                tuple(f"Postcard no. {n}, printed by hand on cotton paper" for n in range(1, 21)),
            ),
        ),
        "scripts": WithdrawalReceived(
            samples.ORDER_NUMBER,
            _AT,
            Statement("Łucja Żółć-Nguyễn", "lucja@example.org", ("便箋", "دفتر الرسائل")),
        ),
        "hostile": WithdrawalReceived(
            samples.ORDER_NUMBER,
            _AT,
            Statement(
                samples.HOSTILE_NAME,
                "o'reilly+%s{0}@example.org",
                (samples.HOSTILE_WORDS, samples.MARKDOWN_WORDS, "m" * 200),
            ),
        ),
        "test": WithdrawalReceived(samples.ORDER_NUMBER, _AT, _ADA, is_test=True),
        "refund": WithdrawalReceived(samples.ORDER_NUMBER, _AT, _ADA, NextStep.REFUND),
        "part": WithdrawalReceived(
            samples.ORDER_NUMBER,
            _AT,
            Statement("Ada Lovelace", "ada@example.org", ("Letter paper", "Lined envelopes")),
            NextStep.REFUND_AND_CHECK,
        ),
        "nothing": WithdrawalReceived(samples.ORDER_NUMBER, _AT, _ADA, NextStep.NOTHING),
        "unknown": WithdrawalReceived(samples.ORDER_NUMBER, _AT, None),
        "unreadable": WithdrawalReceived("", _AT, None),
    },
    time_to_live=timedelta(days=14),
    priority=Priority.RECEIPT,
    # Anybody can have it sent to any address. A customer may withdraw from several orders, so the
    # limits are higher than those of the emails about accounts.
    limit=RateLimit(20, timedelta(hours=1), per_network=30, per_recipient=30),
)
