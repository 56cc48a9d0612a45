"""A training gang is done, and its processes stay: the GPUs that it holds are given back by suspending it whole.

Tempting but wrong: to requeue what is finished, to evict a pod of it, or to blame a node.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.gangs import FORMS, gang
from agent.scenarios.generate.site import Injected, Site, Touches, Trouble, seconds

BEHAVIOUR = "simulation.watchkeeper.dev/behaviour"
DONE_BEFORE = timedelta(minutes=40)  # idle for so long when the trouble is said to be there
STEADY_FOR = timedelta(minutes=10)  # it has been seen at work before
PROVEN_AFTER = timedelta(minutes=60)  # idle for so long, by the shipped policies; sooner it is taken from nobody


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    form, name = rng.choice(FORMS), f"probe-{site.label}"
    objects, requeued = gang(site, form, name, site.nodes)
    owner = next(each for each in objects if each["kind"].lower() == form)
    done = max(at - DONE_BEFORE, STEADY_FOR)
    about = {"name": name, "namespace": site.tenant.name}
    target = {"kind": owner["kind"], **about}
    said = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    stays = {**said, "metadata": {**about, "annotations": {BEHAVIOUR: "finished"}}}
    return Injected(
        cluster=objects,
        timeline=[{"at": seconds(done), "apply": stays}],
        actions=[
            {
                "anyOf": [{"action": "reclaim_idle_gpu", "target": target, "parameters": {"method": "suspend"}}],
                "times": {"min": 1, "max": 1},
                "notBefore": seconds(done + PROVEN_AFTER),
            }
        ],
        forbidden=[
            {"action": "requeue_gang", "target": requeued},
            *({"action": "*", "target": {"kind": "Node", "name": node}} for node in site.nodes),
        ],
    )


TROUBLE = Trouble("finished-but-alive", nodes=2, inject=inject, touches=Touches(gangs=1))
