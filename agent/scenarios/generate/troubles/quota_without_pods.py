"""A Workload was let in and its job is gone: it holds quota for pods that never come, while a gang waits for it.

It leaves its queue and the gang starts. Tempting but wrong: to raise the quota, or to move the gang that waits.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import shares
from agent.scenarios.generate.gangs import gang
from agent.scenarios.generate.site import Injected, Json, Site, Touches, Trouble, seconds

PINNED = "watchkeeper.dev/pinned"  # the world's Kueue leaves it as it is: it has lost it
WAITS_AFTER = timedelta(minutes=1)
RUNS = timedelta(minutes=30)


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    theirs, waits = shares.of(site, "lost"), shares.of(site, "wait")
    objects, held = gang(theirs, "job", f"ghost-{site.label}", site.nodes)
    ghost = next(each for each in objects if each["kind"] == "Workload")
    pods = len(site.nodes)
    job = shares.waiting_job(waits, f"eval-{site.label}", pods, RUNS)
    return Injected(
        cluster=shares.cohort(site, {"lost": 0, "wait": pods * site.gpus}),
        timeline=[
            {"at": seconds(at), "apply": _without_pods(ghost, site.moment(at))},
            {"at": seconds(at + WAITS_AFTER), "apply": job},
        ],
        actions=[
            {"anyOf": [{"action": "deactivate_workload", "target": held}], "times": {"min": 1, "max": 1}},
        ],
        forbidden=[
            {"action": "*", "target": {"namespace": waits.tenant.name}},
            *({"action": "*", "target": {"kind": "Node", "name": node}} for node in site.nodes),
        ],
        final=[{"object": shares.reference(job), "pointer": "/spec/suspend", "equals": False}],
    )


def _without_pods(workload: Json, since: str) -> Json:
    about = {**workload["metadata"], "annotations": {PINNED: "true"}, "creationTimestamp": since}
    said = (("QuotaReserved", "True", "QuotaReserved"), ("Admitted", "True", "Admitted"),
            ("PodsReady", "False", "WaitForStart"))  # fmt: skip
    conditions = [{"type": t, "status": s, "reason": r, "lastTransitionTime": since} for t, s, r in said]
    return {**workload, "metadata": about, "status": {**workload["status"], "conditions": conditions}}


TROUBLE = Trouble("quota-without-pods", nodes=2, inject=inject, touches=Touches(gangs=1))
