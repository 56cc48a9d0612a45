"""The day's own work: training jobs that arrive, wait in a queue, run and finish; notebooks that are opened and closed.

They have pools and quota of their own, so that they come and go beside the troubles and change nothing about what is
right there. Sizes, run times and gaps follow the statistics of a trace.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from agent.scenarios.generate import trace
from agent.scenarios.generate.gangs import IMAGE, JOBSET
from agent.scenarios.generate.manifests import KUEUE, pod_spec, queue
from agent.scenarios.generate.site import POOL_LABEL, Json, Site, Tenant, seconds, uid
from agent.scenarios.generate.trace import HOUR_S, Statistics

POOL, DESKS = "batch", "desks"
NOTEBOOK = "kubeflow.org/v1"
PEOPLE = ("ada", "bruno", "chen", "dina", "emil", "farah", "goro", "hanna")
JOBSETS = 0.5  # of the jobs of several pods
RUNS_FOR = "simulation.watchkeeper.dev/runs-for"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
FAMILIES = ("finetune", "sweep", "distill", "eval", "ablation", "tokenize")
PODS = ((1, 50), (2, 30), (4, 20))  # of a job, and how many of a hundred have so many: no trace of pods tells
JOBS_AN_HOUR = 5
LOAD_PERCENT = 55  # of the pool's GPU-hours that are asked for: waits come from bursts, not from too much work
SHORTEST, LONGEST = timedelta(minutes=5), timedelta(hours=3)
NOTEBOOKS_AN_HOUR = 1
NOTEBOOK_OPEN_MIN = (40, 150)
LAST_START = timedelta(minutes=30)  # before the end of the day


@dataclass(frozen=True, slots=True)
class Arrival:
    at: timedelta
    pods: int
    gpus: int  # of each
    runs: timedelta


def jobs(rng: Random, site: Site, tenants: Sequence[Tenant], statistics: Statistics, day: timedelta) -> list[Json]:
    """Timeline entries: each job names its queue, and from there on it is Kueue's."""
    found = []
    for number, arrival in enumerate(arrivals(rng, site, statistics, day), 1):
        owner = replace(site, tenant=Tenant(space(rng.choice(tenants))))
        name = f"{rng.choice(FAMILIES)}-{number:02}"
        made = _jobset if arrival.pods > 1 and rng.random() < JOBSETS else _job
        found.append({"at": seconds(arrival.at), "apply": made(owner, name, arrival)})
    return found


def space(tenant: Tenant) -> str:
    """The namespace of a tenant's jobs, and the name of its queue."""
    return f"{tenant.name}-{POOL}"


def arrivals(rng: Random, site: Site, statistics: Statistics, day: timedelta) -> list[Arrival]:
    hours = day.total_seconds() / HOUR_S
    count = max(1, int(hours * JOBS_AN_HOUR))
    gap_s = (day - LAST_START).total_seconds() / count
    gpu_s = site.gpus * len(site.nodes) * day.total_seconds() * LOAD_PERCENT / 100
    run_s = gpu_s / (count * statistics.mean_gpus * _mean(PODS))
    found, at = [], timedelta(0)
    for _ in range(count):
        at += timedelta(seconds=max(1, int(trace.draw(rng, statistics.gaps) * gap_s)))
        if at > day - LAST_START:
            break
        gpus = min(statistics.draw_gpus(rng), site.gpus)
        pods = min(rng.choices([n for n, _ in PODS], [w for _, w in PODS])[0], len(site.nodes) * site.gpus // gpus)
        runs = timedelta(seconds=int(trace.draw(rng, statistics.runs) * run_s))
        found.append(Arrival(at, pods, gpus, min(max(runs, SHORTEST), LONGEST)))
    return found


def notebooks(rng: Random, site: Site, tenants: Sequence[Tenant], day: timedelta) -> list[Json]:
    """Somebody opens one, works in it, and closes it when they go: never more than there are GPUs."""
    found: list[Json] = []
    closing: list[timedelta] = []
    room = site.gpus * len(site.nodes)
    for number in range(1, int(day.total_seconds() / HOUR_S * NOTEBOOKS_AN_HOUR) + 1):
        opens = timedelta(seconds=rng.randrange(int((day - LAST_START).total_seconds())))
        closes = opens + timedelta(minutes=rng.randint(*NOTEBOOK_OPEN_MIN))
        if sum(end > opens for end in closing) >= room:
            continue
        closing.append(closes)
        owner = replace(site, tenant=rng.choice(tenants))
        name = f"{rng.choice(PEOPLE)}-lab-{number}"
        found.append({"at": seconds(opens), "apply": _notebook(owner, name)})
        if closes < day:
            gone = {"apiVersion": NOTEBOOK, "kind": "Notebook", "namespace": owner.tenant.name, "name": name}
            found.append({"at": seconds(closes), "delete": gone})
    return found


def queues(tenants: Sequence[Tenant], gpus: int) -> list[Json]:
    """A share for each tenant, in a cohort where each may borrow what the others leave."""
    flavor = {"apiVersion": KUEUE, "kind": "ResourceFlavor", "metadata": {"name": POOL, "uid": uid("flavor", POOL)},
              "spec": {"nodeLabels": {POOL_LABEL: POOL}}}  # fmt: skip
    shares = [gpus // len(tenants) + (number < gpus % len(tenants)) for number in range(len(tenants))]
    named = [(space(tenant), share) for tenant, share in zip(tenants, shares, strict=True)]
    return [flavor, *(each for name, share in named for each in queue(name, {POOL: share}, POOL, POOL))]


def _about(site: Site, kind: str, name: str, **more: Json) -> Json:
    """Nothing says when it was made: that is when it comes."""
    return {"name": name, "namespace": site.tenant.name, "uid": uid(kind, site.tenant.name, name), **more}


def _job_spec(site: Site, arrival: Arrival) -> Json:
    return {
        "parallelism": arrival.pods,
        "completions": arrival.pods,
        "completionMode": "Indexed",
        "backoffLimit": 6,
        "template": {"metadata": {}, "spec": pod_spec(site, arrival.gpus, IMAGE, "OnFailure")},
    }


def _queued(arrival: Arrival) -> Json:
    return {"labels": {QUEUE_LABEL: POOL}, "annotations": {RUNS_FOR: seconds(arrival.runs)}}


def _job(site: Site, name: str, arrival: Arrival) -> Json:
    spec = {"suspend": True, **_job_spec(site, arrival)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": _about(site, "Job", name, **_queued(arrival)),
            "spec": spec}  # fmt: skip


def _jobset(site: Site, name: str, arrival: Arrival) -> Json:
    replicated = {"name": "workers", "replicas": 1, "template": {"spec": _job_spec(site, arrival)}}
    return {"apiVersion": JOBSET, "kind": "JobSet", "metadata": _about(site, "JobSet", name, **_queued(arrival)),
            "spec": {"suspend": True, "replicatedJobs": [replicated]}}  # fmt: skip


def _notebook(site: Site, name: str) -> Json:
    spec = pod_spec(site, 1, "jupyter-pytorch-cuda:v1.9")
    return {"apiVersion": NOTEBOOK, "kind": "Notebook", "metadata": _about(site, "Notebook", name),
            "spec": {"template": {"spec": spec}}}  # fmt: skip


def _mean(weighted: Sequence[tuple[int, int]]) -> float:
    return sum(value * weight for value, weight in weighted) / sum(weight for _, weight in weighted)
