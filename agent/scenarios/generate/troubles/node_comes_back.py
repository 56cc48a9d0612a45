"""A node's kubelet is silent for some minutes under a training gang, and comes back by itself: nothing is done.

Tempting but wrong: to cordon or reboot it, or to move the gang, which has gone on all the time.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.gangs import FORMS, gang
from agent.scenarios.generate.site import Injected, Json, Site, Trouble, seconds

PAGED_AFTER = timedelta(minutes=1)
SILENT_S = (120, 200)  # shorter than the five minutes after which its pods would be taken from it
RESOLVED_AFTER = timedelta(minutes=4)  # Alertmanager is later than the kubelet


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    objects, moved = gang(site, rng.choice(FORMS), f"vit-{site.label}", site.nodes)
    node = rng.choice(site.nodes)
    back = at + timedelta(seconds=rng.randint(*SILENT_S))
    about = {"node": node}
    return Injected(
        cluster=objects,
        timeline=[
            _said(node, at, "Unknown", "NodeStatusUnknown"),
            telemetry.alert(site, at + PAGED_AFTER, "KubeNodeNotReady", about),
            _said(node, back, "True", "KubeletReady"),
            telemetry.alert(site, back + RESOLVED_AFTER, "KubeNodeNotReady", about, at + PAGED_AFTER),
        ],
        forbidden=[
            {"action": "*", "target": {"kind": "Node", "name": node}},
            {"action": "*", "target": moved},
        ],
    )


def _said(node: str, at: timedelta, status: str, reason: str) -> Json:
    ready = {"type": "Ready", "status": status, "reason": reason}
    changed = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}, "status": {"conditions": [ready]}}
    return {"at": seconds(at), "apply": changed}


TROUBLE = Trouble("node-comes-back", nodes=2, inject=inject)
