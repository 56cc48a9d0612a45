"""A gang names an image that is not there: Kueue lets it in, its pods never start, it is sent back, again and again.

Its owner is told why and it leaves its queue. Tempting but wrong: to requeue it once more, or to blame its nodes.
"""

from datetime import timedelta
from random import Random

from agent.scenarios.generate.gangs import gang
from agent.scenarios.generate.site import Injected, Json, Site, Touches, Trouble, seconds
from agent.scenarios.generate.troubles.quota_without_pods import PINNED

TIMES = (3, 4)  # that it was sent back until now


def inject(rng: Random, site: Site, at: timedelta) -> Injected:
    name, space = f"typo-{site.label}", site.tenant.name
    objects, looping = gang(site, "job", name, site.nodes)
    moment, times = site.moment(at), rng.randint(*TIMES)
    pods_first = sorted(objects, key=lambda each: each["kind"] != "Pod")  # else their owner makes others
    changed = {"Job": _job, "Workload": lambda each: _sent_back(each, moment, times), "Pod": _without_image}
    return Injected(
        timeline=[{"at": seconds(at), "apply": changed[each["kind"]](_since(each, moment))} for each in pods_first],
        actions=[
            {"anyOf": [{"action": "deactivate_workload", "target": looping}], "times": {"min": 1, "max": 1}},
        ],
        proposed=[{"anyOf": [{"action": "notify", "target": looping, "parameters": {"audience": "owner"}}]}],
        forbidden=[
            {"action": "requeue_gang", "target": looping},
            {"action": "*", "target": {"kind": "Job", "namespace": space, "name": name}},
            *({"action": "*", "target": {"kind": "Node", "name": node}} for node in site.nodes),
        ],
    )


def _since(manifest: Json, moment: str) -> Json:
    return {**manifest, "metadata": {**manifest["metadata"], "creationTimestamp": moment}}


def _job(manifest: Json) -> Json:
    return {**manifest, "status": {"active": manifest["spec"]["parallelism"], "ready": 0}}


def _sent_back(workload: Json, moment: str, times: int) -> Json:
    about = {**workload["metadata"], "annotations": {PINNED: "true"}}
    said = (("QuotaReserved", "True", "QuotaReserved"), ("Admitted", "True", "Admitted"),
            ("Evicted", "False", "QuotaReserved"), ("PodsReady", "False", "WaitForStart"))  # fmt: skip
    conditions = [{"type": t, "status": s, "reason": r, "lastTransitionTime": moment} for t, s, r in said]
    status = {**workload["status"], "conditions": conditions, "requeueState": {"count": times}}
    return {**workload, "metadata": about, "status": status}


def _without_image(pod: Json) -> Json:
    why = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    image = pod["spec"]["containers"][0]["image"]
    waits = {
        "name": "main",
        "ready": False,
        "restartCount": 0,
        "image": image,
        "imageID": "",
        "state": {"waiting": why},
    }
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]
    return {**pod, "status": {"phase": "Pending", "conditions": conditions, "containerStatuses": [waits]}}


TROUBLE = Trouble("admission-loop", nodes=2, inject=inject, touches=Touches(gangs=1))
