"""Faults of what the agent itself leans on: the policy engine, the log, the approval desk, the language model.

The world injects its own (API server, Prometheus, repair system, kubelets). Here a port is wrapped: while its target
is down each call raises that port's own fault, while it is slow each call takes a while of simulated time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from agent.ports import DeskUnavailable, Fault, LedgerUnavailable, PolicyUnavailable

SLOW_CALL = timedelta(seconds=1)  # what one call takes while its target is slow
OF_THE_WORLD: Final = frozenset({"apiserver", "prometheus", "repair", "kubelet"})


class MovingClock(Protocol):
    def now(self) -> datetime: ...

    def pass_by(self, duration: timedelta) -> None: ...


@dataclass(frozen=True, slots=True)
class Outage:
    target: str
    kind: str
    until: datetime


class Outages:
    """`interpose` is assembly's hook."""

    def __init__(self, clock: MovingClock) -> None:
        self._clock = clock
        self._outages: list[Outage] = []

    def begin(self, target: str, kind: str, until: datetime) -> None:
        self._outages.append(Outage(target, kind, until))

    def interpose(self, name: str, port: Any) -> Any:
        return _Wrapped(port, lambda: self._gate(name)) if name in _FAULTS else port

    def _gate(self, name: str) -> bool:
        """Raises the fault of a port that is down; False when the call is not to be made at all."""
        outage = self._active(name)
        if outage is None:
            return True
        if outage.kind == "latency":
            self._clock.pass_by(SLOW_CALL)
            return True
        fault = _FAULTS[name]
        if fault is None:
            return False
        raise fault(outage.kind)

    def _active(self, target: str) -> Outage | None:
        now = self._clock.now()
        return next((o for o in reversed(self._outages) if o.target == target and now < o.until), None)


def _policy(kind: str) -> Fault:
    code = "policy.unreachable" if kind == "down" else "policy.error"
    return PolicyUnavailable(code, "the policy engine gives no decision")


# A model that is down explains nothing: the reasoner's own word for that is None, not a fault.
_FAULTS: Final[dict[str, Callable[[str], Fault] | None]] = {
    "log": lambda kind: LedgerUnavailable("the log cannot be written"),
    "policy": _policy,
    "approvals": lambda kind: DeskUnavailable("the approval desk does not answer"),
    "llm": None,
}


class _Wrapped:
    """A port whose every call passes the gate first."""

    def __init__(self, port: Any, gate: Callable[[], bool]) -> None:
        self._port = port
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            return found(*args, **kwargs) if self._gate() else None

        return call
