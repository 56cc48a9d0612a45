"""Kueue's admission check within `watchkeeper run`: by who is in charge, behind the same gate as every action.

An agent that only observes answers nobody, and its check does not become active. What goes wrong is counted, told in
/readyz and looked at again; none of it ends the agent, and the agent is ready without it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.adapters.gated import Gate
    from agent.adapters.kueue.check_controller import Applier, Looked
    from agent.adapters.telemetry.instruments import Instruments
    from agent.assembly import Agent

PLACE = "admission_check"
SAID_AT_MOST = 300  # characters of a fault
log = logging.getLogger("watchkeeper.kueue")


class Admission:
    """One per turn; driven by the loop's thread, its details are read by the server's."""

    def __init__(self, agent: Agent, cluster: Applier, gate: Gate, instruments: Instruments, *, wanted: bool) -> None:
        from agent.adapters.gated import GatedApplier
        from agent.adapters.kueue.check_controller import AdmissionCheckController
        from agent.adapters.kueue.check_facts import NodeFacts
        from agent.adapters.kueue.check_policy import RegoAdmissionPolicy

        self._ports = ports = agent.ports
        self._gate, self._instruments, self._wanted = gate, instruments, wanted
        self._policy = RegoAdmissionPolicy(lambda: agent.policies.bundle)
        self._refused = agent.refused
        self._controller = AdmissionCheckController(
            GatedApplier(cluster, gate),
            ports.views,
            ports.clock,
            self._policy,
            NodeFacts(ports.incidents.open, self._frozen),
            ports.ledger,
            refused=agent.refused,
        )
        self._asked: tuple[str | None] | None = None
        self._details: Mapping[str, object] = self._standing()

    def step(self) -> None:
        from agent.ports import Fault

        if self._gate.observing or not self._wanted:
            return
        self._asked = None
        try:
            self._looked(self._controller.step())
        except Fault as fault:
            log.info("nobody is let in at this time: %s: %s", fault.place, fault)
            self._failed(f"{fault.place}: {fault}")
        except Exception as unforeseen:  # whatever it is, incidents are dealt with all the same
            log.exception("nobody is let in at this time")
            self._failed(f"{type(unforeseen).__name__}: {unforeseen}")
            self._refused("kueue", PLACE, f"it failed of what nobody foresaw: {unforeseen!r}"[:SAID_AT_MOST])

    def details(self) -> Mapping[str, object]:
        """For /readyz: whether it answers, and why it does not."""
        return self._details

    def close(self) -> None:
        self._policy.close()

    def _standing(self) -> dict[str, object]:
        if not self._wanted:
            return {"state": "off", "why": "admission_check is false"}
        if self._gate.observing:
            return {"state": "observes", "why": "an agent that only observes answers nobody"}
        return {"state": "not looked yet"}

    def _looked(self, looked: Looked) -> None:
        from agent.adapters.kueue.waiting import CONTROLLER

        self._instruments.admission_waiting.set(looked.waiting)
        if not looked.checks:
            self._details = {"state": "nothing to do", "why": f"no AdmissionCheck names {CONTROLLER}"}
            return
        counts = {"waiting": looked.waiting, "unread": looked.unread}
        self._details = {"state": "answers", "checks": list(looked.checks), **counts}

    def _failed(self, why: str) -> None:
        self._instruments.faults.labels(PLACE).inc()
        self._details = {"state": "fails", "why": " ".join(why.split())[:SAID_AT_MOST]}

    def _frozen(self) -> str | None:
        """What stops every other action stops this one: a freeze wherever it was said, or the breaker. Asked once a
        look, however many wait."""
        from agent.trust import stopped_by

        if self._asked is None:
            self._asked = (stopped_by(self._ports),)
        return self._asked[0]
