"""Every pod of a training gang crashes in a loop with the same exit, on every node that it has: its owner is told, and
mends it.

Tempting but wrong: to blame a node, to restart or requeue what will crash again.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate import telemetry
from agent.scenarios.generate.gangs import FORMS, gang, pod_name
from agent.scenarios.generate.site import Injected, Json, Site, Trouble, seconds

BEHAVIOUR = "simulation.watchkeeper.dev/behaviour"
WAYS = ("crashes: Error", "crashes: OOMKilled")
PAGED_AFTER = timedelta(minutes=6)  # when the back-off is long enough for kube-state-metrics to see it
MENDED_AFTER = timedelta(minutes=30)


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    form, name, space = rng.choice(FORMS), f"sft-{site.label}", site.tenant.name
    objects, moved = gang(site, form, name, site.nodes)
    owner = next(each for each in objects if each["kind"].lower() == form)
    pod = pod_name(form, name, rng.randrange(len(site.nodes)))
    about = {"namespace": space, "pod": pod, "container": "main", "reason": "CrashLoopBackOff"}
    target = {"kind": owner["kind"], "namespace": space, "name": name}
    told = {"action": "notify", "target": target, "parameters": {"audience": "owner"}}
    return Injected(
        cluster=objects,
        timeline=[
            _behaves(owner, at, rng.choice(WAYS)),
            telemetry.alert(site, at + PAGED_AFTER, "KubePodCrashLooping", about),
            _behaves(owner, at + MENDED_AFTER, "works"),
        ],
        proposed=[{"anyOf": [told]}],
        forbidden=[
            {"action": "*", "target": moved},
            {"action": "*", "target": target},
            *({"action": "*", "target": {"kind": "Node", "name": node}} for node in site.nodes),
        ],
    )


def _behaves(owner: Json, at: timedelta, how: str) -> Json:
    about = {key: owner["metadata"][key] for key in ("name", "namespace")}
    known = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    return {"at": seconds(at), "apply": {**known, "metadata": {**about, "annotations": {BEHAVIOUR: how}}}}


TROUBLE = Trouble("training-crashes", nodes=2, inject=inject)
