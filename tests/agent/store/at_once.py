"""Several do something at the same moment."""

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def at_once(*acts: Callable[[], T]) -> list[T]:
    """What came of each, in whichever order they ended."""
    barrier = threading.Barrier(len(acts))
    outcomes: list[T] = []

    def run(act: Callable[[], T]) -> None:
        barrier.wait()
        outcomes.append(act())

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return outcomes
