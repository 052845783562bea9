"""How many of the server's threads may wait for the payment provider at once.

A provider that does not answer must not stop the pages that do without it. So at most half of the
threads wait, and a request that finds no place is told to come back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from pyramid.registry import Registry

from app.shop.payments.provider import ProviderBusy

USUAL_THREADS = 4
"""How many threads waitress has unless its settings say otherwise."""


def share_threads(registry: Registry, threads: int) -> None:
    """Let half of the server's ``threads`` wait for the provider, and at least one."""
    registry.payment_places = BoundedSemaphore(max(1, threads // 2))


@contextmanager
def place_to_wait(registry: Registry) -> Iterator[None]:
    """Hold a place while the block waits for the provider. Raises ``ProviderBusy``."""
    places: BoundedSemaphore = registry.payment_places
    if not places.acquire(blocking=False):
        raise ProviderBusy("too many requests wait for the provider")
    try:
        yield
    finally:
        places.release()
