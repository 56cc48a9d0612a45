"""Whether the cluster's Kueue is whole, told by `watchkeeper run` once when it is not, and once when it is again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.adapters.kueue.standing import Served
    from agent.adapters.telemetry.instruments import Instruments
    from agent.assembly import Agent
    from agent.domain.cluster import ObjectRef

PLACE = "kueue.x-k8s.io"
log = logging.getLogger("watchkeeper.kueue")


class KueueWatch:
    """Looked at by the loop's thread, its details are read by the server's."""

    def __init__(self, served: Callable[[], Served], instruments: Instruments) -> None:
        from agent.adapters.kueue.standing import KueueStanding

        self._standing, self._instruments = KueueStanding(served), instruments

    def look(self, agent: Agent) -> None:
        """What cannot be seen now is as it was when it was seen last."""
        from agent.adapters.kueue.standing import State
        from agent.ports import Fault

        try:
            found = self._standing.look(agent.ports.views.take())
        except Fault as fault:
            log.debug("whether Kueue is whole is not known now: %s", fault)
            return
        if found is None:
            return
        for state in State:
            self._instruments.kueue.labels(state.value).set(found.state is state)
        if found.unheeded:
            log.warning("%s; its levers are left alone until it is whole", found.unheeded)
            agent.refused("kueue", PLACE, found.unheeded)
        else:
            log.info("Kueue is %s", found.state)

    def unheeded(self, target: ObjectRef) -> str:
        return self._standing.unheeded(target)

    def details(self, agent: Agent) -> Mapping[str, object]:
        """For /readyz."""
        return {**self._standing.details(), **(agent.kueue.standing() if agent.kueue else {})}
