"""A memory error on one GPU of a gang that only a reset of that GPU cures: the gang moves whole, that GPU is reset, the
node given back.

What kinds of error there are, and what their lines say, is left to the troubles themselves. Tempting but wrong: to
reset it under the gang, to reboot the whole node, or to replace it.
"""

from collections.abc import Sequence
from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.gangs import FORMS, gang, pod_name
from agent.scenarios.generate.site import Injected, Site, device_uuid
from agent.scenarios.generate.troubles.fallen_off import once

BUS = "0000:b3:00"


def reset_under_gang(rng: Random, site: Site, at: timedelta, *, job: str, code: int, lines: Sequence[str]) -> Injected:
    """The last node is free, so that there is room for the gang."""
    *busy, _ = site.nodes
    form, name = rng.choice(FORMS), f"{job}-{site.label}"
    objects, requeued = gang(site, form, name, tuple(busy))
    hurt, index = rng.randrange(len(busy)), rng.randrange(site.gpus)
    node, pod = busy[hurt], pod_name(form, name, hurt)
    target = {"kind": "Node", "name": node}
    reset = {"operation": "reset_gpu", "gpu_uuid": device_uuid(node, index)}
    moved = {"anyOf": [{"action": "requeue_gang", "target": requeued}], "times": {"min": 1, "max": 1}}
    said = [telemetry.kernel(at, node, f"NVRM: Xid (PCI:{BUS}): {line}") for line in lines]
    return Injected(
        cluster=objects,
        timeline=[*said, telemetry.xid(site, at, node, index, pod, code)],
        actions=[
            once("cordon_node", node),
            moved,
            once("request_node_repair", node, parameters=reset),
            once("uncordon_node", node),
        ],
        forbidden=[
            *(
                {"action": "request_node_repair", "target": target, "parameters": {"operation": operation}}
                for operation in ("reboot", "replace")
            ),
            {"action": "drain_node", "target": target},
        ],
    )
