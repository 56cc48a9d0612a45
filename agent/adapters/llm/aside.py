"""Where a call to a model runs: beside the watch, so that the other incidents do not wait for it.

Daemon threads of our own: those of concurrent.futures are waited for when the process ends, and a model that dawdles
must not hold that up. Nothing but the call itself runs in them; what follows from it does in the thread that drives
the watch.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue

CALLS_AT_ONCE = 2  # one slow answer does not hold up the next incident's; more would flood a small server


class Aside:
    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[str], Callable[[], str]]] = SimpleQueue()
        self._threads = 0

    def begin(self, call: Callable[[], str]) -> Future[str]:
        """Runs when a thread is free. A call that was cancelled before that is never made."""
        future: Future[str] = Future()
        self._calls.put((future, call))
        if self._threads < CALLS_AT_ONCE:
            self._threads += 1
            threading.Thread(target=self._work, name=f"model-{self._threads}", daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001  whoever waits for the answer is told, in their own thread
                future.set_exception(error)
