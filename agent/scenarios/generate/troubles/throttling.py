"""A GPU gets hot and slows down under a service: for this there is nothing to do, however loud the alert.

Tempting but wrong: to cordon the node or to move what runs there.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.services import service
from agent.scenarios.generate.site import Injected, Site, Trouble

HOT_C = 91
COOL_C = 62
PAGED_AFTER = timedelta(minutes=2)
COOLS_AFTER = timedelta(minutes=25)


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    name, node, index = f"embed-{site.label}", site.nodes[0], rng.randrange(site.gpus)
    objects, _ = service(site, name, site.gpus // 2, (node, node))
    gauge = f"DCGM_FI_DEV_GPU_TEMP{{{telemetry.labels(site, node, index, None)}}}"
    about = {"node": node, "gpu": str(index)}
    over = at + COOLS_AFTER
    return Injected(
        cluster=objects,
        timeline=[
            telemetry.metrics(at, f"{gauge} {HOT_C}\n"),
            telemetry.alert(site, at + PAGED_AFTER, "GPUHighTemperature", about),
            telemetry.metrics(over, f"{gauge} {COOL_C}\n"),
            telemetry.alert(site, over + PAGED_AFTER, "GPUHighTemperature", about, at + PAGED_AFTER),
        ],
        forbidden=[
            {"action": "*", "target": {"kind": "Node", "name": node}},
            {"action": "*", "target": {"kind": "Deployment", "name": name}},
        ],
    )


TROUBLE = Trouble("throttling", nodes=1, inject=inject)
