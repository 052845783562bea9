"""What is still worth sending to an address that is no longer suppressed: the emails that did not
reach it, and whose time to live has not ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, lazyload

from app.mail.composing.composer import Composer
from app.mail.kinds import Kinds
from app.mail.outbox import copies, decisions, endings
from app.mail.outbox.decisions import Refused
from app.mail.outbox.tables import OutboxEmail, State

NOT_REACHED = (State.SUPPRESSED, State.BOUNCED, State.FAILED)
MOST = 100
"""Only the newest emails are looked at."""


@dataclass(frozen=True, slots=True)
class Found:
    """``emails`` can be sent again. The bodies of ``erased`` are not kept any more, or never were,
    because they carry a secret.
    """

    emails: Sequence[OutboxEmail] = ()
    erased: Sequence[OutboxEmail] = ()


def worth_sending(session: Session, recipient_key: str, kinds: Kinds, now: datetime) -> Found:
    """The emails to the address that are worth sending, the oldest first.

    An email that a newer one supersedes is not, nor one that was copied when it was sent again.
    """
    newest = session.scalars(
        select(OutboxEmail)
        .where(OutboxEmail.recipient_key == recipient_key, OutboxEmail.expires_at > now)
        .order_by(OutboxEmail.id.desc())
        .limit(MOST)
        # Attachments are read only of what is copied.
        .options(lazyload(OutboxEmail.attachments))
    ).all()
    # Of an email and its copies, the newest counts, in whatever state it is.
    last_copy: dict[str, int] = {}
    for email in newest:
        last_copy.setdefault(copies.original_key(email.key), email.id)
    ids = [email.id for email in newest if (kind := kinds.get(email.kind)) and kind.supersedes]
    superseded = endings.superseded(session, ids) if ids else {}
    missed = [
        email
        for email in reversed(newest)
        if email.state in NOT_REACHED
        and last_copy[copies.original_key(email.key)] == email.id
        and email.id not in superseded
        and kinds.get(email.kind) is not None
    ]
    kept = [email for email in missed if email.has_body or email.made_from is not None]
    return Found(kept, [email for email in missed if email not in kept])


@dataclass(frozen=True, slots=True)
class Sent:
    """The ids of the emails that were sent again, and how many could not be."""

    ids: Sequence[int] = ()
    refused: int = 0


def send_all(
    session: Session,
    recipient_key: str,
    kinds: Kinds,
    now: datetime,
    composer: Composer,
    request_id: str = "",
) -> Sent:
    """Send again what is worth it, in the transaction of ``session``, because the request
    ``request_id`` asks for it. The caller wakes the workers up.
    """
    found = worth_sending(session, recipient_key, kinds, now)
    ids = []
    for email in found.emails:
        try:
            kind = kinds.get(email.kind)
            decisions.resend(session, email, kind, now, composer, request_id=request_id)
        except Refused:
            continue
        ids.append(email.id)
    return Sent(ids, len(found.emails) - len(ids) + len(found.erased))
