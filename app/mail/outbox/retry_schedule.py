"""When a deferred email is tried again."""

from datetime import timedelta

RETRY_DELAYS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720, 720, 720)
)
"""The wait after each deferral of an email. They add up to 46 hours and one more would exceed 48,
so the email fails at the tenth deferral.
"""
LONGEST_WAIT = max(RETRY_DELAYS) * 1.1


def retry_delay(attempts: int, jitter: float) -> timedelta | None:
    """The wait after so many deferrals, or None when none is left. ``jitter``, from 0 to 1, spreads
    the retries over a tenth of the wait.
    """
    if attempts >= len(RETRY_DELAYS):
        return None
    return RETRY_DELAYS[attempts] * (1 + jitter / 10)
