"""Rules: whether a person may resend, release or cancel an email, and if not, why.

The rules read facts about the email and look nothing up themselves. So ``decisions`` applies them
to one email, and ``many`` to a batch whose look-ups it makes together.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from sqlalchemy.orm import Session

from app.mail.kinds import Kind, Kinds
from app.mail.outbox import endings
from app.mail.outbox.tables import (
    HAS_BODY,
    IS_UNCOMPOSED,
    OutboxEmail,
    State,
    SuppressedAddress,
    suppressions,
)

CANCELLABLE = (State.QUEUED, State.UNKNOWN)
RESENT_LATELY = timedelta(hours=1)


class Why(StrEnum):
    """Why an email was refused. A list of many refusals counts each of these."""

    QUEUED = "queued"
    SENDING = "sending"
    RESENT = "resent"
    NOT_HELD = "not_held"
    NOT_WAITING = "not_waiting"
    NO_KIND = "no_kind"
    NO_BODY = "no_body"
    NEWER = "newer"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    UNCOMPOSED = "uncomposed"
    CHANGED = "changed"

    @property
    def words(self) -> str:
        """The reason in English, such as ``they are in the queue already``."""
        return _WORDS[self]


_WORDS = {
    Why.QUEUED: "they are in the queue already and go out by themselves",
    Why.SENDING: "they are being sent just now",
    Why.RESENT: "they were sent again already",
    Why.NOT_HELD: "they are not in doubt, and only emails in doubt can be released",
    Why.NOT_WAITING: "they are neither queued nor held",
    Why.NO_KIND: "their kind of email does not exist any more",
    Why.NO_BODY: "their bodies are erased",
    Why.NEWER: "a newer email about the same thing exists",
    Why.SUPPRESSED: "nothing is sent to their addresses for now",
    Why.EXPIRED: "their links have expired",
    Why.UNCOMPOSED: "they cannot be composed",
    Why.CHANGED: "somebody else changed them at the same time",
}


class Refused(Exception):
    """The decision cannot be carried out. The text says why, and what to do instead."""

    def __init__(self, why: Why, words: str) -> None:
        super().__init__(words)
        self.why = why


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules need to know of an email. Bodies are large, so none is read for it."""

    id: int
    key: str
    kind: str
    about: str
    recipient_key: str
    message_id: str
    state: str
    created_at: datetime
    expires_at: datetime
    has_body: bool
    is_uncomposed: bool

    @classmethod
    def of(cls, email: OutboxEmail) -> Self:
        """The facts of an email that is loaded already."""
        return cls(
            id=email.id,
            key=email.key,
            kind=email.kind,
            about=email.about,
            recipient_key=email.recipient_key,
            message_id=email.message_id,
            state=email.state,
            created_at=email.created_at,
            expires_at=email.expires_at,
            has_body=email.has_body,
            is_uncomposed=email.made_from is not None,
        )


COLUMNS = (
    OutboxEmail.id,
    OutboxEmail.key,
    OutboxEmail.kind,
    OutboxEmail.about,
    OutboxEmail.recipient_key,
    OutboxEmail.message_id,
    OutboxEmail.state,
    OutboxEmail.created_at,
    OutboxEmail.expires_at,
    HAS_BODY,
    IS_UNCOMPOSED,
)
"""What a query selects, so that each of its rows makes ``Facts``."""


@dataclass(frozen=True, slots=True)
class Obstacles:
    """What may stand in the way of emails: newer emails by the id of the older one, and suppressed
    addresses by ``recipient_key``.
    """

    newer: Mapping[int, int]
    suppressed: Mapping[str, SuppressedAddress]


def obstacles(
    session: Session, emails: Collection[Facts], kinds: Kinds, now: datetime
) -> Obstacles:
    """Look up what stands in the way of these emails."""
    replaceable = [
        email.id
        for email in emails
        if (kind := kinds.get(email.kind)) is not None and kind.supersedes
    ]
    return Obstacles(
        endings.superseded(session, replaceable) if replaceable else {},
        suppressions(session, {email.recipient_key for email in emails}, now),
    )


def check_resend(email: Facts, kind: Kind | None, now: datetime, known: Obstacles) -> datetime:
    """When the email expires if it is sent again. Raises ``Refused`` when it may not be."""
    if email.state == State.QUEUED:
        raise Refused(Why.QUEUED, f"Email {email.id} is in the queue and goes out by itself.")
    if email.state == State.SENDING:
        raise Refused(Why.SENDING, f"Email {email.id} is being sent just now.")
    return _new_expiry(email, kind, now, known)


def check_release(email: Facts, kind: Kind | None, now: datetime, known: Obstacles) -> datetime:
    """When the held email expires if it is sent again. Raises ``Refused`` when it may not be."""
    if email.state != State.UNKNOWN:
        raise Refused(
            Why.NOT_HELD,
            f"Email {email.id} cannot be released: its state is {email.state}. Only emails in state"
            " unknown can.",
        )
    return _new_expiry(email, kind, now, known)


def check_cancel(email: Facts) -> None:
    """Raise ``Refused`` when the email waits for nothing."""
    if email.state not in CANCELLABLE:
        raise Refused(
            Why.NOT_WAITING,
            f"Email {email.id} is {email.state}; only one that is queued or unknown can be"
            " cancelled.",
        )


def _new_expiry(email: Facts, kind: Kind | None, now: datetime, known: Obstacles) -> datetime:
    if kind is None:
        raise Refused(Why.NO_KIND, f"There is no kind of email named {email.kind!r} any more.")
    if not email.has_body and not email.is_uncomposed:
        raise Refused(
            Why.NO_BODY, f"Email {email.id} has no body to send. {_alternative(email, kind)}"
        )
    if newer := known.newer.get(email.id):
        raise Refused(Why.NEWER, f"Email {newer} about the same thing is newer. Resend that one.")
    if suppressed := known.suppressed.get(email.recipient_key):
        raise Refused(
            Why.SUPPRESSED,
            f"No email goes to its address before {suppressed.until:%Y-%m-%d %H:%M} UTC:"
            f" {suppressed.reason}",
        )
    if not kind.carries_secret:
        return now + kind.time_to_live
    if email.expires_at <= now:
        raise Refused(
            Why.EXPIRED, f"The link in email {email.id} has expired. {_alternative(email, kind)}"
        )
    return email.expires_at


def _alternative(email: Facts, kind: Kind) -> str:
    if kind.carries_secret:
        return (
            "Such a body is erased as soon as it is not needed any more, and its link may be dead:"
            " ask the recipient to request a new one on the site."
        )
    return (
        "It was erased after email.retention_days, or it could not be kept: repeat what sent it"
        f" ({email.about}), or write to the recipient yourself."
    )
