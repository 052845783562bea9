"""What the shop does beside its pages, every five minutes: reconcile with the payment provider, and
look after orders whose time has come.
"""

import logging
import threading
from collections.abc import Callable

from pyramid.registry import Registry

from app.shop.documents.fill_in import fill_in
from app.shop.downloads import open_waiting_downloads
from app.shop.late_receipts import tell_of_late_receipts
from app.shop.payments.reconcile import PERIOD, reconcile

log = logging.getLogger(__name__)

STOP_SECONDS = 5.0

CHORES: tuple[Callable[[Registry], dict[str, int]], ...] = (
    reconcile,
    fill_in,
    open_waiting_downloads,
    tell_of_late_receipts,
)


def run_chores(registry: Registry) -> None:
    """Run every chore once. An error of one is logged, and the others still run."""
    for chore in CHORES:
        try:
            for what, count in chore(registry).items():
                if count:
                    log.info("%s: rows=%d", what, count)
        except Exception:
            log.exception("chore failed: chore=%s", chore.__name__)


class ChoresThread:
    """Runs the chores beside delivery, until it is stopped. A chore that is cut off by the end of
    the process is taken up again by the next run.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Run the chores now, and then every ``PERIOD``."""
        self._stopping.clear()
        thread = threading.Thread(target=self._run, name="chores", daemon=True)
        # A signal may end the server here, and ``stop`` joins only a thread that has started.
        thread.start()
        self._thread = thread

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Wait at most ``seconds`` for the chore that runs."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            run_chores(self._registry)
            self._stopping.wait(PERIOD.total_seconds())
