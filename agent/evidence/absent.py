"""Trouble of a node that is not in the cluster: spelled otherwise than the API server does, or gone since."""

from agent.evidence.look_facts import Findings, Scene, seen_object
from agent.evidence.symptoms import xids_in


def absent_facts(scene: Scene) -> Findings:
    """`absent` stays null for an alert about anything that is there, or about no node at all."""
    subject = scene.incident.subject
    if subject.kind != "Node" or subject.name in scene.view.nodes:
        return Findings()
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


def _host(name: str) -> str:
    """Without its domain, as a kernel or an exporter may say it."""
    return name.lower().split(".", 1)[0]
