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
    return Delivery(
        registry.database,
        registry.pillarbox.email,
        registry.email_kinds,
        clock=lambda: registry.clock(),
        wakeup=registry.email_wakeup,
        new_mailer=lambda: Mailer.from_settings(
            registry.pillarbox.email, Timeouts(seconds, seconds, seconds)
        ),
    )
