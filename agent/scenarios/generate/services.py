"""What is no gang: notebooks with their StatefulSets, and services of replicas that serve."""

from agent.scenarios.generate.manifests import metadata, owner, pod_spec, running
from agent.scenarios.generate.site import Json, Site, uid


def notebook(site: Site, name: str, gpus: int) -> tuple[list[Json], str]:
    """A Kubeflow notebook on the site's first node; its objects, and the name of its pod."""
    spec = pod_spec(site, gpus, "jupyter-pytorch-cuda:v1.9")
    labels = {"statefulset": name, "notebook-name": name}
    owned = owner("kubeflow.org/v1", "Notebook", site, name)
    workers = metadata(site, "StatefulSet", name, labels={"notebook-name": name}) | {"ownerReferences": [owned]}
    return [
        {"apiVersion": "kubeflow.org/v1", "kind": "Notebook", "metadata": metadata(site, "Notebook", name),
         "spec": {"template": {"spec": spec}}, "status": {"readyReplicas": 1}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": workers, "spec": {
            "replicas": 1, "serviceName": name, "selector": {"matchLabels": {"statefulset": name}},
            "template": {"metadata": {"labels": labels}, "spec": spec},
         }, "status": {"replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "updatedReplicas": 1}},
        running(site, f"{name}-0", site.nodes[0], spec, owner("apps/v1", "StatefulSet", site, name), labels),
    ], f"{name}-0"  # fmt: skip


def service(
    site: Site, name: str, gpus: int, on: tuple[str, ...], priority: str | None = None
) -> tuple[list[Json], list[str]]:
    """A Deployment with a replica on each of the nodes (one may be named twice); its objects, and its pods' names."""
    replica_set = f"{name}-{uid('template', name)[:8]}"
    spec = pod_spec(site, gpus, "serve:1.7") | ({"priorityClassName": priority} if priority else {})
    labels = {"app": name, "pod-template-hash": replica_set.removeprefix(f"{name}-")}
    count, revision = len(on), {"deployment.kubernetes.io/revision": "1"}
    status = {"replicas": count, "readyReplicas": count, "availableReplicas": count}
    made = metadata(site, "Deployment", name, labels={"app": name}, annotations=revision)
    set_made = metadata(site, "ReplicaSet", replica_set, labels=labels, annotations=revision)
    set_made["ownerReferences"] = [owner("apps/v1", "Deployment", site, name)]
    objects: list[Json] = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": made, "spec": {
            "replicas": count, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
         }, "status": {**status, "updatedReplicas": count}},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": set_made, "spec": {
            "replicas": count, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
         }, "status": status},
    ]  # fmt: skip
    owned = owner("apps/v1", "ReplicaSet", site, replica_set)
    names = [f"{replica_set}-{i}" for i in range(count)]
    return [*objects, *(running(site, n, node, spec, owned, labels) for n, node in zip(names, on, strict=True))], names
