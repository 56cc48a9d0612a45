"""A Proposal says everything: policy, person and executor see the same digest and leave no choice to execution."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from agent.domain.base import Noun, digest_of
from agent.domain.cluster import ObjectRef
from agent.domain.diagnosis import Evidence
from agent.domain.forecast import GpuForecast, QueueForecast, ServiceForecast
from agent.domain.stake import Stake


class Verb(StrEnum):
    """How a step touches the world. There is no delete: the agent never deletes."""

    PATCH = "patch"  # RFC 7386 merge patch
    SCALE = "scale"
    EVICT = "evict"
    CREATE = "create"
    REQUEST_REPAIR = "request_repair"
    WITHDRAW_REPAIR = "withdraw_repair"
    NOTIFY = "notify"


class WaitFor(Noun):
    """A step begins when this holds; past the time-out the action fails and is undone."""

    condition: Literal["pods_gone", "delay"]
    pods: tuple[str, ...] = ()  # uids
    delay_s: int = Field(default=0, ge=0)
    timeout_s: int = Field(default=600, ge=0)


class Step(Noun):
    """One mutation of the cluster."""

    verb: Verb
    target: ObjectRef
    body: dict[str, object] = {}
    uid: str | None = None  # the object must still be this one
    version: str | None = None  # and unchanged since the look (resourceVersion): the body replaces a whole list of it
    seen: dict[str, object] | None = None  # what the parts that it writes read then; its undo asks for what it wrote
    undo: dict[str, object] | None = None  # body that takes it back, for patch and scale
    wait_for: WaitFor | None = None


class BlastRadius(Noun):
    """What the action touches, at most. Names, so that a window can count distinct ones."""

    nodes: tuple[str, ...] = ()
    gangs: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    pods: int = 0
    gpus: int = 0


class Prediction(Noun):
    """What a fork of the scheduler's snapshot says will happen; `verify` compares. No part of the digest: it says what
    will come of the steps, not what they are. That it changes for the worse is judged again before they are done."""

    gpus: GpuForecast | None = None  # None: the scheduler has no forecast
    gangs_started: tuple[str, ...] = ()  # all that start, because of it or anyway
    starts: tuple[str, ...] = ()  # of those, whoever would not without it
    stops: tuple[str, ...] = ()  # they hold nodes, and because of it they wait whole
    delays: tuple[str, ...] = ()  # they would start without it, and because of it they do not
    gpus_of: dict[str, int] = {}  # GPUs of those three, at their minimum
    gangs_pending: dict[str, str] = {}  # who waits at the end, and why
    waits_at_most_s: dict[str, int] = {}  # only where deadlines of those that run are known
    queues: tuple[QueueForecast, ...] = ()
    services: tuple[ServiceForecast, ...] = ()
    not_foretold: tuple[str, ...] = ()  # what nobody can know beforehand
    left_out: dict[str, int] = {}  # by field: how many more there are than the record lists

    @property
    def gpus_free_before(self) -> int:
        return self.gpus.before.free if self.gpus else 0

    @property
    def gpus_free_after(self) -> int:
        return self.gpus.after.free if self.gpus else 0


_OF_ITS_LOOK = ("version", "seen")  # which look a step was made from: what must still hold, not what is done


class Proposal(Noun):
    id: str  # <incident>/<round>
    incident: str
    action: str
    target: ObjectRef
    parameters: dict[str, object] = {}
    steps: tuple[Step, ...]
    rests_on: dict[str, object] = {}  # fields that the decision rests on; drift in them aborts
    blast_radius: BlastRadius
    destructive: bool  # stops or restarts work that runs
    protective: bool  # only keeps harm away (a cordon), undone at no cost
    undoes: str | None = None  # id of the proposal that this takes back
    edited_by: tuple[str, ...] = ()  # people who changed what the agent asked; the newest last
    tenant: str = ""
    source: str
    confidence: float = Field(ge=0.0, le=1.0)
    statement: str  # prose for people; not part of the digest
    evidence: tuple[Evidence, ...] = ()
    prediction: Prediction | None = None
    at_stake: tuple[Stake, ...] = ()  # whose work stops, and how much of it is lost; it grows, so no part of the digest
    notice_s: int = Field(default=0, ge=0)  # grace that the owner gets before execution

    @property
    def digest(self) -> str:
        """Of what the executor will do and what it rests on, not of the prose, nor of which look it was made from."""
        return digest_of(
            {
                "incident": self.incident,
                "action": self.action,
                "target": self.target.json_object(),
                "parameters": self.parameters,
                "steps": [{k: v for k, v in s.json_object().items() if k not in _OF_ITS_LOOK} for s in self.steps],
                "rests_on": self.rests_on,
                "undoes": self.undoes,
            }
        )


class Refusal(Noun):
    """An action that cannot be proposed: code, sentence, remedy."""

    code: str
    message: str
    remedy: str = ""
