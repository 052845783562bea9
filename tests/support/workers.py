"""Workers that tests start by hand. ``Hire`` is the type of the fixture ``hire``, which stops its
workers when the test ends.
"""

from collections.abc import Callable
from typing import Any

from pyramid.router import Router

from app.mail.delivery.worker import Delivery
from app.mail.smtp.mailer import Mailer, Timeouts

Hire = Callable[[Router], Delivery]


def impatient(registry: Any, seconds: float) -> Delivery:
    """A worker that waits ``seconds`` for each answer of the relay, and no longer."""
    timeouts = Timeouts(seconds, seconds, seconds)
    return Delivery(registry, lambda: Mailer(registry.pillarbox.email, timeouts))
