"""Callers come that a service's replicas cannot serve, while GPUs stand free beside it: it gets one replica more.

Tempting but wrong: to restart it, or to take it for a sick one and move it.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.services import service
from agent.scenarios.generate.site import Injected, Json, Site, Trouble, seconds

LOAD = "simulation.watchkeeper.dev/load"
CAPACITY = "simulation.watchkeeper.dev/capacity"
REPLICAS = 2
SERVES = 16  # requests at once, each replica
QUIET, BUSY = "12", "44"  # callers of two replicas; of three, 44 are served
RUSH = timedelta(minutes=80)  # longer than any patience with a peak


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    name, node = f"chat-{site.label}", site.nodes[0]
    objects, _ = service(site, name, max(1, site.gpus // 4), (node,) * REPLICAS)
    deployment = objects[0]
    about = deployment["metadata"]
    about["annotations"] = {**about["annotations"], LOAD: QUIET, CAPACITY: str(SERVES)}
    target = {"kind": "Deployment", "namespace": site.tenant.name, "name": name}
    return Injected(
        cluster=objects,
        timeline=[_callers(deployment, at, BUSY), _callers(deployment, at + RUSH, QUIET)],
        actions=[{"anyOf": [{"action": "scale_workload", "target": target}], "times": {"min": 1, "max": 2}}],
        forbidden=[
            *({"action": wrong, "target": target} for wrong in ("restart_workload", "rollback_workload")),
            {"action": "reclaim_idle_gpu", "target": target},
            {"action": "*", "target": {"kind": "Node", "name": node}},
        ],
    )


def _callers(deployment: Json, at: timedelta, load: str) -> Json:
    about = {key: deployment["metadata"][key] for key in ("name", "namespace")}
    said = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {**about, "annotations": {LOAD: load}}}
    return {"at": seconds(at), "apply": said}


TROUBLE = Trouble("service-saturated", nodes=1, inject=inject, gpus_least=REPLICAS + 1)
