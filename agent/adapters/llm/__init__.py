"""The reasoner's room. With no model configured nobody explains: the incident goes to a person with its evidence."""

from agent.domain.cluster import ClusterView
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident


class NoReasoner:
    """What a site has that configured no model."""

    def explain(self, incident: Incident, view: ClusterView) -> Diagnosis | None:
        return None
