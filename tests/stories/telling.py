"""A GPU cluster in the words of the field, and the real agent that watches it, for stories read as a specification.

`cluster()` builds the manifests of a simulated world. `Story` drives it: news comes in over the agent's own HTTP doors,
people answer at its desk, time passes, the agent dies and begins again, and the log says what became of it.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx
from starlette.testclient import TestClient

from agent.adapters.inbound.server import Doors
from agent.adapters.live import NoMetrics
from agent.adapters.simulated.world import World
from agent.answering import Answering, Decision, Said
from agent.assembly import Agent, assemble
from agent.config import Settings
from agent.domain.approval import Answer, ApprovalRequest, Person
from agent.domain.cluster import ObjectRef, node_ref
from agent.domain.identity import Claims
from agent.ports import Notifier, Reasoner
from agent.scenarios.outages import OF_THE_WORLD, Outages
from agent.scenarios.process import Process
from agent.scenarios.witness import Pager

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
KUEUE = "kueue.x-k8s.io/v1beta2"
OURS = "watchkeeper.dev/v1alpha1"
NIGHT = timedelta(hours=8)
LOOK_EVERY = timedelta(seconds=30)
ON_CALL = (Person(name="alice", groups=("gpu-oncall",)), Person(name="bob", groups=("gpu-oncall",)))
FELL_OFF = "NVRM: Xid (PCI:0000:b3:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
Json = dict[str, Any]


class Cluster:
    """Twenty nodes more or less, a queue, and what runs on them."""

    def __init__(self) -> None:
        self.manifests: list[Json] = []
        self.gauges: list[str] = []  # as they have stood since the night

    def node(self, name: str, gpus: int = 8) -> Self:
        labels = {"kubernetes.io/hostname": name, "nvidia.com/gpu.product": "NVIDIA-H100"}
        capacity = {"cpu": "192", "memory": "2Ti", "pods": "110", "nvidia.com/gpu": str(gpus)}
        ready = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
        return self._add("v1", "Node", name, None, metadata={"labels": labels}, status={
            "allocatable": capacity, "conditions": ready,
        })  # fmt: skip

    def nodes(self, *names: str, gpus: int = 8) -> Self:
        for name in names:
            self.node(name, gpus)
        return self

    def queue(self, name: str, gpus: int) -> Self:
        """Kueue with one flavor: the ClusterQueue, and a LocalQueue of its name in the namespace `research`."""
        quota = [{"name": "h100", "resources": [{"name": "nvidia.com/gpu", "nominalQuota": str(gpus)}]}]
        active = [{"type": "Active", "status": "True", "reason": "Ready"}]
        self._add("v1", "Namespace", "research", None)
        self._add(KUEUE, "ResourceFlavor", "h100", None, spec={"nodeLabels": {"nvidia.com/gpu.product": "NVIDIA-H100"}})
        self._add(KUEUE, "ClusterQueue", name, None, status={"conditions": active}, spec={
            "namespaceSelector": {}, "resourceGroups": [{"coveredResources": ["nvidia.com/gpu"], "flavors": quota}],
        })  # fmt: skip
        return self.queue_of(name, name, "research")

    def queue_of(self, name: str, cluster_queue: str, namespace: str) -> Self:
        return self._add(KUEUE, "LocalQueue", name, namespace, spec={"clusterQueue": cluster_queue})

    def gang(self, name: str, pods: int, queue: str, on: Sequence[str]) -> Self:
        """A training job that Kueue has admitted whole: a pod with eight GPUs on each of the nodes."""
        job = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": f"job-{name}", "controller": True}
        template = {"spec": _pod_spec(8, restartPolicy="OnFailure")}
        said = [{"type": kind, "status": "True", "reason": kind} for kind in ("QuotaReserved", "Admitted", "PodsReady")]
        usage = {"name": "main", "count": pods, "flavors": {"nvidia.com/gpu": "h100"},
                 "resourceUsage": {"nvidia.com/gpu": str(8 * pods)}}  # fmt: skip
        self._add("batch/v1", "Job", name, "research", metadata={
            "uid": f"job-{name}", "labels": {"kueue.x-k8s.io/queue-name": queue},
        }, spec={
            "parallelism": pods, "completions": pods, "completionMode": "Indexed", "suspend": False,
            "template": {"metadata": {"labels": {"batch.kubernetes.io/job-name": name}}, **template},
        }, status={"active": pods, "ready": pods})  # fmt: skip
        self._add(KUEUE, "Workload", f"job-{name}", "research", metadata={"ownerReferences": [job]}, spec={
            "active": True, "queueName": queue, "priority": 0,
            "podSets": [{"name": "main", "count": pods, "template": template}],
        }, status={
            "admission": {"clusterQueue": queue, "podSetAssignments": [usage]},
            "conditions": [{**each, "lastTransitionTime": "2026-11-02T06:00:00Z"} for each in said],
        })  # fmt: skip
        for index, node in enumerate(on):
            labels = {"batch.kubernetes.io/job-name": name}
            self._running(f"{name}-{index}", "research", node, 8, job, labels, restartPolicy="OnFailure")
        return self

    def stuck_gang(self, name: str, pods: int, on: Sequence[str], gpus_in_all: int = 64) -> Self:
        """A gang of the embedded scheduler, of which only these pods run; the others find no node since two hours."""
        space, since = name, "2026-11-02T07:00:00Z"
        owner = {"apiVersion": OURS, "kind": "Gang", "name": name, "uid": f"gang-{name}", "controller": True}
        quota = {"flavor": "default", "resource": "nvidia.com/gpu", "nominal": str(gpus_in_all)}
        if not any(each["kind"] == "Queue" for each in self.manifests):
            self._add(OURS, "Queue", "training", None, spec={"quotas": [quota]})
        self._add("v1", "Namespace", space, None)
        self._add(OURS, "Gang", name, space, metadata={"uid": f"gang-{name}", "creationTimestamp": since}, spec={
            "queue": "training", "priority": 0,
            "podSets": [{"name": "worker", "count": pods, "template": {"spec": _pod_spec(8)}}],
        })  # fmt: skip
        for index, node in enumerate(on):
            self._running(f"{name}-{index}", space, node, 8, owner, {})
        waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": since}
        for index in range(len(on), pods):
            metadata = {"ownerReferences": [owner], "creationTimestamp": since}
            status = {"phase": "Pending", "conditions": [waits]}
            self._add("v1", "Pod", f"{name}-{index}", space, metadata=metadata, spec=_pod_spec(8), status=status)
        return self

    def notebook(self, name: str, on: str, gpus: int = 2) -> Self:
        """A Kubeflow notebook of the namespace `vision`, with its StatefulSet and pod."""
        self._add("v1", "Namespace", "vision", None)
        template = {"spec": _pod_spec(gpus)}
        owner = {"controller": True, "uid": f"nb-{name}", "name": name}
        notebook = {"apiVersion": "kubeflow.org/v1", "kind": "Notebook", **owner}
        workers = {"apiVersion": "apps/v1", "kind": "StatefulSet", **owner, "uid": f"sts-{name}"}
        self._add("kubeflow.org/v1", "Notebook", name, "vision", metadata={"uid": f"nb-{name}"},
                  spec={"template": template})  # fmt: skip
        labels = {"statefulset": name, "notebook-name": name}
        self._add("apps/v1", "StatefulSet", name, "vision", metadata={
            "uid": f"sts-{name}", "labels": {"notebook-name": name}, "ownerReferences": [notebook],
        }, spec={
            "replicas": 1, "serviceName": name, "selector": {"matchLabels": {"statefulset": name}},
            "template": {"metadata": {"labels": labels}, **template},
        }, status={"replicas": 1, "readyReplicas": 1})  # fmt: skip
        return self._running(f"{name}-0", "vision", on, gpus, workers, labels)

    def idle_since_the_night(self, pod: str) -> Self:
        self.gauges.append(_witnesses(pod, 0))
        return self

    def _running(self, name: str, space: str, node: str, gpus: int, owner: Json, labels: Json, **more: Any) -> Self:
        ready = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]
        metadata = {"labels": labels, "ownerReferences": [owner], "creationTimestamp": "2026-11-01T08:00:00Z"}
        spec = {"nodeName": node, **_pod_spec(gpus, **more)}
        status = {"phase": "Running", "conditions": ready}
        return self._add("v1", "Pod", name, space, metadata=metadata, spec=spec, status=status)

    def _add(self, version: str, kind: str, name: str, space: str | None, **parts: Any) -> Self:
        place = {"namespace": space} if space else {}
        metadata = {"name": name, **place, **parts.pop("metadata", {})}
        self.manifests.append({"apiVersion": version, "kind": kind, "metadata": metadata, **parts})
        return self


def _witnesses(pod: str, utilisation: float) -> str:
    """What DCGM shows of the one GPU of a pod of `vision`: two witnesses of idleness, and the power it draws."""
    about = f'{{gpu="0",UUID="GPU-{pod}",Hostname="gpu-1",namespace="vision",pod="{pod}"}}'
    return (
        f"DCGM_FI_DEV_GPU_UTIL{about} {utilisation}\n"
        f"DCGM_FI_PROF_GR_ENGINE_ACTIVE{about} {utilisation / 100}\n"
        f"DCGM_FI_DEV_POWER_USAGE{about} {61 + 4 * utilisation}\n"
    )


def _pod_spec(gpus: int, **more: Any) -> Json:
    limits = {"nvidia.com/gpu": str(gpus)}
    return {"containers": [{"name": "main", "image": "train:2.4", "resources": {"limits": limits}}], **more}


def cluster() -> Cluster:
    return Cluster()


class Unmeasured:
    """That world where nobody has named a Prometheus."""

    def __init__(self, world: World) -> None:
        self.clock, self.cluster, self.metrics, self.repairs = world.clock, world.cluster, NoMetrics(), world.repairs


class Story:
    """Begins when it is made; each step is a moment of simulated time."""

    def __init__(
        self,
        folder: Path,
        told: Cluster,
        *,
        pager: Notifier | None = None,
        repair: Json | None = None,
        playbooks: Path | None = None,
        llm: Reasoner | None = None,
        model: str | None = None,
        model_key_file: Path | None = None,
        in_turn: bool = True,
        people: Sequence[Person] = ON_CALL,
        house_rules: Json | None = None,
        prometheus: bool = True,
        **policy_data: Any,
    ) -> None:
        """`repair`: how the site's repair system does with an operation; `model`: an endpoint.

        `in_turn`: time stands still while the model thinks. `prometheus`: is there one? `people` and `house_rules` are
        settings. The rest goes over the policies' own data.
        """
        self.pager = pager or Pager()
        self.world = World(7, START, timedelta(seconds=15), repair or {})
        self.world.begin_at(START - NIGHT)
        self.world.load(told.manifests)
        for gauges in told.gauges:
            self.world.set_metrics(gauges)
        self.database = folder / "watchkeeper.db"
        self._outages = Outages(self.world.clock)
        self._settings = Settings(
            database=self.database,
            identities=tuple(people),
            **(house_rules or {}),
            world="simulated",
            policy_data=policy_data,
            playbooks=playbooks,
            model_endpoint=model,
            model_name=model and "scripted",
            model_key_file=model_key_file,
        )
        self._llm = llm
        self._in_turn = in_turn
        self._seen = self.world if prometheus else Unmeasured(self.world)
        self._next_look = START
        self.world.advance_to(START)
        self.process = Process(self._assemble)

    def _assemble(self) -> Agent:
        return assemble(
            self._settings,
            self._seen,
            notifier=self.pager,
            durability="memory",
            interpose=self._interpose,
            in_turn=self._in_turn,
        )

    def _interpose(self, name: str, port: Any) -> Any:
        return self._outages.interpose(name, self._llm if name == "llm" and self._llm else port)

    @property
    def agent(self) -> Agent:
        return self.process.agent

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    # --- what happens -------------------------------------------------------------------------------------------------

    def passes(self, **time: float) -> Self:
        """Time goes by, with everything that is due in it; afterwards nothing is left to do."""
        until = self.now + timedelta(**time)
        self.process.work()
        while self.now < until:
            wake = self.process.next_wake()
            due = [until, self._next_look, *([wake] if wake and wake > self.now else [])]
            self.world.advance_to(max(self.now, min(due)))
            if self.now >= self._next_look:
                self.process.look()
                self._next_look = self.now + LOOK_EVERY
            self.process.work()
        return self

    def posts(self, door: str, body: Any, kind: str = "application/json") -> httpx.Response:
        """What comes in over HTTP; a text is posted as it is."""
        ports = self.agent.ports
        doors = Doors(ports.inbox, ports.clock, lambda: None, self.agent.refused)
        content = body if isinstance(body, str) else json.dumps(body)
        with TestClient(doors.app()) as client:
            return client.post(f"/v1/{door}", content=content, headers={"Content-Type": kind})

    def kernel_says(self, node: str, line: str = FELL_OFF) -> Self:
        """A line of the node's kernel log, and the gauge that DCGM shows from then on."""
        assert self.posts("logs", {"node": node, "line": line}).status_code == 202
        self.world.set_metrics(f'DCGM_FI_DEV_XID_ERRORS{{Hostname="{node}",gpu="3",UUID="GPU-3"}} 79\n')
        return self.passes(seconds=0)

    def recovers(self, node: str) -> Self:
        """Somebody else mends the GPU: an alert said that it was broken, and now says that it is well."""
        self.world.set_metrics(f'DCGM_FI_DEV_XID_ERRORS{{Hostname="{node}",gpu="3",UUID="GPU-3"}} 0\n')
        return self.alerts("GPUXidError", "resolved", node=node, xid="79", gpu="3")

    def alerts(self, name: str, status: str = "firing", **labels: str) -> Self:
        ends = {"endsAt": self.now.isoformat()} if status == "resolved" else {}
        alert = {"status": status, "labels": {"alertname": name, **labels}, "startsAt": START.isoformat(), **ends}
        assert self.posts("alertmanager", {"version": "4", "status": status, "alerts": [alert]}).status_code == 202
        return self.passes(seconds=0)

    def works(self, pod: str, utilisation: float) -> Self:
        """The GPU of that pod is busy from now on, in percent."""
        self.world.set_metrics(_witnesses(pod, utilisation))
        return self

    def happens(self, version: str, kind: str, name: str, namespace: str | None, **parts: Any) -> Self:
        """Somebody else changes an object, or makes it."""
        metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **parts.pop("metadata", {})}
        self.world.apply({"apiVersion": version, "kind": kind, "metadata": metadata, **parts})
        return self

    def breaks(self, target: str, kind: str = "down", **time: float) -> Self:
        begin = self.world.inject_fault if target in OF_THE_WORLD else self._outages.begin
        begin(target, kind, self.now + timedelta(**time))
        return self

    def dies_and_begins_again(self) -> Self:
        self.process.crash()
        return self

    def answers(
        self,
        decision: str,
        *,
        by: str = "alice",
        reason: str = "seen",
        digest: str | None = None,
        unheard: bool = False,
    ) -> Self:
        """A person answers the oldest open request. Raises AnswerRefused where the answer does not count."""
        request = self.asked()[0]
        said = {"by": by, "decision": decision, "reason": reason, "digest": digest or request.digest}
        answer = Answer(**said, at=self.now, door="terminal")
        self.agent.ports.desk.answer(request.id, answer, next(each for each in ON_CALL if each.name == by))
        return self if unheard else self.passes(seconds=0)

    def says(self, decision: Decision, *, by: str, reason: str = "seen", **changes: Any) -> Self:
        """As every door does it: by an account, through the one service. Raises AnswerRefused."""
        request = self.asked()[0]
        answering = Answering(self.agent.ports.desk, self._settings.directory, self.world.clock)
        said = Said(request.id, request.digest, decision, reason, changes or None)
        answering.answer(said, Claims(door="terminal", account=by))
        return self.passes(seconds=0)

    # --- what became of it --------------------------------------------------------------------------------------------

    def asked(self) -> list[ApprovalRequest]:
        return self.agent.ports.desk.pending()

    def asked_ever(self) -> list[ApprovalRequest]:
        """Whatever became of them, in the order in which they were asked."""
        known = [self.agent.ports.desk.get(said["request"]) for said in self.records("approval_requested")]
        return [request for request in known if request is not None]

    def records(self, *kinds: str) -> list[Any]:
        """Payloads of these kinds, in the order of the log."""
        return [record.payload for record in self.agent.log.query() if record.kind in kinds]

    def tale(self) -> list[str]:
        """The log from the first incident on: each record's kind, and the action that it is about."""
        told = [(r.kind, r.payload) for r in self.agent.log.query() if r.kind != "heartbeat"]
        begins = next(index for index, (kind, _) in enumerate(told) if kind == "incident")
        return [" ".join(filter(None, (kind, _action(payload)))) for kind, payload in told[begins:]]

    def endings(self) -> list[str]:
        return [closed["state"] for closed in self.records("incident_closed")]

    def changes(self) -> list[str]:
        """What was changed in the world, by the world's own journal."""
        return [f"{effect.verb} {effect.ref}" for effect in self.world.effects]

    def told(self, audience: str) -> list[str]:
        assert isinstance(self.pager, Pager)
        return [message for who, message in self.pager.told.values() if who == audience]

    def cordoned(self, node: str) -> bool:
        found = self.world.object(node_ref(node)) or {}
        return bool(found.get("spec", {}).get("unschedulable"))

    def object(self, version: str, kind: str, name: str, namespace: str) -> Json | None:
        return self.world.object(ObjectRef(api_version=version, kind=kind, name=name, namespace=namespace))

    def close(self) -> None:
        self.process.close()


def _action(payload: Any) -> str:
    about = payload.get("input", {}).get("proposal", payload) if isinstance(payload, dict) else {}
    return str(about.get("action", ""))
