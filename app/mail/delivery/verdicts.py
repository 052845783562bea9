"""What a verdict, or its absence, makes of an email: the settlement that the outbox writes."""

import logging
import random
from datetime import datetime

from app.mail.delivery.batch import ReadyEmail
from app.mail.kinds import InDoubt, Kind
from app.mail.outbox import outcomes
from app.mail.outbox.outcomes import Attempt, Settlement
from app.mail.outbox.tables import OutboxEmail
from app.mail.smtp.replies import Outcome, Phase, Verdict

log = logging.getLogger(__name__)


def settlement_of(
    ready: ReadyEmail, verdict: Verdict, now: datetime, *, milliseconds: int, blameless: bool
) -> Settlement:
    """What the verdict makes of the email. ``milliseconds`` is how long the attempt took.

    ``blameless`` means that a lost connection says nothing about this email, so losing it uses up
    no retry.
    """
    email, erase = ready.email, ready.kind.carries_secret
    attempt = Attempt(
        outcome=verdict.outcome,
        phase=verdict.phase,
        reply=verdict.reply,
        code=verdict.code,
        enhanced_code=verdict.enhanced_code,
        duration_ms=milliseconds,
    )
    match verdict.outcome:
        case Outcome.ACCEPTED:
            return outcomes.accepted(email, now, attempt, erase=erase)
        case Outcome.REFUSED:
            return outcomes.refused(email, now, attempt, erase=erase)
        case Outcome.IN_DOUBT:
            resend = ready.kind.in_doubt is InDoubt.RESEND
            return outcomes.in_doubt(email, now, attempt, resend=resend, erase=erase)
        case Outcome.SLOWED:
            return outcomes.postponed(email, now, attempt)
        case Outcome.LOST if blameless:
            return outcomes.postponed(email, now, attempt)
        case _:
            jitter = random.random()  # noqa: S311 (spreads retries, keeps no secret)
            return outcomes.deferred(email, now, attempt, jitter=jitter, erase=erase)


def settlement_without_verdict(email: OutboxEmail, kind: Kind | None, now: datetime) -> Settlement:
    """What becomes of an email whose worker lost its lease in ``sending``: it is in doubt."""
    attempt = Attempt(
        Outcome.IN_DOUBT,
        Phase.VERDICT,
        "its worker died when the final dot may have been out",
    )
    return outcomes.in_doubt(
        email,
        now,
        attempt,
        resend=kind is not None and kind.in_doubt is InDoubt.RESEND,
        erase=kind is None or kind.carries_secret,
    )


def log_attempt(settlement: Settlement) -> None:
    """Log the attempt without the relay's reply, which may hold an address. The reply is in the
    attempt's row.
    """
    email, attempt = settlement.email, settlement.attempt
    log.log(
        logging.INFO if attempt.outcome == Outcome.ACCEPTED else logging.WARNING,
        "delivery attempt: email=%d kind=%s phase=%s code=%s outcome=%s",
        email.id,
        email.kind,
        attempt.phase,
        attempt.code,
        attempt.outcome,
    )
