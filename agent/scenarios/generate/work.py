"""The day's own work: training jobs that arrive, wait in a queue, run and finish; notebooks that are opened and closed.

They have pools and quota of their own, so that they come and go beside the troubles and change nothing about what is
right there. Sizes, run times and gaps follow the statistics of a trace.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

from agent.scenarios.generate import submitted, trace
from agent.scenarios.generate.manifests import KUEUE, pod_spec, queue
from agent.scenarios.generate.site import POOL_LABEL, Json, Site, Tenant, seconds, uid
from agent.scenarios.generate.submitted import FORMS, Arrival
from agent.scenarios.generate.trace import HOUR_S, Statistics

POOL, DESKS, NATIVE = "batch", "desks", "native"
NOTEBOOK = "kubeflow.org/v1"
PEOPLE = ("ada", "bruno", "chen", "dina", "emil", "farah", "goro", "hanna")
FAMILIES = ("finetune", "sweep", "distill", "eval", "ablation", "tokenize")
PODS = ((1, 50), (2, 30), (4, 20))  # of a job, and how many of a hundred have so many: no trace of pods tells
JOBS_AN_HOUR = 5
LOAD_PERCENT = 55  # of the pool's GPU-hours that are asked for: waits come from bursts, not from too much work
SHORTEST, LONGEST = timedelta(minutes=5), timedelta(hours=3)
NOTEBOOKS_AN_HOUR = 1
NOTEBOOK_OPEN_MIN = (40, 150)
GROUP_RUNS_MIN, BETWEEN_GROUPS_MIN = (30, 100), (10, 40)
LAST_START = timedelta(minutes=30)  # before the end of the day


def jobs(rng: Random, site: Site, tenants: Sequence[Tenant], statistics: Statistics, day: timedelta) -> list[Json]:
    """Timeline entries. One that waits for longer than it would have served is taken away unserved."""
    found: list[Json] = []
    for number, arrival in enumerate(arrivals(rng, site, statistics, day), 1):
        owner = replace(site, tenant=Tenant(space(rng.choice(tenants))))
        name = f"{rng.choice(FAMILIES)}-{number:02}"
        several = rng.choices([form for form, _ in FORMS], [weight for _, weight in FORMS])[0]
        form = several if arrival.pods > 1 else submitted.job
        made = form(owner, name, arrival, POOL)
        found += _comes(arrival.at, made)
        closes = arrival.at + arrival.runs
        if form is submitted.leaderworkerset and closes < day:
            found.append(_goes(closes, made[0]))
    return found


def groups(rng: Random, site: Site, tenants: Sequence[Tenant], day: timedelta) -> list[Json]:
    """Native PodGroups over the whole of their pool, one after the other: no queue keeps them apart."""
    found: list[Json] = []
    at, number = timedelta(minutes=rng.randint(*BETWEEN_GROUPS_MIN)), 1
    while at < day - LAST_START:
        arrival = Arrival(at, len(site.nodes), site.gpus, timedelta(minutes=rng.randint(*GROUP_RUNS_MIN)))
        owner = replace(site, tenant=rng.choice(tenants))
        found += _comes(at, submitted.podgroup(owner, f"{rng.choice(FAMILIES)}-group-{number}", arrival))
        at, number = at + arrival.runs + timedelta(minutes=rng.randint(*BETWEEN_GROUPS_MIN)), number + 1
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
        made = _notebook(owner, name)
        found += _comes(opens, [made])
        if closes < day:
            found.append(_goes(closes, made))
    return found


def queues(tenants: Sequence[Tenant], gpus: int) -> list[Json]:
    """A share for each tenant, in a cohort where each may borrow what the others leave."""
    flavor = {"apiVersion": KUEUE, "kind": "ResourceFlavor", "metadata": {"name": POOL, "uid": uid("flavor", POOL)},
              "spec": {"nodeLabels": {POOL_LABEL: POOL}}}  # fmt: skip
    shares = [gpus // len(tenants) + (number < gpus % len(tenants)) for number in range(len(tenants))]
    named = [(space(tenant), share) for tenant, share in zip(tenants, shares, strict=True)]
    return [
        flavor,
        submitted.runtime(POOL),
        *(each for name, share in named for each in queue(name, {POOL: share}, POOL, POOL)),
    ]


def _comes(at: timedelta, manifests: Sequence[Json]) -> list[Json]:
    return [{"at": seconds(at), "apply": each} for each in manifests]


def _goes(at: timedelta, manifest: Json) -> Json:
    about = {key: manifest["metadata"][key] for key in ("namespace", "name")}
    return {"at": seconds(at), "delete": {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], **about}}


def _notebook(site: Site, name: str) -> Json:
    spec = pod_spec(site, 1, "jupyter-pytorch-cuda:v1.9")
    about = {"name": name, "namespace": site.tenant.name, "uid": uid("Notebook", site.tenant.name, name)}
    return {"apiVersion": NOTEBOOK, "kind": "Notebook", "metadata": about, "spec": {"template": {"spec": spec}}}


def _mean(weighted: Sequence[tuple[int, int]]) -> float:
    return sum(value * weight for value, weight in weighted) / sum(weight for _, weight in weighted)
