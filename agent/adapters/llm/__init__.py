"""The reasoner's room. With no model configured nobody explains: the incident goes to a person with its evidence."""

import time
from typing import TYPE_CHECKING

from agent.domain.cluster import ClusterView
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident
from agent.ports import Clock, Cluster, Forecaster, Ledger, Metrics, Reasoner

if TYPE_CHECKING:
    from agent.config import Settings


class NoReasoner:
    """What a site has that configured no model."""

    def explain(self, incident: Incident, view: ClusterView) -> Diagnosis | None:
        return None

    def thinking(self, incident: str) -> bool:
        return False


def reasoner_for(
    settings: "Settings",
    clock: Clock,
    cluster: Cluster,
    metrics: Metrics,
    forecaster: Forecaster,
    ledger: Ledger,
    *,
    in_turn: bool,
) -> Reasoner:
    """The site's model, if it has one. Of the cluster it gets the events to read, no more. Raises OSError (the key)."""
    if settings.model_endpoint is None or settings.model_name is None:
        return NoReasoner()
    from agent.adapters.llm.client import ModelClient
    from agent.adapters.llm.loop import ModelReasoner
    from agent.adapters.llm.tools import Sources

    key = settings.model_key_file.read_text(encoding="utf-8").strip() if settings.model_key_file else None
    return ModelReasoner(
        ModelClient(settings.model_endpoint, settings.model_name, key),
        settings.model_name,
        Sources(metrics, forecaster, lambda namespace: cluster.list("v1", "Event", namespace=namespace)),
        ledger,
        clock,
        seconds=time.monotonic,
        in_turn=in_turn,
    )
