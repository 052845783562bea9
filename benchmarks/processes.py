"""Processes that run at the same time. They are started, measured and ended together."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from tests.support.server_process import Process, start
from tests.support.waiting import eventually

STARTING_SECONDS = 60.0


class Processes:
    """Commands that run in sessions of their own, so that their child processes end with them."""

    def __init__(self, *commands: Sequence[str], log: Path) -> None:
        self._commands = commands
        self._log = log
        self._processes: list[Process] = []

    def __enter__(self) -> Self:
        for command in self._commands:
            self._processes.append(start(command, self._log, own_session=True))
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGTERM)
        self.resume()
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
        self._signal(signal.SIGKILL)
        for process in self._processes:
            process.wait(15)

    def cpu_seconds(self) -> float:
        """The processor time that all of them have used so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self._family())

    def memory(self) -> int:
        """The resident memory of the biggest process, in bytes."""
        return max(int(process.memory_info().rss) for process in self._family())

    def wait_until_idle(self) -> None:
        """Wait until they have started, which shows in that they no longer use the processor."""
        used = [-1.0]

        def rests() -> bool:
            self.check()
            time.sleep(0.7)
            used.append(self.cpu_seconds())
            return used[-1] - used[-2] < 0.04

        eventually(rests, STARTING_SECONDS, "processes to start")

    def pause(self) -> None:
        """Suspend them."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on after ``pause``."""
        self._signal(signal.SIGCONT)

    def check(self) -> None:
        """Raise ``RuntimeError`` with the end of the log when one of them has ended."""
        if any(process.poll() is not None for process in self._processes):
            raise RuntimeError(f"a process has ended: {self._log.read_text()[-2000:]}")

    def _family(self) -> list[psutil.Process]:
        self.check()
        parents = [psutil.Process(process.pid) for process in self._processes]
        return [*parents, *(child for parent in parents for child in parent.children(True))]

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
