"""Batches: one decision about up to some hundred emails, with a few statements for all of them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.mail.kinds import Kinds
from app.mail.message import Message
from app.mail.metrics import EMAILS
from app.mail.outbox import copies, endings, rules
from app.mail.outbox.after_commit import call_after_commit
from app.mail.outbox.changes import update_emails
from app.mail.outbox.copies import Copy
from app.mail.outbox.rules import COLUMNS, RESENT_LATELY, Facts, Refused, Why
from app.mail.outbox.tables import HAS_BODY, IS_UNCOMPOSED, NOT_ACCEPTED, OutboxEmail, State
from app.mail.recomposing import columns_of, replace_attachments


class Act(StrEnum):
    """What is done to the emails."""

    RESEND = "resend"
    RELEASE = "release"
    CANCEL = "cancel"


@dataclass(slots=True)
class Batch:
    """What became of a batch: how many emails were changed, and which were refused, and why."""

    ids: Sequence[int]
    """The emails it was about, in their order."""
    done: int = 0
    refused: dict[Why, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def changed(self) -> list[int]:
        """The ids of the emails that were not refused."""
        refused = {id for ids in self.refused.values() for id in ids}
        return [id for id in self.ids if id not in refused]

    @property
    def refused_count(self) -> int:
        """How many were refused."""
        return sum(map(len, self.refused.values()))


def decide(
    session: Session,
    act: Act,
    ids: Sequence[int],
    conditions: Collection[ColumnElement[bool]],
    *,
    kinds: Kinds,
    composed: Mapping[int, Message | Refused],
    by: str,
    request_id: str,
    now: datetime,
) -> Batch:
    """Decide about the emails ``ids``, which are in order, in the transaction of ``session``.

    An email that does not fulfil ``conditions`` any more is refused. ``composed`` holds, for each
    email that could not be composed before, what composing it again gave. ``request_id`` is the
    request or the command that decides. Copies keep it.
    """
    batch = Batch(ids)
    # Somebody who changes an email at this moment holds its lock. Waiting for it while holding the
    # others could be a deadlock, so the email is left to them.
    rows = session.execute(
        select(*COLUMNS)
        .where(OutboxEmail.id.in_(ids), *conditions)
        .order_by(OutboxEmail.id)
        .with_for_update(skip_locked=True)
    )
    emails = [Facts(*row) for row in rows]
    changed = set(ids) - {email.id for email in emails}
    if changed:
        batch.refused[Why.CHANGED] += sorted(changed)
    if act is Act.CANCEL:
        _cancel(session, emails, kinds, by, batch)
    else:
        _send(session, act, emails, kinds, composed, request_id, now, batch)
    return batch


def _cancel(
    session: Session, emails: Collection[Facts], kinds: Kinds, by: str, batch: Batch
) -> None:
    waiting = []
    for email in emails:
        try:
            rules.check_cancel(email)
        except Refused as refusal:
            batch.refused[refusal.why].append(email.id)
        else:
            waiting.append(email.id)
    keep = [kind.name for kind in kinds if not kind.carries_secret]
    batch.done += endings.cancel_waiting(session, waiting, f"cancelled {by}", keep=keep)


def _send(
    session: Session,
    act: Act,
    emails: Collection[Facts],
    kinds: Kinds,
    composed: Mapping[int, Message | Refused],
    request_id: str,
    now: datetime,
    batch: Batch,
) -> None:
    known = rules.obstacles(session, emails, kinds, now)
    check = rules.check_resend if act is Act.RESEND else rules.check_release
    accepted: list[tuple[Facts, datetime]] = []
    # The emails to queue by kind, because one statement queues all that get the same expiry. Those
    # with a secret keep their own.
    waiting: dict[str, list[int]] = defaultdict(list)
    expiries: dict[str, datetime] = {}
    for email in emails:
        kind = kinds.get(email.kind)
        try:
            expires_at = check(email, kind, now, known)
            if email.state in copies.ACCEPTED:
                accepted.append((email, expires_at))
            elif email.is_uncomposed:
                _queue_composed(session, email, composed.get(email.id), expires_at, now)
                batch.done += 1
            else:
                waiting[email.kind].append(email.id)
                if kind is not None and not kind.carries_secret:
                    expiries[email.kind] = expires_at
        except Refused as refusal:
            batch.refused[refusal.why].append(email.id)
    for name, ids in waiting.items():
        values = {"expires_at": expiries[name]} if name in expiries else {}
        mine = (OutboxEmail.id.in_(ids), HAS_BODY)
        batch.done += _queue(session, name, *mine, now=now, **values)
    _copy(session, accepted, request_id, now, batch)


def _queue(
    session: Session, kind: str, *conditions: ColumnElement[bool], now: datetime, **values: Any
) -> int:
    queued = update_emails(
        session,
        *conditions,
        OutboxEmail.state.in_(NOT_ACCEPTED),
        state=State.QUEUED,
        reason=None,
        attempts=0,
        next_attempt_at=now,
        **values,
    )
    call_after_commit(session, partial(EMAILS.labels(kind, State.QUEUED).inc, queued))
    return queued


def _queue_composed(
    session: Session,
    email: Facts,
    composed: Message | Refused | None,
    expires_at: datetime,
    now: datetime,
) -> None:
    if isinstance(composed, Refused):
        raise composed
    mine = (OutboxEmail.id == email.id, IS_UNCOMPOSED)
    if composed is None or not _queue(
        session, email.kind, *mine, now=now, expires_at=expires_at, **columns_of(composed)
    ):
        raise Refused(Why.CHANGED, f"Email {email.id} was changed by somebody else just now.")
    replace_attachments(session, email.id, composed)


def _copy(
    session: Session,
    accepted: Collection[tuple[Facts, datetime]],
    request_id: str,
    now: datetime,
    batch: Batch,
) -> None:
    """Send copies of emails that a relay has taken: one of each act, of its newest email.

    An email that has a newer copy was sent again already, and a copy of the last hour was made by
    somebody who does the same at this moment.
    """
    series = copies.series_of(session, [email.key for email, _ in accepted])
    wanted: list[Copy] = []
    for email, expires_at in accepted:
        original = copies.original_key(email.key)
        is_new_copy = email.key != original and email.created_at > now - RESENT_LATELY
        if is_new_copy or series[original].newest > email.id:
            batch.refused[Why.RESENT].append(email.id)
        else:
            key = series[original].next_key
            wanted.append(copies.copy_of(email.id, email.message_id, key, expires_at))
    written = copies.write(session, wanted, now, request_id)
    batch.done += len(written)
    taken = [copy.original for copy in wanted if copy.original not in written]
    if taken:
        batch.refused[Why.CHANGED] += taken
