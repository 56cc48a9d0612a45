"""Kueue's admission check within `watchkeeper run`: by who is in charge, behind the same gate as every action.

An agent that only observes answers nobody, and its check does not become active. What goes wrong is looked at again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.adapters.gated import Gate
    from agent.adapters.kueue.check_controller import Applier
    from agent.assembly import Agent

log = logging.getLogger("watchkeeper.kueue")


class Admission:
    """One per turn; driven by the loop's thread."""

    def __init__(self, agent: Agent, cluster: Applier, gate: Gate) -> None:
        from agent.adapters.gated import GatedApplier
        from agent.adapters.kueue.check_controller import AdmissionCheckController
        from agent.adapters.kueue.check_facts import NodeFacts
        from agent.adapters.kueue.check_policy import RegoAdmissionPolicy

        self._ports = ports = agent.ports
        self._gate = gate
        self._policy = RegoAdmissionPolicy(lambda: agent.policies.bundle)
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

    def step(self) -> None:
        from agent.ports import Fault

        if self._gate.observing:
            return
        self._asked = None
        try:
            self._controller.step()
        except Fault as fault:
            log.info("nobody is let in at this time: %s: %s", fault.place, fault)

    def close(self) -> None:
        self._policy.close()

    def _frozen(self) -> str | None:
        """What stops every other action stops this one: a freeze wherever it was said, or the breaker. Asked once a
        look, however many wait."""
        from agent.trust import stopped_by

        if self._asked is None:
            self._asked = (stopped_by(self._ports),)
        return self._asked[0]
