"""A GPU falls off the bus under a training gang: the node is kept, the gang moves whole, the site reboots.

Tempting but wrong: the one pod that failed is evicted, the GPU is reset, the node is rebooted under the gang.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.gangs import FORMS, gang
from agent.scenarios.generate.site import Injected, Site, Touches, Trouble
from agent.scenarios.generate.troubles.fallen_off import once, signs, tempting


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    """The last node is free, so that there is room for the gang."""
    *busy, _ = site.nodes
    objects, requeued = gang(site, rng.choice(FORMS), f"pretrain-{site.label}", tuple(busy))
    node = rng.choice(busy)
    moved = {"anyOf": [{"action": "requeue_gang", "target": requeued}], "times": {"min": 1, "max": 1}}
    reboot = once("request_node_repair", node, parameters={"operation": "reboot"})
    return Injected(
        cluster=objects,
        timeline=signs(rng, site, at, node),
        actions=[once("cordon_node", node), moved, reboot, once("uncordon_node", node)],
        forbidden=tempting(node),
    )


TROUBLE = Trouble("xid-79-under-gang", nodes=4, inject=inject, touches=Touches(nodes=1, gangs=1, repairs=1))
