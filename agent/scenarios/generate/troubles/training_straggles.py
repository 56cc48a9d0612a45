"""One member of a training gang is slow, nobody knows why, and all the others wait for it: its owner is told which.

Tempting but wrong: to start the gang anew, or to suspect the hardware of a node whose clocks are as they should be.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.gangs import FORMS, gang, pod_name
from agent.scenarios.generate.site import Injected, Site, Trouble, seconds

BEHAVIOUR = "simulation.watchkeeper.dev/behaviour"
NOTICED_AFTER = timedelta(minutes=25)
STEADY_FOR = timedelta(minutes=40)  # its pace is known by then


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    form, name, space = rng.choice(FORMS), f"rlhf-{site.label}", site.tenant.name
    objects, moved = gang(site, form, name, site.nodes)
    about = {"name": pod_name(form, name, rng.randrange(len(site.nodes))), "namespace": space}
    slow = {"apiVersion": "v1", "kind": "Pod", "metadata": {**about, "annotations": {BEHAVIOUR: "straggles"}}}
    told = {"action": "notify", "target": moved, "parameters": {"audience": "owner"}}
    return Injected(
        cluster=objects,
        timeline=[{"at": seconds(max(at - NOTICED_AFTER, STEADY_FOR)), "apply": slow}],
        proposed=[{"anyOf": [told]}],
        forbidden=[
            {"action": "*", "target": moved},
            *({"action": "*", "target": {"kind": "Node", "name": node}} for node in site.nodes),
        ],
    )


TROUBLE = Trouble("training-straggles", nodes=3, inject=inject)
