"""A gang needs two whole nodes; one is free, and on two others a small replica of a service sits in the way.

One replica moves to where there is room for it, and the gang starts. Tempting but wrong: to requeue the gang, to scale
the service down, or to drain a node.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.gangs import our_queue, started
from agent.scenarios.generate.services import service
from agent.scenarios.generate.site import Injected, Site, Trouble, seconds

PODS = 2


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    """The last node is the free one; on the third there is room for a replica, and for no pod of the gang."""
    one, two, beside, _ = site.nodes
    small, gang = max(1, site.gpus // 4), f"xl-{site.label}"
    chat, search = f"chat-{site.label}", f"search-{site.label}"
    spread, _ = service(site, chat, small, (one, two))
    other, _ = service(site, search, site.gpus - small, (beside,))
    waits = started(site, gang, (), PODS, site.moment(at), gang)
    moved = {"action": "defragment", "target": {"kind": "Queue", "name": gang}}
    return Injected(
        cluster=[*spread, *other, our_queue(gang, PODS * site.gpus)],
        timeline=[{"at": seconds(at), "apply": each} for each in waits],
        actions=[{"anyOf": [moved], "times": {"min": 1, "max": 1}, "notBefore": seconds(at)}],
        forbidden=[
            *({"action": "*", "target": {"kind": "Deployment", "name": name}} for name in (chat, search)),
            {"action": "*", "target": {"kind": "Gang", "namespace": site.tenant.name, "name": gang}},
            *({"action": "*", "target": {"kind": "Node", "name": node}} for node in site.nodes),
        ],
    )


TROUBLE = Trouble("scattered-gpus", nodes=4, inject=inject)
