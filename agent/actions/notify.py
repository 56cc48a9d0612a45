"""Tells a person. Changes nothing in the cluster, so it has no preconditions and nothing to undo."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from agent.actions.base import Occasion, Plain, Repairs, Success
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.proposal import BlastRadius, Proposal, Refusal, Step, Verb

MESSAGE_LIMIT_CHARS = 2000  # what a chat message shows without folding


class NotifyParameters(Noun):
    audience: Literal["owner", "oncall", "support"]
    message: str = Field(min_length=1, max_length=MESSAGE_LIMIT_CHARS)


class Notify(Plain[NotifyParameters]):
    name = "notify"
    parameters = NotifyParameters
    verify_within_s = 60

    def refuse(self, target: ObjectRef, params: NotifyParameters, view: ClusterView) -> Refusal | None:
        return None

    def steps(
        self, target: ObjectRef, params: NotifyParameters, view: ClusterView, occasion: Occasion
    ) -> tuple[Step, ...]:
        body: dict[str, object] = {"audience": params.audience, "message": params.message}
        return (Step(verb=Verb.NOTIFY, target=target, body=body),)

    def blast_radius(self, target: ObjectRef, params: NotifyParameters, view: ClusterView) -> BlastRadius:
        return BlastRadius()

    def rests_on(self, target: ObjectRef, params: NotifyParameters, view: ClusterView) -> dict[str, object]:
        return {}

    def succeeded(self, proposal: Proposal, view: ClusterView, now: datetime, repairs: Repairs) -> Success:
        return Success(True, "told")
