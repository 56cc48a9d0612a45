"""A memory error that was not contained on one GPU of a gang: the gang moves whole, that GPU is reset, the node given
back.

Tempting but wrong: to reset it under the gang, to reboot the whole node, or to replace it.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.gangs import FORMS, gang, pod_name
from agent.scenarios.generate.site import Injected, Site, Touches, Trouble, device_uuid
from agent.scenarios.generate.troubles.fallen_off import once

BUS = "0000:b3:00"
LINE = f"NVRM: Xid (PCI:{BUS}): 95, Uncontained: LTC TAG (0x2,0x0). RST: Yes, D-RST: No"


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    """The last node is free, so that there is room for the gang."""
    *busy, _ = site.nodes
    form, name = rng.choice(FORMS), f"pretrain-{site.label}"
    objects, requeued = gang(site, form, name, tuple(busy))
    hurt, index = rng.randrange(len(busy)), rng.randrange(site.gpus)
    node, pod = busy[hurt], pod_name(form, name, hurt)
    target = {"kind": "Node", "name": node}
    reset = {"operation": "reset_gpu", "gpu_uuid": device_uuid(node, index)}
    moved = {"anyOf": [{"action": "requeue_gang", "target": requeued}], "times": {"min": 1, "max": 1}}
    return Injected(
        cluster=objects,
        timeline=[telemetry.kernel(at, node, LINE), telemetry.xid(site, at, node, index, pod, 95)],
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


TROUBLE = Trouble("xid-95-under-gang", nodes=4, inject=inject, touches=Touches(nodes=1, gangs=1, repairs=1))
