"""Kinds of email: what each one declares about its content and its delivery, and their registry."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any


class Priority(IntEnum):
    """Of the due emails, those with the lowest number go first."""

    SECURITY = 10
    ACCOUNT = 20
    RECEIPT = 30


class InDoubt(StrEnum):
    """What happens to an email in doubt: its body went out, and no reply came."""

    RESEND = "resend"
    """Send it again with the same Message-ID, because two copies do less harm than none."""
    HOLD = "hold"
    """Keep it until a person decides."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``count`` emails of a kind to one mailbox within ``period``. Any more become
    ``throttled``.

    Where anybody can ask for an email to any address, ``count`` holds for each browser that asks,
    so that a stranger does not use up the owner's emails. Two daily limits, if set, keep strangers
    with many browsers from filling an inbox: within 24 hours, one network gets at most
    ``per_network`` emails of the kind to one mailbox, and everybody together at most
    ``per_recipient`` to one address.

    A stranger can reach a daily limit on purpose. So once it is reached, one email still goes out
    whenever none did within the last ``period``. If a link lives as long as ``period`` or longer,
    the owner always has one that works.

    All addresses that differ only in what follows a plus sign are one mailbox.
    """

    count: int
    period: timedelta
    per_network: int | None = None
    per_recipient: int | None = None


REQUIRED_SAMPLES = ("short", "long")
"""The samples that every kind must have, so that every email has previews and tests."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of email.

    ``name`` also names its template, ``email/<name>.jinja2``. ``samples`` maps names to contexts
    for previews and tests: always ``short`` and ``long``, and where the email shows text that
    people typed, ``scripts`` (other scripts) and ``hostile`` too.
    """

    name: str
    context: type[Any]
    samples: Mapping[str, Any]
    time_to_live: timedelta
    priority: Priority
    limit: RateLimit
    in_doubt: InDoubt = InDoubt.RESEND
    carries_secret: bool = False
    """The body holds a link that opens an account. It is erased once it is no longer needed."""
    supersedes: bool = False
    """A newer email of this kind with the same ``about`` ends the older ones in the queue."""
    confirms_address: bool = False
    """It goes to an unconfirmed address, so it holds no text that a stranger typed. A kind that
    goes to both sorts of addresses says which by an ``is_unconfirmed`` of its context.
    """
    reports_purchase: bool = False
    """It reports a purchase, so it holds the order as schema.org describes one."""

    def __post_init__(self) -> None:
        for name, sample in self.samples.items():
            if not isinstance(sample, self.context):
                raise TypeError(
                    f"sample {name!r} of {self.name!r} is not a {self.context.__name__}"
                )

    def is_unconfirmed(self, context: Any) -> bool:
        """Whether an email with this context goes to an unconfirmed address."""
        return self.confirms_address or bool(getattr(context, "is_unconfirmed", False))


class Kinds:
    """The registry of kinds, in the order of registration."""

    def __init__(self) -> None:
        self._by_name: dict[str, Kind] = {}

    def add(self, kind: Kind) -> None:
        """Register ``kind``. Raises ``ValueError`` when another kind has its name, or when a
        required sample is missing.
        """
        missing = [name for name in REQUIRED_SAMPLES if name not in kind.samples]
        if missing:
            raise ValueError(
                f"the email kind {kind.name!r} needs a sample named {' and '.join(missing)}"
            )
        if self._by_name.setdefault(kind.name, kind) is not kind:
            raise ValueError(f"an email kind named {kind.name!r} exists already")

    def get(self, name: str) -> Kind | None:
        """The kind of that name. None when the application no longer has it."""
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._by_name.values())
