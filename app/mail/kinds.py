"""Which emails exist. Every kind declares here what it needs, what it looks like and how it is
treated on its way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any


class Priority(IntEnum):
    """Which due email goes first: the lower number."""

    SECURITY = 10
    ACCOUNT = 20
    RECEIPT = 30


class InDoubt(StrEnum):
    """What happens to an email of which nobody knows whether the relay took it."""

    RESEND = "resend"
    """Send it again with the same Message-ID: two copies harm less than none."""
    HOLD = "hold"
    """Wait for a person to decide."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``count`` emails of a kind to one recipient within ``period``; what is over becomes
    ``throttled``.
    """

    count: int
    period: timedelta


REQUIRED_SAMPLES = ("short", "long")
"""What every kind shows itself with, so that no email exists without previews and tests."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of email.

    ``name`` is also its template: ``email/<name>.jinja2``. ``samples`` are contexts for previews
    and tests, by name: at least ``short`` and ``long``, and where people's words appear ``scripts``
    (other scripts) and ``hostile``.
    """

    name: str
    context: type[Any]
    samples: Mapping[str, Any]
    time_to_live: timedelta
    priority: Priority
    limit: RateLimit
    in_doubt: InDoubt = InDoubt.RESEND
    carries_secret: bool = False
    """The body holds a link that opens an account; it is erased as soon as it is not needed any
    more.
    """
    supersedes: bool = False
    """A newer email of this kind about the same thing makes a queued older one pointless."""
    confirms_address: bool = False
    """Goes to an address nobody has confirmed yet, so it carries no text that a stranger typed."""
    reports_purchase: bool = False
    """Tells of a purchase, so it carries the order as schema.org describes one."""

    def __post_init__(self) -> None:
        for name, sample in self.samples.items():
            if not isinstance(sample, self.context):
                raise TypeError(
                    f"sample {name!r} of {self.name!r} is not a {self.context.__name__}"
                )


class Kinds:
    """The registry of kinds, in the order of registration."""

    def __init__(self) -> None:
        self._by_name: dict[str, Kind] = {}

    def add(self, kind: Kind) -> None:
        """Register ``kind``; raises ``ValueError`` when its name is taken by another one, or when
        it lacks the samples that previews and tests show it with.
        """
        lacking = [name for name in REQUIRED_SAMPLES if name not in kind.samples]
        if lacking:
            raise ValueError(
                f"the email kind {kind.name!r} needs a sample named {' and '.join(lacking)}"
            )
        if self._by_name.setdefault(kind.name, kind) is not kind:
            raise ValueError(f"an email kind named {kind.name!r} exists already")

    def get(self, name: str) -> Kind | None:
        """The kind of that name, or None, as for a row whose kind the application no longer has."""
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._by_name.values())
