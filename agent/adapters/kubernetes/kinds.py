"""The kinds that a view is made of. A cluster serves some of them; what it does not serve is left out.

Where a kind has several API versions, the preferred one stands first: the same object in two spellings counts once.
"""

from typing import NamedTuple


class Kind(NamedTuple):
    api_version: str
    kind: str


_KUEUE = (
    *("Workload", "ClusterQueue", "LocalQueue", "ResourceFlavor", "Cohort", "Topology"),
    *("WorkloadPriorityClass", "AdmissionCheck"),
)
_KINDS: dict[str, tuple[str, ...]] = {
    "v1": ("Node", "Pod", "Namespace", "ResourceQuota"),
    "apps/v1": ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ControllerRevision"),
    "batch/v1": ("Job", "CronJob"),
    "policy/v1": ("PodDisruptionBudget",),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "watchkeeper.dev/v1alpha1": ("Gang", "Queue"),
    "kueue.x-k8s.io/v1beta2": _KUEUE,
    "kueue.x-k8s.io/v1beta1": _KUEUE,
    "kueue.x-k8s.io/v1alpha1": ("Cohort", "Topology"),
    "scheduling.k8s.io/v1beta1": ("PodGroup", "Workload"),
    "scheduling.k8s.io/v1alpha3": ("PodGroup", "Workload"),
    "scheduling.k8s.io/v1alpha2": ("PodGroup", "Workload"),
    "scheduling.k8s.io/v1alpha1": ("Workload",),
    "jobset.x-k8s.io/v1alpha2": ("JobSet",),
    "leaderworkerset.x-k8s.io/v1": ("LeaderWorkerSet",),
    "kubeflow.org/v1": ("Notebook", "PyTorchJob"),
    "kubeflow.org/v1beta1": ("Notebook",),
    "kubeflow.org/v2beta1": ("MPIJob",),
    "trainer.kubeflow.org/v1alpha1": ("TrainJob",),
    "ray.io/v1": ("RayJob", "RayCluster", "RayService"),
    "serving.kserve.io/v1beta1": ("InferenceService",),
}

KINDS: tuple[Kind, ...] = tuple(Kind(version, kind) for version, kinds in _KINDS.items() for kind in kinds)
