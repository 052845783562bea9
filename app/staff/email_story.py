"""The story of one email: what happened to it, in its order, and what happens next."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pyramid.request import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.mail.delivery import relay
from app.mail.kinds import Kind
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
from app.staff.models import StaffAction
from app.web.translation import _

_WITHOUT_A_TRY = (State.CAPTURED, State.THROTTLED)
"""The states that only the writing of an email gives it."""
_ENDS = (State.EXPIRED, State.SUPERSEDED, State.CANCELLED, State.SUPPRESSED)
"""The states in which an email ends after it was written. No row tells when."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened. ``what`` is a translation string, ``facts`` are such as a code and a
    duration, and ``words`` is what the relay or another server said. ``at`` is None where nothing
    tells the time.
    """

    at: datetime | None
    what: str
    facts: tuple[str, ...] = ()
    words: str = ""


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
    events = session.scalars(
        select(EmailEvent).where(EmailEvent.email_id == email.id).order_by(EmailEvent.id)
    ).all()
    actions = session.scalars(
        select(StaffAction)
        .where(StaffAction.target == target_of(email.id), StaffAction.done > 0)
        .order_by(StaffAction.id)
    ).all()
    later = [
        *map(_of_attempt, attempts),
        *map(_of_event, events),
        *map(_of_action, actions),
    ]
    # The sort keeps the order of rows with one time.
    later.sort(key=lambda step: step.at or email.created_at)
    return [*_written(email, is_tried=bool(attempts)), *later, *_ended(email)]


def target_of(email_id: int) -> str:
    """How ``StaffAction.target`` names the email."""
    return f"email:{email_id}"


def _written(email: OutboxEmail, *, is_tried: bool) -> Iterator[Step]:
    at, state = email.created_at, State(email.state)
    if email.request_id:
        yield Step(at, _("Asked for by a request"), (email.request_id,))
    else:
        yield Step(at, _("Written without a request, such as by a command"))
    if email.made_from is not None:
        yield Step(at, _("Could not be rendered, and waits for its template"))
    elif email.has_body:
        formats = [("HTML", email.html_body), ("text", email.text_body)]
        bodies = " + ".join(name for name, body in formats if body is not None)
        yield Step(at, _("Rendered"), (bodies, email.locale))
    else:
        yield Step(at, _("Its content was erased, or never kept"))
    is_refused = state is State.FAILED and not is_tried and email.heard is None
    if state in _WITHOUT_A_TRY or is_refused:
        yield Step(at, STATES[state], words=email.reason or "")
    else:
        yield Step(at, _("Put into the queue"))


def _of_attempt(attempt: EmailAttempt) -> Step:
    code = " ".join(str(part) for part in (attempt.code, attempt.enhanced_code) if part)
    facts = (attempt.phase, code, f"{attempt.duration_ms} ms")
    what = OUTCOMES[Outcome(attempt.outcome)]
    return Step(attempt.at, what, tuple(filter(None, facts)), attempt.reply)


def _of_event(event: EmailEvent) -> Step:
    facts = tuple(filter(None, (event.source, event.code)))
    return Step(event.at, EVENTS[Event(event.event)], facts, event.words)


def _of_action(action: StaffAction) -> Step:
    what = ACTIONS.get(action.action, action.action)
    who = () if action.staff_id is None else (f"account:{action.staff_id}",)
    return Step(action.at, what, (*who, *filter(None, [action.detail])))


def _ended(email: OutboxEmail) -> Iterator[Step]:
    if email.state in _ENDS:
        yield Step(None, STATES[State(email.state)], words=email.reason or "")


def what_is_next(request: Request, email: OutboxEmail) -> list[Next]:
    """What happens to the email from now on."""
    now, session = request.now, request.dbsession
    found: list[Next] = []
    if email.state == State.QUEUED:
        name = relay.name_of(request.registry.pillarbox.email)
        rest = relay.rest(session, name, now)
        due = max(email.next_attempt_at or now, now if rest is None else rest.until)
        found.append(Next(_("A worker tries the email as soon as it can."), max(due, now)))
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
    if state is State.UNKNOWN:
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
