"""The story of one email: what happened to it, in its order, and what happens next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyramid.request import Request
from sqlalchemy import select, union
from sqlalchemy.orm import Session

from app.mail.delivery import relay
from app.mail.kinds import Kind
from app.mail.outbox import copies
from app.mail.outbox.event_tables import EmailEvent, Event
from app.mail.outbox.tables import (
    EmailAttempt,
    OutboxEmail,
    State,
    SuppressedAddress,
    suppressions,
)
from app.mail.smtp.replies import Outcome
from app.staff.email_words import ACTIONS, EVENTS, OUTCOMES, STATES
from app.staff.many_actions import command_of, refusals_of
from app.staff.models import StaffAction, StaffActionEmail
from app.web.translation import _

_UNCOMPOSED = "could not be composed"
"""How the reason of an email begins whose template was broken."""
MOST_EVENTS = 200
"""An email's recipient can cause any number of events, such as by automatic answers."""
EARLIER_EVENTS = _("Only the newest ${count} events are shown", mapping={"count": MOST_EVENTS})
_WITHOUT_A_TRY = (State.CAPTURED, State.THROTTLED)
"""The states that only the writing of an email gives it."""
_ENDS = (State.EXPIRED, State.SUPERSEDED, State.CANCELLED, State.SUPPRESSED)
"""The states in which an email ends after it was written. No row tells when."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened. ``what`` is a translation string, ``facts`` are such as a code and a
    duration, and ``words`` is what the relay or another server said. ``at`` is None where nothing
    tells the time. ``email_id`` is another email that ``what`` names.
    """

    at: datetime | None
    what: str
    facts: tuple[str, ...] = ()
    words: str = ""
    email_id: int | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """Something that will happen, as a translation string, at ``at`` or at no known time."""

    what: str
    at: datetime | None = None
    words: str = ""


def steps(session: Session, email: OutboxEmail) -> list[Step]:
    """What happened to the email, the first thing first."""
    attempts = session.scalars(
        select(EmailAttempt).where(EmailAttempt.email_id == email.id).order_by(EmailAttempt.id)
    ).all()
    newest = session.scalars(
        select(EmailEvent)
        .where(EmailEvent.email_id == email.id)
        .order_by(EmailEvent.id.desc())
        .limit(MOST_EVENTS + 1)
    ).all()
    events = newest[:MOST_EVENTS][::-1]
    of_act = copies.emails_of_act(session, email.key)
    later = [
        *map(_of_attempt, attempts),
        *map(_of_event, events),
        *(Step(event.at, EARLIER_EVENTS) for event in newest[MOST_EVENTS:]),
        *(_of_action(action, email.id) for action in _actions(session, email.id)),
        *(_sent_again(id, at) for id, at in of_act if id > email.id),
    ]
    # The sort keeps the order of rows with one time.
    later.sort(key=lambda step: step.at or email.created_at)
    first = min((id for id, _at in of_act), default=email.id)
    return [
        _asked_for(email, first),
        *_written(email, is_tried=bool(attempts)),
        *later,
        *_ended(email),
        *_erased(email, is_tried=bool(attempts)),
    ]


def _actions(session: Session, email_id: int) -> Sequence[StaffAction]:
    """What was done to the email, alone or together with others."""
    alone = select(StaffAction.id).where(
        StaffAction.target == target_of(email_id), StaffAction.done > 0
    )
    together = select(StaffActionEmail.action_id).where(StaffActionEmail.email_id == email_id)
    ids = union(alone, together).subquery()
    return session.scalars(
        select(StaffAction).join(ids, ids.c[0] == StaffAction.id).order_by(StaffAction.id)
    ).all()


def target_of(email_id: int) -> str:
    """How ``StaffAction.target`` names the email."""
    return f"email:{email_id}"


def _asked_for(email: OutboxEmail, first: int) -> Step:
    """Why the email was written. ``first`` is the first email of the same act."""
    at = email.created_at
    if first != email.id:
        what = _("Sends email ${id} again", mapping={"id": first})
        return Step(at, what, tuple(filter(None, [email.request_id])), email_id=first)
    if email.request_id:
        return Step(at, _("Asked for by a request"), (email.request_id,))
    return Step(at, _("Written without a request, such as by a command"))


def _sent_again(id: int, at: datetime) -> Step:
    return Step(at, _("Sent again as email ${id}", mapping={"id": id}), email_id=id)


def _written(email: OutboxEmail, *, is_tried: bool) -> Iterator[Step]:
    at = email.created_at
    is_refused = _is_refused(email, is_tried=is_tried)
    if email.made_from is not None:
        yield Step(at, _("Could not be rendered, and waits for its template"))
    elif is_refused and (email.reason or "").startswith(_UNCOMPOSED):
        yield Step(at, _("Could not be rendered"))
    else:
        formats = [("HTML", email.html_body), ("text", email.text_body)]
        bodies = " + ".join(name for name, body in formats if body is not None)
        yield Step(at, _("Rendered"), tuple(filter(None, [bodies, email.locale])))
    if email.state in _WITHOUT_A_TRY or is_refused:
        yield Step(at, STATES[State(email.state)], words=email.reason or "")
    else:
        yield Step(at, _("Put into the queue"))


def _is_refused(email: OutboxEmail, *, is_tried: bool) -> bool:
    """Whether the email could not be sent from the moment when it was written."""
    return email.state == State.FAILED and not is_tried and email.heard is None


def _of_attempt(attempt: EmailAttempt) -> Step:
    code = " ".join(str(part) for part in (attempt.code, attempt.enhanced_code) if part)
    facts = (attempt.phase, code, f"{attempt.duration_ms} ms")
    what = OUTCOMES[Outcome(attempt.outcome)]
    return Step(attempt.at, what, tuple(filter(None, facts)), attempt.reply)


def _of_event(event: EmailEvent) -> Step:
    facts = tuple(filter(None, (event.source, event.code)))
    return Step(event.at, EVENTS[Event(event.event)], facts, event.words)


def _of_action(action: StaffAction, email_id: int) -> Step:
    what = ACTIONS.get(action.action, action.action)
    command = command_of(action)
    who = command if action.staff_id is None else f"account:{action.staff_id}"
    together = "" if action.target == target_of(email_id) else action.target
    # What was refused is about other emails.
    is_about_others = action.detail == command or any(refusals_of(action))
    detail = "" if is_about_others else action.detail
    return Step(action.at, what, tuple(filter(None, [who, together, detail])))


def _ended(email: OutboxEmail) -> Iterator[Step]:
    if email.state in _ENDS:
        yield Step(None, STATES[State(email.state)], words=email.reason or "")


def _erased(email: OutboxEmail, *, is_tried: bool) -> Iterator[Step]:
    if email.has_body or email.made_from is not None:
        return
    is_held_back = email.state in (State.THROTTLED, State.SUPPRESSED) and not is_tried
    if is_held_back or _is_refused(email, is_tried=is_tried):
        # Such content may have been left out when the email was written.
        yield Step(None, _("The content is not kept."))
    else:
        yield Step(None, _("The content has been erased since."))


def what_is_next(request: Request, email: OutboxEmail) -> list[Next]:
    """What happens to the email from now on."""
    now, session = request.now, request.dbsession
    found: list[Next] = []
    if email.state == State.QUEUED:
        name = relay.name_of(request.registry.pillarbox.email)
        rest = relay.rest(session, name, now)
        due = max(email.next_attempt_at or now, now if rest is None else rest.until)
        found.append(Next(_("A worker tries the email from this time on:"), max(due, now)))
        if rest is not None:
            found.append(Next(_("The relay rests until then:"), rest.until, rest.reason))
        found.append(Next(_("If it has not gone out by then, it expires:"), email.expires_at))
    elif email.state == State.SENDING:
        found.append(Next(_("A worker is sending the email at this moment.")))
    elif email.state == State.UNKNOWN:
        found.append(Next(_("The email is held until you release or cancel it.")))
    elif email.state == State.SENT and email.delivered_at is None:
        found.append(Next(_("The relay has the email. Nobody has told yet what became of it.")))
    else:
        found.append(Next(_("Nothing happens by itself.")))
    suppressed = _suppression(session, email, now)
    if suppressed is not None:
        reason = suppressed.reason
        found.append(Next(_("No email goes to this address until:"), suppressed.until, reason))
    return found


def _suppression(session: Session, email: OutboxEmail, now: datetime) -> SuppressedAddress | None:
    return suppressions(session, [email.recipient_key], now).get(email.recipient_key)


def possible_actions(email: OutboxEmail, kind: Kind | None) -> dict[str, str]:
    """The buttons that make sense: the names of the actions, and their texts."""
    buttons = {}
    state = State(email.state)
    if not email.has_body and email.made_from is None:
        # There is nothing to send.
        pass
    elif state is State.UNKNOWN:
        buttons["release"] = _("Release")
    elif state not in (State.QUEUED, State.SENDING):
        buttons["resend"] = _("Send again")
    if state in (State.QUEUED, State.UNKNOWN):
        buttons["cancel"] = _("Cancel")
    if is_shown(email, kind):
        buttons["copy"] = _("Send a copy to me")
    return buttons


def is_shown(email: OutboxEmail, kind: Kind | None) -> bool:
    """Whether staff may see the bodies. A body with a link that opens an account is not shown."""
    return kind is not None and not kind.carries_secret and email.has_body
