"""What goes wrong when a test wants it: an error, no answer, a dropped connection."""

import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from tests.support.stripe.errors import ApiError, failure

When = Literal["before", "during", "after"]
"""The moment: before Stripe looks at the request; when it has begun to execute it, with the
idempotency key in use; after the work is done and the answer is stored.
"""
Kind = Literal["fail", "hang", "drop"]


class Dropped(Exception):
    """The connection ends without an answer."""


@dataclass
class Fault:
    """Meets the requests whose line (``POST /v1/refunds``) fits ``pattern``, ``times`` times."""

    pattern: str
    kind: Kind
    when: When
    times: int
    status: int = 500
    code: str | None = None
    met: int = 0
    """How many requests it has met."""
    _ended: threading.Event = field(default_factory=threading.Event)
    _is_dropping: bool = False

    def release(self) -> None:
        """The requests that hang go on, and no other is met."""
        self.times = 0
        self._ended.set()

    def drop(self) -> None:
        """The requests that hang end without an answer and without work, and no other is met."""
        self._is_dropping = True
        self.release()

    def act(self) -> None:
        """Raises ``ApiError`` or ``Dropped``, or waits."""
        if self.kind == "fail":
            raise self.error()
        if self.kind == "hang":
            self._ended.wait()
        if self.kind == "drop" or self._is_dropping:
            raise Dropped

    def error(self) -> ApiError:
        return failure(self.status, self.code)


@dataclass
class Faults:
    """The faults that a test has ordered, the oldest first."""

    faults: list[Fault] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, fault: Fault) -> Fault:
        self.faults.append(fault)
        return fault

    def act(self, line: str, when: When, *kinds: Kind) -> None:
        """Raises ``ApiError`` or ``Dropped``, or waits, if a fault (of these kinds) fits this
        request.
        """
        fault = self._take(line, when, kinds)
        if fault is not None:
            fault.act()

    def wait_for(self, fault: Fault, count: int = 1, seconds: float = 20) -> None:
        """Wait until the fault has met so many requests."""
        with self._changed:
            assert self._changed.wait_for(lambda: fault.met >= count, seconds), (
                f"{fault.met} of {count} requests came: {fault.pattern}"
            )

    def end(self) -> None:
        """Forget all faults. What hangs ends without an answer."""
        for fault in self.faults:
            fault.drop()
        self.faults = []

    def _take(self, line: str, when: When, kinds: tuple[Kind, ...]) -> Fault | None:
        with self._changed:
            for fault in self.faults:
                fits = fault.when == when and (not kinds or fault.kind in kinds)
                if fits and fault.times > 0 and fnmatchcase(line, fault.pattern):
                    fault.times -= 1
                    fault.met += 1
                    self._changed.notify_all()
                    return fault
        return None
