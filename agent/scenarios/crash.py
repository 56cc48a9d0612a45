"""Kills the agent's process in the middle of things, as far as one process can do that to itself.

AgentKilled is a BaseException: nothing in the agent may catch it, exactly as nothing catches SIGKILL. What is not in
the stores by then is lost.
"""

from collections import Counter


class AgentKilled(BaseException):
    """Raised at the boundary where the process dies."""


class Kills:
    """ports.Boundaries: kills at the next boundary of each kind that was asked for, once for each time asked."""

    def __init__(self) -> None:
        self._armed: Counter[str] = Counter()

    def arm(self, boundary: str) -> None:
        self._armed[boundary] += 1

    def reached(self, name: str) -> None:
        if self._armed[name]:
            self._armed[name] -= 1
            raise AgentKilled(name)
