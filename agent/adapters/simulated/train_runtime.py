"""The JobSet that a TrainJob's runtime stands for, as Kubeflow Trainer builds it: the runtime's template, the numbers
and the container of the TrainJob's own trainer. Pure.

A scenario may leave the runtime out: then it is the one that Kubeflow ships, one replicated job called `node`.
"""

from typing import Any

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated import pods
from agent.adapters.simulated.merge import copied
from agent.adapters.simulated.store import ObjectStore
from agent.ports import JsonObject

GROUP = "trainer.kubeflow.org"
ANCESTOR = "trainer.kubeflow.org/trainjob-ancestor-step"
TRAINER = "trainer"
NODE = "node"
JOBSET = "jobset.x-k8s.io/v1alpha2"


def runtime_of(store: ObjectStore, train_job: JsonObject) -> JsonObject:
    """The spec of the TrainingRuntime that the TrainJob names."""
    named = train_job["spec"].get("runtimeRef") or {}
    kind, namespace = named.get("kind") or "ClusterTrainingRuntime", train_job["metadata"].get("namespace") or ""
    home = namespace if kind == "TrainingRuntime" else ""
    found = store.get(Key(GROUP, kind, home, named.get("name") or ""))
    return dict((found or {}).get("spec") or {})


def jobset_of(train_job: JsonObject, runtime: JsonObject) -> JsonObject:
    metadata, spec = train_job["metadata"], train_job["spec"]
    template = copied((runtime.get("template") or {}).get("spec") or {})
    replicated = template.get("replicatedJobs") or [{"name": NODE, "template": {"metadata": {"labels": _STEP}}}]
    nodes = (spec.get("trainer") or {}).get("numNodes") or (runtime.get("mlPolicy") or {}).get("numNodes") or 1
    template["replicatedJobs"] = [_replicated(each, spec.get("trainer") or {}, int(nodes)) for each in replicated]
    return {
        "apiVersion": JOBSET,
        "kind": "JobSet",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata.get("namespace"),
            "ownerReferences": [pods.owner_reference(train_job)],
        },
        "spec": {**template, "suspend": bool(spec.get("suspend"))},
    }


_STEP = {ANCESTOR: TRAINER}


def _replicated(job: JsonObject, trainer: JsonObject, nodes: int) -> JsonObject:
    """The trainer's own step has a pod on each node; the others run as the runtime says."""
    template = job.get("template") or {}
    step = ((template.get("metadata") or {}).get("labels") or {}).get(ANCESTOR)
    if step != TRAINER and job.get("name") != NODE:
        return job
    spec = dict(template.get("spec") or {})
    pod = spec.get("template") or {}
    pod_spec = {"restartPolicy": "Never", **(pod.get("spec") or {})}
    pod_spec["containers"] = [_container(each, trainer) for each in pod_spec.get("containers") or [{"name": NODE}]]
    spec |= {"parallelism": nodes, "completions": nodes, "completionMode": "Indexed"}
    spec["template"] = {**pod, "spec": pod_spec}
    return {**job, "replicas": 1, "template": {**template, "spec": spec}}


def _container(container: JsonObject, trainer: JsonObject) -> JsonObject:
    if container.get("name") != NODE:
        return container
    own: dict[str, Any] = {name: trainer[name] for name in ("image", "command", "args") if trainer.get(name)}
    if trainer.get("resourcesPerNode"):
        own["resources"] = trainer["resourcesPerNode"]
    return {**container, **own}
