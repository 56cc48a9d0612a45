"""In one queue each gang that comes matters more than the one that runs, and puts it out: three times in a row.

Nobody waits to be next when it is noticed, so a person is told: the cure is in the priorities. Tempting but wrong: to
requeue or to stop anybody for it, which would be one more link, or to hold the queue that nobody waits at.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import shares
from agent.scenarios.generate.manifests import queue
from agent.scenarios.generate.site import Injected, Json, Site, Trouble, seconds, uid

PRIORITIES = (0, 100, 1000, 10_000)
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"
APART_MIN = (3, 6)
RUNS = timedelta(minutes=45)  # without the others


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    place = shares.of(site, "ranks")
    space = place.tenant.name
    classes = [_priority_class(f"{site.label}-{value}", value) for value in PRIORITIES]
    jobs, moment = [], at
    for value in PRIORITIES:
        job = shares.waiting_job(place, f"rank-{value}-{site.label}", len(site.nodes), RUNS)
        job["metadata"]["labels"][PRIORITY_LABEL] = f"{site.label}-{value}"
        jobs.append({"at": seconds(moment), "apply": job})
        moment += timedelta(minutes=rng.randint(*APART_MIN))
    held = queue(space, {site.kind: len(site.nodes) * site.gpus}, site.label, within="LowerPriority")
    target = {"kind": "ClusterQueue", "name": space}
    return Injected(
        cluster=[*held, *classes],
        timeline=jobs,
        proposed=[{"anyOf": [{"action": "notify", "target": target}]}],
        forbidden=[
            {"action": "*", "target": {"namespace": space}},
            {"action": "*", "target": target},
            *({"action": "*", "target": {"kind": "Node", "name": node}} for node in site.nodes),
        ],
    )


def _priority_class(name: str, value: int) -> Json:
    about = {"name": name, "uid": uid("WorkloadPriorityClass", name)}
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "WorkloadPriorityClass", "metadata": about, "value": value}


TROUBLE = Trouble("priority-cascade", nodes=1, inject=inject)
