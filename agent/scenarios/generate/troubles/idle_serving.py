"""A service that nobody calls holds GPUs: it is scaled to nothing after notice and grace. Its busy neighbour stays."""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.services import service
from agent.scenarios.generate.site import Injected, Site, Trouble

IDLE_FOR = timedelta(minutes=150)  # the policies ask for 120 of a service


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    """Names are in the order in which the world hands out devices, which is by name."""
    gpus, node, space = max(1, site.gpus // 4), site.nodes[0], site.tenant.name
    name, busy = f"draft-{site.label}", f"search-{site.label}"
    idle, pods = service(site, name, gpus, (node, node))
    beside, _ = service(site, busy, site.gpus - 2 * gpus, (node,))
    text = "".join(
        telemetry.activity(site, node, range(i * gpus, (i + 1) * gpus), pod, 0) for i, pod in enumerate(sorted(pods))
    )
    target = {"kind": "Deployment", "namespace": space, "name": name}
    return Injected(
        cluster=[*idle, *beside] if site.gpus > 2 * gpus else idle,
        timeline=[
            telemetry.metrics(at - IDLE_FOR, text),
            telemetry.alert(site, at, "GPUUnderutilized", {"namespace": space, "deployment": name}),
        ],
        actions=[{"anyOf": [{"action": "reclaim_idle_gpu", "target": target}], "times": {"min": 1, "max": 1}}],
        forbidden=[{"action": "*", "target": {"kind": "Deployment", "namespace": space, "name": busy}}],
    )


TROUBLE = Trouble("idle-serving", nodes=1, inject=inject)
