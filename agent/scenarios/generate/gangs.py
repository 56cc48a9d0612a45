"""Training gangs: a Job or a JobSet that Kueue has admitted, or a Gang of the embedded scheduler's own."""

from agent.scenarios.generate.manifests import GPU, KUEUE, SINCE, metadata, owner, pod_spec, running, waiting
from agent.scenarios.generate.site import Json, Site, uid

OURS = "watchkeeper.dev/v1alpha1"
JOBSET = "jobset.x-k8s.io/v1alpha2"
QUEUE = "training"  # of the embedded scheduler
FORMS = ("job", "jobset", "gang")
IMAGE = "train:2.4"


def gang(site: Site, form: str, name: str, on: tuple[str, ...]) -> tuple[list[Json], Json]:
    """A gang that runs whole, a pod on each of the nodes; its objects, and the reference by which it is requeued."""
    if form == "job":
        return _job(site, name, on)
    return _jobset(site, name, on) if form == "jobset" else (started(site, name, on), reference(site, name))


def our_queue(name: str, gpus: int) -> Json:
    """For the gangs of the embedded scheduler."""
    quotas = [{"flavor": "default", "resource": GPU, "nominal": str(gpus)}]
    about = {"name": name, "uid": uid("queue", name)}
    return {"apiVersion": OURS, "kind": "Queue", "metadata": about, "spec": {"quotas": quotas}}


def reference(site: Site, name: str) -> Json:
    return {"kind": "Gang", "namespace": site.tenant.name, "name": name}


def pod_name(form: str, name: str, index: int) -> str:
    return f"{name}-workers-0-{index}" if form == "jobset" else f"{name}-{index}"


def started(
    site: Site, name: str, on: tuple[str, ...], waits: int = 0, since: str = SINCE, queue: str = QUEUE
) -> list[Json]:
    """A Gang of which these pods run and `waits` more find no node since then. Pods come before their owner, so that
    no controller sees it without them."""
    spec, owned = pod_spec(site, site.gpus, IMAGE, "OnFailure"), owner(OURS, "Gang", site, name)
    pods = [running(site, f"{name}-{i}", node, spec, owned, {"app": name}, since) for i, node in enumerate(on)]
    pods += [waiting(site, f"{name}-{len(on) + i}", spec, owned, {"app": name}, since) for i in range(waits)]
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    sets = [{"name": "worker", "count": len(on) + waits, "template": template}]
    made = {**metadata(site, "Gang", name), "creationTimestamp": since}
    told = {"queue": queue, "priority": 0, "podSets": sets}
    return [*pods, {"apiVersion": OURS, "kind": "Gang", "metadata": made, "spec": told}]


def _job(site: Site, name: str, on: tuple[str, ...]) -> tuple[list[Json], Json]:
    spec = pod_spec(site, site.gpus, IMAGE, "OnFailure")
    labels = {"batch.kubernetes.io/job-name": name}
    job = _job_manifest(site, name, len(on), spec, labels, {"kueue.x-k8s.io/queue-name": "main"})
    workload, ref = _workload(site, "batch/v1", "Job", name, len(on), spec)
    owned = owner("batch/v1", "Job", site, name)
    pods = [running(site, pod_name("job", name, i), node, spec, owned, labels) for i, node in enumerate(on)]
    return [job, workload, *pods], ref


def _job_manifest(site: Site, name: str, pods: int, spec: Json, labels: Json, own: Json) -> Json:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(site, "Job", name, labels=own),
        "spec": {
            "parallelism": pods,
            "completions": pods,
            "completionMode": "Indexed",
            "suspend": False,
            "backoffLimit": 6,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
        "status": {"active": pods, "ready": pods},
    }


def _jobset(site: Site, name: str, on: tuple[str, ...]) -> tuple[list[Json], Json]:
    spec = pod_spec(site, site.gpus, IMAGE, "OnFailure")
    child = f"{name}-workers-0"
    own = {
        "jobset.sigs.k8s.io/jobset-name": name,
        "jobset.sigs.k8s.io/replicatedjob-name": "workers",
        "jobset.sigs.k8s.io/job-index": "0",
    }
    labels = {**own, "batch.kubernetes.io/job-name": child}
    job = _job_manifest(site, child, len(on), spec, labels, own)
    job["metadata"]["ownerReferences"] = [owner(JOBSET, "JobSet", site, name)]
    inner = {key: job["spec"][key] for key in ("parallelism", "completions", "completionMode", "backoffLimit")}
    replicated = {"name": "workers", "replicas": 1, "template": {"spec": {**inner, "template": {"spec": spec}}}}
    counts = {"name": "workers", "ready": 1, "active": 1, "succeeded": 0, "failed": 0, "suspended": 0}
    jobset = {
        "apiVersion": JOBSET,
        "kind": "JobSet",
        "metadata": metadata(site, "JobSet", name, labels={"kueue.x-k8s.io/queue-name": "main"}),
        "spec": {"suspend": False, "replicatedJobs": [replicated]},
        "status": {"replicatedJobsStatus": [counts]},
    }
    workload, ref = _workload(site, JOBSET, "JobSet", name, len(on), spec)
    owned = owner("batch/v1", "Job", site, child)
    pods = [running(site, pod_name("jobset", name, i), node, spec, owned, labels) for i, node in enumerate(on)]
    return [jobset, job, workload, *pods], ref


def _workload(site: Site, api_version: str, kind: str, job: str, pods: int, spec: Json) -> tuple[Json, Json]:
    name = f"{kind.lower()}-{job}-{uid('hash', job)[:5]}"
    said = (("QuotaReserved", "QuotaReserved"), ("Admitted", "Admitted"), ("PodsReady", "Started"))
    conditions = [{"type": t, "status": "True", "reason": r, "lastTransitionTime": SINCE} for t, r in said]
    set_name = "workers" if kind == "JobSet" else "main"
    usage = {
        "name": set_name,
        "count": pods,
        "flavors": {GPU: site.kind},
        "resourceUsage": {GPU: str(site.gpus * pods)},
    }
    owned = [owner(api_version, kind, site, job)]
    workload = {
        "apiVersion": KUEUE,
        "kind": "Workload",
        "metadata": metadata(site, "Workload", name) | {"ownerReferences": owned},
        "spec": {
            "active": True,
            "queueName": "main",
            "priority": 0,
            "podSets": [{"name": set_name, "count": pods, "template": {"spec": spec}}],
        },
        "status": {
            "admission": {"clusterQueue": site.tenant.name, "podSetAssignments": [usage]},
            "conditions": conditions,
        },
    }
    return workload, {"kind": "Workload", "namespace": site.tenant.name, "name": name}
