"""A Workload: what owns pods and can be scaled, suspended or stopped, and what it is for.

The class decides how long idleness must last before it means something, so the owner's own word
(annotation `watchkeeper.dev/class`) beats every guess.
"""

from agent.adapters.kubernetes.fields import Fields, ref_of
from agent.adapters.kubernetes.owners import Owners
from agent.domain.cluster import Workload, WorkloadClass

CLASS_ANNOTATION = "watchkeeper.dev/class"

_CLASS_BY_KIND = {
    "Deployment": WorkloadClass.SERVING,
    "StatefulSet": WorkloadClass.SERVING,
    "DaemonSet": WorkloadClass.SERVING,
    "ReplicaSet": WorkloadClass.SERVING,
    "InferenceService": WorkloadClass.SERVING,
    "LeaderWorkerSet": WorkloadClass.SERVING,
    "RayService": WorkloadClass.SERVING,
    "Notebook": WorkloadClass.NOTEBOOK,
    "Job": WorkloadClass.TRAINING,
    "JobSet": WorkloadClass.TRAINING,
    "TrainJob": WorkloadClass.TRAINING,
    "PyTorchJob": WorkloadClass.TRAINING,
    "MPIJob": WorkloadClass.TRAINING,
    "RayJob": WorkloadClass.TRAINING,
    "RayCluster": WorkloadClass.TRAINING,
    "Gang": WorkloadClass.TRAINING,
    "CronJob": WorkloadClass.BATCH,
}
_MAY_BE_A_NOTEBOOK = ("Deployment", "StatefulSet", "ReplicaSet")  # a Job that runs a notebook image is still a job
_NOTEBOOK_HINTS = ("notebook", "jupyter", "code-server", "rstudio")
_SCALED = ("Deployment", "StatefulSet", "ReplicaSet", "LeaderWorkerSet")
_STOPPED_ANNOTATION = "kubeflow-resource-stopped"  # how a Kubeflow Notebook is stopped


def is_workload_kind(root: Fields) -> bool:
    return root.text("kind") in _CLASS_BY_KIND


def is_workload(root: Fields, owners: Owners) -> bool:
    """A ReplicaSet counts only where no Deployment owns it."""
    return is_workload_kind(root) and (root.text("kind") != "ReplicaSet" or owners.top(ref_of(root)) is None)


def workload_of(root: Fields, above: tuple[Fields, ...]) -> Workload:
    """`above` are the objects at hand over this one, nearest first."""
    metadata, spec = root.within("metadata"), root.within("spec")
    annotations = metadata.strings("annotations")
    return Workload(
        ref=ref_of(root),
        uid=metadata.text("uid"),
        workload_class=_class_of((root, *above)),
        replicas=spec.integer("replicas", 1) if root.text("kind") in _SCALED else None,
        labels=metadata.strings("labels"),
        annotations=annotations,
        suspended=spec.boolean("suspend", False)
        or not spec.boolean("active", True)
        or _STOPPED_ANNOTATION in annotations,
        created_at=metadata.moment("creationTimestamp"),
    )


def _class_of(chain: tuple[Fields, ...]) -> WorkloadClass:
    for link in chain:
        said = _said_class(link)
        if said:
            return said
    top = chain[-1].text("kind")
    if any(_looks_like_a_notebook(link) for link in chain if link.text("kind") in _MAY_BE_A_NOTEBOOK):
        return WorkloadClass.NOTEBOOK
    return _CLASS_BY_KIND.get(top) or _CLASS_BY_KIND[chain[0].text("kind")]


def _said_class(root: Fields) -> WorkloadClass | None:
    annotations = root.within("metadata").within("annotations")
    said = annotations.text(CLASS_ANNOTATION)
    if not said:
        return None
    if said not in [c.value for c in WorkloadClass]:
        raise annotations.wrong(CLASS_ANNOTATION, f"expected one of {', '.join(WorkloadClass)}, found {said!r}")
    return WorkloadClass(said)


def _looks_like_a_notebook(root: Fields) -> bool:
    metadata, template = root.within("metadata"), root.within("spec", "template")
    words = [metadata.text("name"), *metadata.strings("annotations")]
    for labels in (metadata.strings("labels"), template.within("metadata").strings("labels")):
        words += [*labels, *labels.values()]
    words += [container.text("image") for container in template.within("spec").objects("containers")]
    return any(hint in word.lower() for word in words for hint in _NOTEBOOK_HINTS)
