"""Acts that happen at the same time, each in a thread of its own. All threads wait for each other
before they act.
"""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

Actor = TypeVar("Actor")
Result = TypeVar("Result")


def at_once(act: Callable[[Actor], Result], actors: Collection[Actor]) -> list[Result]:
    """Let every actor act at once. Returns their results in the actors' order; an error that one of
    them meets is raised.
    """
    together = Barrier(len(actors))

    def wait_and_act(actor: Actor) -> Result:
        together.wait()
        return act(actor)

    with ThreadPoolExecutor(len(actors)) as threads:
        return list(threads.map(wait_and_act, actors))
