"""Objects as somebody would have given them to kubectl: nodes, queues, and the pods that everything else owns."""

from typing import Any

from agent.scenarios.generate.site import POOL_LABEL, PRODUCTS, Json, Site, Tenant, uid

KUEUE = "kueue.x-k8s.io/v1beta2"
GPU = "nvidia.com/gpu"
PRODUCT_LABEL = "nvidia.com/gpu.product"
SINCE = "2026-10-26T08:00:00Z"  # when everything that runs already was made
NODES_PER_RACK = 4
NODES_PER_BLOCK = 16


def node(name: str, index: int, kind: str, gpus: int, pool: str) -> Json:
    rack, block = f"rack-{index // NODES_PER_RACK + 1}", f"block-{index // NODES_PER_BLOCK + 1}"
    labels = {
        "kubernetes.io/hostname": name,
        "nvidia.com/gpu.present": "true",
        PRODUCT_LABEL: PRODUCTS[kind],
        "nvidia.com/gpu.clique": f"{uid(rack)}.{index % 2}",
        "cloud.provider.com/topology-block": block,
        "cloud.provider.com/topology-rack": rack,
        POOL_LABEL: pool,
    }
    room = {"cpu": "192", "memory": "2Ti", "pods": "110", GPU: str(gpus)}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    status = {"capacity": room, "allocatable": room, "conditions": [ready]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "status": status}


def queues(tenants: tuple[Tenant, ...], kinds: dict[str, int]) -> list[Json]:
    """A flavor for each kind of GPU, and for each tenant a namespace, a ClusterQueue of one cohort, a LocalQueue."""
    made = [
        {"apiVersion": KUEUE, "kind": "ResourceFlavor", "metadata": {"name": kind, "uid": uid("flavor", kind)},
         "spec": {"nodeLabels": {PRODUCT_LABEL: PRODUCTS[kind]}}}
        for kind in kinds
    ]  # fmt: skip
    for tenant in tenants:
        made += queue(tenant.name, {kind: gpus // len(tenants) for kind, gpus in kinds.items()}, "company")
    return made


def queue(name: str, quota: dict[str, int], cohort: str, local: str = "main", within: str = "Never") -> list[Json]:
    """A namespace, its ClusterQueue of the same name with GPUs of each flavor, and its LocalQueue. Nobody takes back by
    itself what another of the cohort has borrowed. `within`: who of its own gangs may put out whom."""
    flavors = [{"name": kind, "resources": [{"name": GPU, "nominalQuota": str(gpus)}]} for kind, gpus in quota.items()]
    active = {"type": "Active", "status": "True", "reason": "Ready", "message": "Can admit new workloads"}
    spec = {
        "cohortName": cohort,
        "namespaceSelector": {},
        "queueingStrategy": "BestEffortFIFO",
        "stopPolicy": "None",
        "preemption": {"withinClusterQueue": within, "reclaimWithinCohort": "Never"},
        "resourceGroups": [{"coveredResources": [GPU], "flavors": flavors}],
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        {"apiVersion": KUEUE, "kind": "ClusterQueue", "metadata": {"name": name, "uid": uid("cq", name)},
         "spec": spec, "status": {"conditions": [active]}},
        {"apiVersion": KUEUE, "kind": "LocalQueue", "metadata": {"name": local, "namespace": name,
         "uid": uid("lq", name)}, "spec": {"clusterQueue": name, "stopPolicy": "None"}},
    ]  # fmt: skip


def metadata(site: Site, kind: str, name: str, **more: Any) -> Json:
    namespace = site.tenant.name
    made = {"name": name, "namespace": namespace, "uid": uid(kind, namespace, name), "creationTimestamp": SINCE}
    return {**made, **more}


def owner(api_version: str, kind: str, site: Site, name: str) -> Json:
    known = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid(kind, site.tenant.name, name)}
    return {**known, "controller": True, "blockOwnerDeletion": True}


def pod_spec(site: Site, gpus: int, image: str, restart: str = "Always") -> Json:
    """For pods of this site's pool alone, and of its kind of GPU: that is what tells Kueue its flavor."""
    resources = {"requests": {GPU: str(gpus)}, "limits": {GPU: str(gpus)}}
    return {
        "restartPolicy": restart,
        "nodeSelector": {POOL_LABEL: site.label, PRODUCT_LABEL: PRODUCTS[site.kind]},
        "containers": [{"name": "main", "image": f"registry.example/ml/{image}", "resources": resources}],
    }


def running(
    site: Site, name: str, on: str, spec: Json, owned_by: Json | None, labels: dict[str, str], since: str = SINCE
) -> Json:
    status = {
        "phase": "Running",
        "startTime": since,
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
    }
    return _pod(_about(site, name, owned_by, labels, since), {**spec, "nodeName": on}, status)


def waiting(site: Site, name: str, spec: Json, owned_by: Json, labels: dict[str, str], since: str) -> Json:
    unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": since,
                "message": "0 nodes are available: Insufficient nvidia.com/gpu."}  # fmt: skip
    about = _about(site, name, owned_by, labels, since)
    return _pod(about, spec, {"phase": "Pending", "conditions": [unplaced]})


def _about(site: Site, name: str, owned_by: Json | None, labels: dict[str, str], since: str) -> Json:
    about: Json = {"name": name, "namespace": site.tenant.name, "labels": labels, "creationTimestamp": since}
    return about if owned_by is None else {**about, "ownerReferences": [owned_by]}


def _pod(about: Json, spec: Json, status: Json) -> Json:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec, "status": status}
