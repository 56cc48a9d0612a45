"""A double-bit memory error ends a gang's programs, and a row waits to be remapped: the gang moves whole, that GPU is
reset, the node given back.

Tempting but wrong: to do nothing because a remap alone can wait, to reboot the whole node, or to replace it.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.gangs import FORMS, gang, pod_name
from agent.scenarios.generate.site import Injected, Site, Touches, Trouble, device_uuid
from agent.scenarios.generate.troubles.fallen_off import once

BUS = "0000:b3:00"
LINES = (
    f"NVRM: Xid (PCI:{BUS}): 48, pid=4321, name=python3, DBE (double bit error)",
    f"NVRM: Xid (PCI:{BUS}): 63, Row Remapper: New row marked for remapping, reset gpu to activate.",
)


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    """The last node is free, so that there is room for the gang."""
    *busy, _ = site.nodes
    form, name = rng.choice(FORMS), f"dpo-{site.label}"
    objects, requeued = gang(site, form, name, tuple(busy))
    hurt, index = rng.randrange(len(busy)), rng.randrange(site.gpus)
    node, pod = busy[hurt], pod_name(form, name, hurt)
    target = {"kind": "Node", "name": node}
    reset = {"operation": "reset_gpu", "gpu_uuid": device_uuid(node, index)}
    moved = {"anyOf": [{"action": "requeue_gang", "target": requeued}], "times": {"min": 1, "max": 1}}
    return Injected(
        cluster=objects,
        timeline=[
            *(telemetry.kernel(at, node, line) for line in LINES),
            telemetry.xid(site, at, node, index, pod, 48),
        ],
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


TROUBLE = Trouble("xid-48-under-gang", nodes=4, inject=inject, touches=Touches(nodes=1, gangs=1, repairs=1))
