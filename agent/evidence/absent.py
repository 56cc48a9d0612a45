"""Trouble of a node that is not in the cluster: spelled otherwise than the API server does, or gone since, or of
another machine that had the name of one that is there."""

from agent.evidence.former import of_former
from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.symptoms import xids_in


def absent_facts(scene: Scene) -> Findings:
    """`absent` stays null for an alert about anything that is there, or about no node at all."""
    subject = scene.incident.subject
    if subject.kind != "Node" or subject.name in scene.view.nodes:
        return _former(scene)
    codes = sorted({code for signal in scene.incident.signals for code in xids_in(signal)})
    alike = sorted(name for name in scene.view.nodes if _host(name) == _host(subject.name))
    values = {
        "name": str(subject),
        "ref": subject.json_object(),
        "codes": codes,
        "alike": alike,
        "recovered": scene.incident.recovered_at is not None,
    }
    return Findings({"absent": values}, (seen_object(scene, f"{subject} is not in the cluster"),))


def _former(scene: Scene) -> Findings:
    node = scene.view.nodes.get(scene.incident.subject.name) if scene.incident.subject.kind == "Node" else None
    if node is None or not any(of_former(signal, node) for signal in scene.incident.signals):
        return Findings()
    said = f"{node.name} is a node only since {node.created_at:%Y-%m-%d %H:%M:%S}, and this is of before: not about it"
    return Findings(evidence=(seen_object(scene, said),))


def _host(name: str) -> str:
    """Without its domain, as a kernel or an exporter may say it."""
    return name.lower().split(".", 1)[0]
