"""The pod sets that an object starts its pods from, kind by kind: how many pods, of which template, under which name.

The names are those that Kueue gives them in its Workload. Which of these objects is a gang, and how small it may get,
is said in gang_size.py. A TrainJob has no pods of its own writing: they come from its runtime, by way of a JobSet.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.owners import group_of

MAIN = "main"  # Kueue's name where a kind has one pod set only
SUBMITTER = "submitter"
_NO_SUBMITTER_POD = ("HTTPMode", "InteractiveMode", "SidecarMode")


@dataclass(frozen=True, slots=True)
class PodSet:
    name: str
    count: int
    least: int | None  # where fewer pods may start
    template: Fields  # metadata and spec of one pod


def pod_sets_of(root: Fields) -> list[PodSet]:
    """Empty for a kind that starts no pods, or not many at once."""
    reader = _READERS.get((group_of(root.text("apiVersion")), root.text("kind")))
    return reader(root) if reader else []


def pods_at_once(job_spec: Fields) -> int:
    """A Job never runs more pods than it has completions left to win."""
    parallelism = job_spec.integer("parallelism", 1)
    return min(parallelism, job_spec.integer("completions", parallelism))


def _listed(root: Fields) -> list[PodSet]:
    return [
        PodSet(
            each.text("name") or (MAIN if index == 0 else f"set-{index}"),
            each.integer("count", 1),
            each.integer("minCount", 0) if each.has("minCount") else None,
            each.within("template"),
        )
        for index, each in enumerate(root.within("spec").objects("podSets"))
    ]


def _job(root: Fields) -> list[PodSet]:
    spec = root.within("spec")
    return [PodSet(MAIN, pods_at_once(spec), None, spec.within("template"))]


def _job_set(root: Fields) -> list[PodSet]:
    return [
        PodSet(
            each.text("name") or f"set-{index}",
            each.integer("replicas", 1) * pods_at_once(each.within("template", "spec")),
            None,
            each.within("template", "spec", "template"),
        )
        for index, each in enumerate(root.within("spec").objects("replicatedJobs"))
    ]


def _replica_specs(field: str, order: tuple[str, ...]) -> Callable[[Fields], list[PodSet]]:
    """Kubeflow's jobs: a map from role to replicas, the role that leads first."""

    def read(root: Fields) -> list[PodSet]:
        specs = root.within("spec", field)
        roles = [role for role in order if specs.has(role)] + sorted(set(specs.values) - set(order))
        return [
            PodSet(role.lower(), spec.integer("replicas", 1), None, spec.within("template"))
            for role in roles
            for spec in (specs.within(role),)
        ]

    return read


def _ray_cluster(spec: Fields) -> list[PodSet]:
    found = []
    if spec.has("headGroupSpec"):
        found.append(PodSet("head", 1, None, spec.within("headGroupSpec", "template")))
    for index, group in enumerate(spec.objects("workerGroupSpecs")):
        count = group.integer("replicas", 1) * group.integer("numOfHosts", 1)
        name = (group.text("groupName") or f"workers-{index}").lower()
        found.append(PodSet(name, count, None, group.within("template")))
    return found


def _ray_job(root: Fields) -> list[PodSet]:
    """Unless the job is submitted another way, a pod of its own submits it."""
    spec = root.within("spec")
    found = _ray_cluster(spec.within("rayClusterSpec"))
    if found and spec.text("submissionMode") not in _NO_SUBMITTER_POD:
        found.append(PodSet(SUBMITTER, 1, None, spec.within("submitterPodTemplate")))
    return found


def _leader_worker_set(root: Fields) -> list[PodSet]:
    """All groups together. Without a template of its own the leader is one of the workers."""
    spec = root.within("spec")
    template, replicas = spec.within("leaderWorkerTemplate"), spec.integer("replicas", 1)
    size = template.integer("size", 1)
    if not template.has("leaderTemplate"):
        return [PodSet(MAIN, replicas * size, None, template.within("workerTemplate"))]
    workers = PodSet("worker", replicas * (size - 1), None, template.within("workerTemplate"))
    return [PodSet("leader", replicas, None, template.within("leaderTemplate")), workers]


_READERS: Mapping[tuple[str, str], Callable[[Fields], list[PodSet]]] = {
    ("kueue.x-k8s.io", "Workload"): _listed,
    ("watchkeeper.dev", "Gang"): _listed,
    ("batch", "Job"): _job,
    ("jobset.x-k8s.io", "JobSet"): _job_set,
    ("kubeflow.org", "PyTorchJob"): _replica_specs("pytorchReplicaSpecs", ("Master", "Worker")),
    ("kubeflow.org", "MPIJob"): _replica_specs("mpiReplicaSpecs", ("Launcher", "Worker")),
    ("ray.io", "RayJob"): _ray_job,
    ("ray.io", "RayCluster"): lambda root: _ray_cluster(root.within("spec")),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): _leader_worker_set,
}
