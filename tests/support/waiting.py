"""Waiting for what another thread or process does. A test waits for a condition and never for a
fixed time, so it takes no longer than needed and does not fail on a busy machine.
"""

import time
from collections.abc import Callable


def eventually(
    holds: Callable[[], bool], seconds: float = 20, what: str = "the condition to hold"
) -> None:
    """Wait until ``holds()``. Raises ``TimeoutError``, which names ``what``, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} seconds for {what}")
        time.sleep(0.01)
