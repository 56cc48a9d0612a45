"""A Diagnosis: what is wrong, how sure, who says so, and the evidence."""

from datetime import datetime

from pydantic import Field

from agent.domain.base import Noun
from agent.domain.cluster import ObjectRef


class Evidence(Noun):
    """One thing that was seen. `observed_at` is when the telemetry was, not when it was read."""

    kind: str  # signal | metric | object | forecast
    statement: str
    source: str
    observed_at: datetime
    data: dict[str, object] = {}


class SuggestedRemedy(Noun):
    """An action of the catalogue that a model asks for: checked, and still only a suggestion."""

    action: str
    target: ObjectRef
    parameters: dict[str, object] = {}
    statement: str


class Diagnosis(Noun):
    incident: str
    cause: str  # a code: xid.79, idle.notebook, gang.below_minimum, model.<its word>, unknown
    statement: str
    source: str  # playbook:<name> | model:<name> | none
    playbook: str | None
    confidence: float = Field(ge=0.0, le=1.0)
    evidence: tuple[Evidence, ...]
    facts: dict[str, object] = {}  # what the playbook's expressions may read
    remedies: tuple[SuggestedRemedy, ...] = ()  # a model's; a playbook has its own
