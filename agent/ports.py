"""What the agent needs from the world, as Protocols. Two worlds and many stores stand behind them; nothing is mocked.

Faults are the exceptions of `agent.faults`, with the cause chained. A refusal is data (domain.Refusal).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol

from agent.desk import AnswerRefused as AnswerRefused, ApprovalDesk as ApprovalDesk
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.diagnosis import Diagnosis
from agent.domain.entry import Entry
from agent.domain.incident import Incident, IncidentState
from agent.domain.outcome import PastAction
from agent.domain.proposal import Prediction
from agent.domain.signal import Signal
from agent.domain.standing import Standing
from agent.domain.thresholds import Thresholds
from agent.faults import (
    Altered as Altered,
    Changed as Changed,
    ClusterFault as ClusterFault,
    ClusterUnavailable as ClusterUnavailable,
    Conflict as Conflict,
    DeskUnavailable as DeskUnavailable,
    Fault as Fault,
    FieldConflict as FieldConflict,
    Forbidden as Forbidden,
    Gone as Gone,
    Invalid as Invalid,
    LedgerUnavailable as LedgerUnavailable,
    MetricsNotConfigured as MetricsNotConfigured,
    MetricsUnavailable as MetricsUnavailable,
    NotFound as NotFound,
    NotServed as NotServed,
    PolicyUnavailable as PolicyUnavailable,
    RepairUnavailable as RepairUnavailable,
    ServerError as ServerError,
    StoreUnavailable as StoreUnavailable,
    TooManyRequests as TooManyRequests,
    Unauthorized as Unauthorized,
)

JsonObject = dict[str, Any]


# --- time and order -------------------------------------------------------------------------------------------------


class Clock(Protocol):
    def now(self) -> datetime: ...


class TaskOrder(Protocol):
    """Chooses which of the ready tasks runs next: first come first served live, seeded in simulation."""

    def choose(self, ready: Sequence[str]) -> int: ...


class Boundaries(Protocol):
    """Told when a durable boundary was crossed, so that a simulation can kill the process exactly there.

    Names: 'intent', 'effect', 'outcome', 'approval'.
    """

    def reached(self, name: str) -> None: ...


# --- the cluster ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change of an object: type is ADDED, MODIFIED or DELETED."""

    type: str
    object: JsonObject


class Cluster(Protocol):
    """The Kubernetes-shaped port. Objects are JSON as the API server stores them; all verbs may raise ClusterFault."""

    def get(self, ref: ObjectRef) -> JsonObject: ...

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[JsonObject]: ...

    def watch(self, api_version: str, kind: str, *, resource_version: str) -> Iterator[WatchEvent]:
        """The changes since `resource_version` that are known now; returns when there are no more."""
        ...

    def patch(
        self,
        ref: ObjectRef,
        body: JsonObject,
        *,
        subresource: Literal["status"] | None = None,
        dry_run: bool = False,
        uid: str | None = None,
        field_manager: str = "watchkeeper",
    ) -> JsonObject:
        """RFC 7386 merge patch. metadata.resourceVersion in `body` is a precondition, `uid` another: Conflict."""
        ...

    def scale(
        self, ref: ObjectRef, replicas: int, *, dry_run: bool = False, uid: str | None = None, seen: int | None = None
    ) -> JsonObject:
        """`seen`: how many it must be told to have now. Raises Changed where that is another number."""
        ...

    def evict(self, ref: ObjectRef, *, dry_run: bool = False, uid: str | None = None) -> None: ...

    def bind(self, ref: ObjectRef, node: str) -> None: ...

    def create(self, manifest: JsonObject, *, dry_run: bool = False) -> JsonObject: ...


class Feed(Protocol):
    """Follows some kinds of a cluster that changes by itself: lists them, then watches."""

    def news(self) -> Sequence[WatchEvent]:
        """What changed since it was asked last, at first everything; of each object the last change only.

        Raises ClusterFault while a watch is broken: what is seen then may be old, and nothing is decided on it.
        """
        ...


class Views(Protocol):
    """Takes one consistent look at the cluster and translates it."""

    def take(self) -> ClusterView: ...


# --- telemetry ------------------------------------------------------------------------------------------------------


class Series(NamedTuple):
    """One series of a range read: labels (with __name__) and (time, value) points, oldest first."""

    labels: Mapping[str, str]
    points: tuple[tuple[datetime, float], ...]


class Metrics(Protocol):
    """PromQL reads. The simulated store understands vector selectors with matchers; so do we not ask for more."""

    def instant(self, query: str, at: datetime) -> list[Series]:
        """The value of each series at `at` (one point each), as of at most 5 minutes before."""
        ...

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]: ...


# --- what acts and tells --------------------------------------------------------------------------------------------


class RepairSystem(Protocol):
    """The site's own repair system. `key` makes a request idempotent: the same key never starts a second repair."""

    def request(self, node: str, operation: str, *, gpu_uuid: str | None, key: str) -> None: ...

    def state(self, key: str) -> Literal["unknown", "pending", "succeeded", "failed"]: ...

    def withdraw(self, key: str) -> None: ...


class Notifier(Protocol):
    """Tells a person. `key` makes a repetition harmless. A failure to notify never stops the rest (it is recorded)."""

    def notify(self, audience: str, subject: ObjectRef, message: str, *, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Relocation:
    """A single pod or a whole gang that would leave these nodes for those."""

    ref: ObjectRef
    whole_gang: bool
    sources: tuple[str, ...]
    targets: tuple[str, ...]


class Forecaster(Protocol):
    """A what-if on a fork of the scheduler's snapshot.

    The effect is told against what the scheduler does anyway; no change is that alone. A change is {'uncordon': node},
    {'requeue': ObjectRef, 'exclude_nodes': [...]}, {'cordon': node}, {'drain': node}, {'evict': pod},
    {'remove': owner}, {'scale': owner, 'replicas': n}, {'activate': gang, 'active': bool}, {'stop': queue, 'policy': …}
    {'mend': node}, {'reserve': gang, 'nodes': […]}, {'defragment': queue, 'moves': […]}
    or {'quota': queue, 'flavor', 'resource', 'nominal', 'borrowing_limit', 'lending_limit'}; things are ObjectRefs.
    """

    def what_if(self, view: ClusterView, changes: Sequence[Mapping[str, Any]]) -> Prediction: ...

    def seats(self, view: ClusterView, gang: ObjectRef, changes: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        """The nodes that the gang's missing pods would get after these changes; none where it would not start."""
        ...

    def gather(
        self, view: ClusterView, gang: ObjectRef, pods: Sequence[ObjectRef], gangs: Sequence[ObjectRef], moves_max: int
    ) -> Sequence[Relocation] | None:
        """The fewest moves of these that let the gang start; None where none do, empty where it starts anyway."""
        ...


# --- deciding -------------------------------------------------------------------------------------------------------


class PolicyEngine(Protocol):
    """Evaluates `watchkeeper.main.verdict`. Raises PolicyUnavailable; never invents a decision."""

    @property
    def digest(self) -> str: ...

    @property
    def limits(self) -> Mapping[str, Any]:
        """The data that it decides by: what is at data.limits."""
        ...

    def decide(self, policy_input: JsonObject) -> JsonObject: ...


class Switch(Protocol):
    """The kill switch outside the log."""

    def frozen(self) -> str | None:
        """Where it is set (`file`, `annotation`); None where it is not. What cannot be read counts as set."""
        ...

    def lately(self) -> str | None:
        """The same for who only decides: that it was not set a second ago will do. Before a step it will not."""
        ...


class Playbooks(Protocol):
    """Finds the playbook that explains an incident, and reads its remedies. Expressions are CEL."""

    def diagnose(self, incident: Incident, facts: Mapping[str, Any]) -> "PlaybookMatch | None": ...

    def remedies(self, playbook: str, facts: Mapping[str, Any]) -> "Sequence[Remedy]": ...


@dataclass(frozen=True, slots=True)
class PlaybookMatch:
    playbook: str
    cause: str
    statement: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Remedy:
    """One action that a playbook asks for, with its expressions evaluated."""

    action: str
    target: ObjectRef
    parameters: Mapping[str, Any]
    statement: str
    on_refusal: Literal["stop", "continue"]  # what a deny, a rejection or an expiry means for the remedies after it
    undoes: str | None = None  # id of an earlier proposal: this remedy takes it back
    edited_by: tuple[str, ...] = ()  # people who changed its parameters


# --- remembering ----------------------------------------------------------------------------------------------------


class AlreadyRecorded(Exception):
    """The unique key is taken: somebody was here before. Carries the payload that stands."""

    def __init__(self, unique_key: str, payload: JsonObject) -> None:
        super().__init__(f"{unique_key} is recorded already")
        self.unique_key = unique_key
        self.payload = payload


class Ledger(Protocol):
    """The way into the append-only log. `record` returns when the record is durable; raises LedgerUnavailable."""

    def record(
        self,
        kind: str,
        payload: JsonObject,
        *,
        unique_key: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Raises AlreadyRecorded when `unique_key` is taken."""
        ...

    def find(self, unique_key: str) -> JsonObject | None: ...

    def ours(self, intent_key: str) -> bool: ...  # begun by this worker, or by one that is no more

    def story(self, incident: str) -> list[Entry]: ...  # all records about it, in the log's order

    def past_actions(self, since: datetime) -> list[PastAction]: ...

    def standing(self) -> Standing:
        """What grants, demotions, freezes and the breaker come to now."""
        ...


class Inbox(Protocol):
    """Signals as they came, durable before anybody acts on them. (source, id) is unique: False for a redelivery."""

    def put(self, signal: Signal) -> bool: ...

    def take(self, limit: int) -> list[Signal]:
        """The oldest signals not yet marked done."""
        ...

    def done(self, signals: Sequence[Signal]) -> None: ...


@dataclass(frozen=True, slots=True)
class WakeUp:
    incident: str
    due_at: datetime


class Timers(Protocol):
    """Durable wake-ups, at most one per incident."""

    def set(self, incident: str, due_at: datetime) -> None: ...

    def clear(self, incident: str) -> None: ...

    def due(self, now: datetime) -> list[WakeUp]: ...

    def next_due(self) -> datetime | None: ...


class Incidents(Protocol):
    """Projection of the incidents in the log."""

    def save(self, incident: Incident, state: IncidentState, *, playbook: str | None = None) -> None: ...

    def open(self) -> list[Incident]: ...

    def is_open(self, incident: str) -> bool: ...

    def get(self, incident: str) -> Incident | None: ...

    def closed_since(self, key: str, since: datetime) -> Sequence[Incident]:
        """The incidents of this key that were closed then or later, oldest first."""
        ...

    def last_closed(self, key: str) -> tuple[Incident, IncidentState, datetime] | None:
        """The newest closed incident of this key, with the time of its close."""
        ...


class StillThinking(Exception):
    """The reasoner has not come to a conclusion: ask again in a moment."""


class Reasoner(Protocol):
    """Explains what no playbook explains. None when it cannot: the incident goes to a person with its evidence."""

    def explain(self, incident: Incident, view: ClusterView) -> Diagnosis | None:
        """Raises StillThinking: nobody waits for a model in here, the other incidents go on."""
        ...

    def thinking(self, incident: str) -> bool:
        """Is there nothing new from it yet? Asked before a look is taken for nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything a stage may reach for, wired once in assembly.py."""

    clock: Clock
    cluster: Cluster
    views: Views
    metrics: Metrics
    repairs: RepairSystem
    notifier: Notifier
    forecaster: Forecaster
    policy: PolicyEngine
    switch: Switch
    playbooks: Playbooks
    reasoner: Reasoner
    ledger: Ledger
    inbox: Inbox
    timers: Timers
    incidents: Incidents
    desk: ApprovalDesk
    boundaries: Boundaries
    tenants: Mapping[str, Sequence[str]]  # namespaces by tenant
    idle_minimum_s: Mapping[str, int]  # by class of workload, from the policies' own data
    call_when_away_s: int  # how long policies or metrics may be away before a person is called
    thresholds: Thresholds
    unheeded: Callable[[ObjectRef], str]  # why nobody would act on what is written to this object now; or empty
