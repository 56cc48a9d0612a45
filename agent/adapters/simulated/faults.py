"""Faults that a scenario injects, and what each does to a call: refuse it, break it, or let it take its time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.adapters.simulated.clock import SimulatedClock

TARGETS = ("apiserver", "prometheus", "repair", "kubelet")
KINDS = ("down", "error", "latency", "conflict")
LATENCY = timedelta(seconds=1)  # what one call takes while its target is slow


@dataclass(frozen=True, slots=True)
class InjectedFault:
    target: str
    kind: str
    until: datetime


class FaultBoard:
    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._faults: list[InjectedFault] = []

    def inject(self, target: str, kind: str, until: datetime) -> None:
        if target not in TARGETS:
            raise ValueError(f"fault.target: {target!r} is none of {', '.join(TARGETS)}")
        if kind not in KINDS:
            raise ValueError(f"fault.kind: {kind!r} is none of {', '.join(KINDS)}")
        self._faults.append(InjectedFault(target, kind, until))

    def active(self, target: str) -> InjectedFault | None:
        """The newest fault of that target that is not over."""
        now = self._clock.now()
        for fault in reversed(self._faults):
            if fault.target == target and now < fault.until:
                return fault
        return None

    def gate(self, target: str, refusals: Mapping[str, Callable[[], Exception]]) -> None:
        """Raises what `refusals` has for the active fault's kind; a slow target answers, later."""
        fault = self.active(target)
        if fault is None:
            return
        if fault.kind in refusals:
            raise refusals[fault.kind]()
        if fault.kind == "latency":
            self._clock.pass_by(LATENCY)
