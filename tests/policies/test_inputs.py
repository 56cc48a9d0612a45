"""The inputs that these tests build have the very form that the judge stage builds."""

from datetime import timedelta
from typing import Any

from agent.domain.cluster import ClusterView, Node, node_ref
from agent.domain.diagnosis import Evidence
from agent.domain.outcome import PastAction
from agent.domain.proposal import BlastRadius, Proposal
from agent.stages.judge import policy_input
from tests.policies.conftest import Gate
from tests.policies.inputs import NOW, cordon, past


def judged() -> dict[str, Any]:
    nodes = [f"gpu-{i}" for i in range(20)]
    view = ClusterView(
        taken_at=NOW,
        nodes={n: Node(n, n, {}, {}, gpus=8, unschedulable=False, conditions=()) for n in nodes},
        pods={},
        workloads={},
        gangs={},
    )
    seen = Evidence(kind="metric", statement="XID 79", source="prometheus", observed_at=NOW - timedelta(minutes=1))
    proposal = Proposal(
        id="inc-1/1",
        incident="inc-1",
        action="cordon_node",
        target=node_ref("gpu-7"),
        steps=(),
        blast_radius=BlastRadius(nodes=("gpu-7",)),
        destructive=False,
        protective=True,
        source="playbook:xid-79",
        confidence=0.95,
        statement="cordon gpu-7",
        evidence=(seen,),
    )
    earlier = PastAction(
        at=NOW - timedelta(minutes=10),
        action="cordon_node",
        target=node_ref("gpu-3"),
        outcome="succeeded",
        incident="inc-0",
        proposal="inc-0/1",
        nodes=("gpu-3",),
    )
    return policy_input(proposal, view, {}, [earlier], phase="propose", now=NOW)


def test_the_builder_and_the_judge_agree_on_every_key() -> None:
    ours, theirs = cordon().after(past("cordon_node", "gpu-3", minutes=10)).document, judged()
    assert ours.keys() == theirs.keys()
    assert ours["proposal"].keys() == theirs["proposal"].keys()
    assert ours["facts"].keys() == theirs["facts"].keys()
    assert ours["history"][0].keys() == theirs["history"][0].keys()


def test_the_gate_decides_on_what_the_judge_builds(gate: Gate) -> None:
    assert gate.engine.decide(judged())["decision"] == "allow"
