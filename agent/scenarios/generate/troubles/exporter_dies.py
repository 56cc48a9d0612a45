"""A node's exporter crashes again and again, and its GPUs are silent: its pod is started anew, and the series are back.

Tempting but wrong: to take the silence for idleness or for a sick node, or to start every exporter anew.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.monitoring import NAME, NAMESPACE, pod_on, restarted
from agent.scenarios.generate.services import service
from agent.scenarios.generate.site import Injected, Site, Trouble, seconds

BEHAVIOUR = "simulation.watchkeeper.dev/behaviour"


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    return ill(site, at, "crashes")


def ill(site: Site, at: timedelta, how: str) -> Injected:
    """The exporter behaves so from then on; the one that follows it is well."""
    name, node = f"rank-{site.label}", site.nodes[0]
    objects, _ = service(site, name, site.gpus // 2, (node, node))
    about = {"name": pod_on(node), "namespace": NAMESPACE, "annotations": {BEHAVIOUR: how}}
    told = restarted(node)
    return Injected(
        cluster=objects,
        timeline=[{"at": seconds(at), "apply": {"apiVersion": "v1", "kind": "Pod", "metadata": about}}],
        actions=[{**told, "times": {"min": 1, "max": 1}, "notBefore": seconds(at)}],
        forbidden=[
            {"action": "*", "target": {"kind": "DaemonSet", "namespace": NAMESPACE, "name": NAME}},
            {"action": "*", "target": {"kind": "Node", "name": node}},
            {"action": "*", "target": {"kind": "Deployment", "name": name}},
        ],
    )


TROUBLE = Trouble("exporter-dies", nodes=1, inject=inject)
