"""A small simulated world with a real log, and steps on it, in short words: what `run_step` needs."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.adapters.ledger import AuditLedger
from agent.adapters.simulated.world import World
from agent.chance import NoBoundaries
from agent.doing import Effectors
from agent.domain.cluster import ObjectRef, node_ref
from agent.domain.proposal import BlastRadius, Proposal, Step, Verb
from agent.effects import StepCall, StepResult, run_step
from agent.ports import Boundaries
from agent.scenarios.crash import AgentKilled, Kills
from agent.scenarios.witness import Pager
from audit.log import Log

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
NODE = node_ref("gpu-1")
SERVER = ObjectRef(api_version="apps/v1", kind="Deployment", namespace="lab", name="server")
POD = ObjectRef(api_version="v1", kind="Pod", namespace="lab", name="loner")
NOTE = ObjectRef(api_version="v1", kind="ConfigMap", namespace="lab", name="note")
Json = dict[str, Any]

STEPS: dict[str, Step] = {
    "patch": Step(verb=Verb.PATCH, target=NODE, body={"spec": {"unschedulable": True}},
                  undo={"spec": {"unschedulable": False}}),
    "scale": Step(verb=Verb.SCALE, target=SERVER, body={"replicas": 0}, undo={"replicas": 2}),
    "evict": Step(verb=Verb.EVICT, target=POD, uid="uid-loner"),
    "create": Step(verb=Verb.CREATE, target=NOTE, body={
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note", "namespace": "lab"}, "data": {},
    }),
    "request_repair": Step(verb=Verb.REQUEST_REPAIR, target=NODE, body={"operation": "reboot"}),
}  # fmt: skip


def manifests() -> list[Json]:
    labels = {"app": "loner"}
    pods = {"containers": [{"name": "main", "image": "x", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]}
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "gpu-1", "uid": "uid-gpu-1"},
         "status": {"allocatable": {"cpu": "96", "pods": "110", "nvidia.com/gpu": "8"},
                    "conditions": [{"type": "Ready", "status": "True"}]}},
        {"apiVersion": "apps/v1", "kind": "Deployment",
         "metadata": {"name": "server", "namespace": "lab", "uid": "uid-server"},
         "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "server"}},
                  "template": {"metadata": {"labels": {"app": "server"}}, "spec": pods}}},
        {"apiVersion": "v1", "kind": "Pod",
         "metadata": {"name": "loner", "namespace": "lab", "uid": "uid-loner", "labels": labels},
         "spec": {"nodeName": "gpu-1", **pods}, "status": running},
    ]  # fmt: skip


BUDGET: Json = {
    "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "keep", "namespace": "lab"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "loner"}}},
    "status": {"disruptionsAllowed": 0},
}  # fmt: skip


def proposal(*steps: Step) -> Proposal:
    return Proposal(
        id="inc-1/0",
        incident="inc-1",
        action="cordon_node",
        target=NODE,
        steps=steps,
        blast_radius=BlastRadius(),
        destructive=False,
        protective=True,
        source="playbook:p",
        confidence=0.9,
        statement="",
    )


class Field:
    def __init__(self, folder: Path, *more: Json) -> None:
        self.world = World(7, START, timedelta(seconds=15))
        self.world.load([*manifests(), *more])
        self.world.advance_to(START)
        self.log = Log.open(folder / "log.db", durability="memory")
        self.ledger = AuditLedger(self.log, self.world.clock, "watchkeeper")
        self.pager = Pager()

    def run(
        self, step: Step, *, boundaries: Boundaries | None = None, since: datetime = START, **how: Any
    ) -> StepResult:
        """One try at the step, now."""
        through = Effectors(
            self.world.cluster, self.world.repairs, self.pager, self.ledger, boundaries or NoBoundaries()
        )
        call = StepCall(proposal(step), 0, self.world.clock.now(), since=since, **how)
        return run_step(call, through)

    def killed_after(self, boundary: str, step: Step, **how: Any) -> None:
        kills = Kills()
        kills.arm(boundary)
        try:
            self.run(step, boundaries=kills, **how)
        except AgentKilled:
            return
        raise AssertionError(f"the boundary {boundary} was not crossed")

    def later(self, seconds: float) -> None:
        self.world.advance_to(self.world.clock.now() + timedelta(seconds=seconds))

    def breaks(self, kind: str, seconds: float) -> None:
        self.world.inject_fault("apiserver", kind, self.world.clock.now() + timedelta(seconds=seconds))

    @property
    def done(self) -> Counter[str]:
        return Counter(effect.verb for effect in self.world.effects)

    def kinds(self) -> list[str]:
        return [record.kind for record in self.log.query()]

    def outcomes(self) -> list[str]:
        return [str(record.payload["outcome"]) for record in self.log.query(kind="outcome")]

    def close(self) -> None:
        self.log.close()
