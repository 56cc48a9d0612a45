"""How many pods must run for a gang to be a gang, and what one of its pods asks for.

The rule per kind is the published one ("A gang's minimum" in the scenario format); a job that is nobody's gang has
the size 0.
"""

from collections.abc import Callable, Mapping

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.owners import group_of
from agent.adapters.kubernetes.pod_sets import pod_sets_of, pods_at_once
from agent.adapters.kubernetes.quantities import gpus_in, pod_requests

KUEUE = "kueue.x-k8s.io"
NATIVE = "scheduling.k8s.io"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
GANG_ANNOTATION = "watchkeeper.dev/gang"


def kind_of(root: Fields) -> tuple[str, str]:
    return group_of(root.text("apiVersion")), root.text("kind")


def minimum_of(root: Fields) -> int:
    """0 for an object that is no gang."""
    rule = _MINIMUM.get(kind_of(root))
    return max(0, rule(root)) if rule else 0


def templates_of(root: Fields) -> list[Fields]:
    """The pod specs that this object starts pods from."""
    sets = pod_sets_of(root)
    return [each.template.within("spec") for each in sets] or [root.within("spec", "template", "spec")]


def gpus_per_pod(root: Fields) -> int:
    return max((gpus_in(pod_requests(template)) for template in templates_of(root)), default=0)


def is_queued(root: Fields) -> bool:
    return bool(root.within("metadata").strings("labels").get(QUEUE_LABEL))


def _pod_sets(root: Fields) -> int:
    sets = root.within("spec").objects("podSets")
    return sum(s.integer("minCount", s.integer("count", 1)) for s in sets)


def _pod_group(root: Fields) -> int:
    spec = root.within("spec")
    for policy in ("schedulingPolicy", "policy"):
        if spec.within(policy).has("gang"):
            return spec.within(policy, "gang").integer("minCount", 1)
    return spec.within("gang").integer("minCount", 0)


def _first_native_workload(root: Fields) -> int:
    """v1alpha1 had no PodGroup objects: the Workload itself lists its groups."""
    groups = root.within("spec").objects("podGroups")
    return sum(group.within("policy", "gang").integer("minCount", 0) for group in groups)


def _job_set(root: Fields) -> int:
    return sum(each.count for each in pod_sets_of(root))


def _leader_worker_set(root: Fields) -> int:
    spec = root.within("spec")
    return spec.integer("replicas", 1) * spec.within("leaderWorkerTemplate").integer("size", 1)


def _job(root: Fields) -> int:
    annotated = root.within("metadata").strings("annotations").get(GANG_ANNOTATION) == "true"
    return pods_at_once(root.within("spec")) if annotated or is_queued(root) else 0


_MINIMUM: Mapping[tuple[str, str], Callable[[Fields], int]] = {
    (KUEUE, "Workload"): _pod_sets,
    (NATIVE, "PodGroup"): _pod_group,
    (NATIVE, "Workload"): _first_native_workload,
    ("watchkeeper.dev", "Gang"): _pod_sets,
    ("jobset.x-k8s.io", "JobSet"): _job_set,
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): _leader_worker_set,
    ("batch", "Job"): _job,
}
