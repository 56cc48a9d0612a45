"""The cluster as the agent reasons about it: a snapshot in the domain's own words.

Translated once from Kubernetes JSON (adapters/kubernetes/translate.py), whichever world the JSON came from.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from agent.domain.base import Noun
from agent.domain.pod_index import PodIndex, Shared

Identity = tuple[str, str | None, str, str]  # kind, namespace, name, API group


class ObjectRef(Noun):
    """Names one Kubernetes object. A cluster-scoped object has no namespace."""

    api_version: str = Field(alias="apiVersion")
    kind: str
    namespace: str | None = None
    name: str

    def __eq__(self, other: object) -> bool:
        """As any noun's, without the detours: references are keys wherever a cluster is looked at."""
        return self is other or (isinstance(other, ObjectRef) and self.__dict__ == other.__dict__)

    def __hash__(self) -> int:
        return hash((self.name, self.namespace, self.kind, self.api_version))

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def identity(self) -> Identity:
        """What tells it from others, whatever API version it was written with."""
        return self.kind, self.namespace, self.name, self.group

    def json_object(self) -> dict[str, str]:
        """As in a manifest: `namespace` is left out where there is none."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def node_ref(name: str) -> ObjectRef:
    return ObjectRef(api_version="v1", kind="Node", name=name)


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of status.conditions."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    uid: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    gpus: int  # allocatable whole GPUs
    unschedulable: bool
    conditions: tuple[Condition, ...]
    taints: tuple[Mapping[str, str], ...] = ()
    allocatable: Mapping[str, str] = field(default_factory=dict)  # Kubernetes quantities as written
    created_at: datetime | None = None  # of the object: a machine of the same name before it was another

    @property
    def ref(self) -> ObjectRef:
        return node_ref(self.name)

    @property
    def ready(self) -> bool:
        return not any(c.type == "Ready" and c.status != "True" for c in self.conditions)

    @property
    def eligible(self) -> bool:
        """Counts towards the capacity that a blast radius is a share of: ready and schedulable."""
        return self.ready and not self.unschedulable


@dataclass(frozen=True, slots=True)
class Pod:
    ref: ObjectRef
    uid: str
    node: str | None
    phase: str  # Pending | Running | Succeeded | Failed | Unknown
    ready: bool
    gpus: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    owner: ObjectRef | None  # the top of the owner chain: Deployment, StatefulSet, Notebook, Job, Gang …
    gang: ObjectRef | None
    created_at: datetime | None
    unschedulable: bool = False  # PodScheduled is False with reason Unschedulable
    waiting_reason: str = ""  # CrashLoopBackOff, ImagePullBackOff …
    terminating: bool = False
    pending_since: datetime | None = None
    priority: int = 0  # as admission resolved its PriorityClass
    requests: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds_gpus(self) -> bool:
        return self.gpus > 0 and self.node is not None and self.phase in ("Pending", "Running")


class WorkloadClass(StrEnum):
    """What a workload is for: decides how long idleness must last before it means something."""

    NOTEBOOK = "notebook"
    SERVING = "serving"
    TRAINING = "training"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Workload:
    """A thing that owns pods and can be scaled, suspended or stopped."""

    ref: ObjectRef
    uid: str
    workload_class: WorkloadClass
    replicas: int | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    suspended: bool
    created_at: datetime | None = None


class GangState(StrEnum):
    RUNNING = "running"  # at or above its minimum
    STUCK = "stuck"  # some pods run, fewer than the minimum
    QUEUED = "queued"  # none runs, it waits
    SUSPENDED = "suspended"  # deactivated or suspended by somebody
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Gang:
    """Pods that start together or not at all."""

    ref: ObjectRef  # what a requeue acts on: Workload, Gang, JobSet, Job, PodGroup
    uid: str
    minimum: int
    state: GangState
    running: tuple[ObjectRef, ...]
    pending: tuple[ObjectRef, ...]
    priority: int
    queue: str | None
    gpus_per_pod: int
    job: ObjectRef | None  # the object that owns the pods, where it is another than `ref`
    annotations: Mapping[str, str]
    created_at: datetime | None = None
    stuck_since: datetime | None = None  # None where nothing tells


@dataclass(frozen=True, slots=True)
class Disruption:
    """A PodDisruptionBudget as far as an eviction is concerned."""

    ref: ObjectRef
    selector: Mapping[str, str]
    disruptions_allowed: int


@dataclass(frozen=True, slots=True)
class ClusterView:
    """One consistent look at the cluster.

    `beside_nodes` is the same object in two views where they differ in nothing but their time and their nodes as these
    say of themselves; None where nobody knows.
    """

    taken_at: datetime
    nodes: Mapping[str, Node]
    pods: Mapping[tuple[str, str], Pod]  # by (namespace, name)
    workloads: Mapping[ObjectRef, Workload]
    gangs: Mapping[ObjectRef, Gang]
    disruptions: tuple[Disruption, ...] = ()
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # annotations by namespace
    objects: Mapping[ObjectRef, Mapping[str, object]] = field(default_factory=dict)  # raw JSON
    beside_nodes: object = field(default=None, compare=False, repr=False)
    shared: Shared = field(default_factory=Shared, compare=False, repr=False)

    @property
    def index(self) -> PodIndex:
        known = self.shared.index
        if known is None or known.pods is not self.pods:
            known = self.shared.index = PodIndex(self.pods)
        return known

    @property
    def pods_by_owner(self) -> Mapping[Identity, tuple[Pod, ...]]:
        """The pods that each object owns or whose gang it is, by namespace and name."""
        return self.index.by_owner

    def pods_named(self, owners: Iterable[str]) -> tuple[Pod, ...]:
        """Those that any of these owns or whose gang it is, by its name in words."""
        return tuple(pod for owner in owners for pod in self.index.by_name.get(owner, ()))

    def pods_on(self, node: str) -> tuple[Pod, ...]:
        return tuple(p for p in self.index.by_node.get(node, ()) if p.phase in ("Pending", "Running"))

    def pods_of(self, owner: ObjectRef) -> tuple[Pod, ...]:
        return tuple(p for p in self.pods.values() if owner in (p.owner, p.gang))
