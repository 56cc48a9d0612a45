"""What a site sets for everybody: classes of priority, a ceiling for each tenant, a budget for each service."""

from collections.abc import Sequence

from agent.scenarios.generate.manifests import GPU, metadata
from agent.scenarios.generate.site import Json, Site, Tenant, uid

SERVING = "serving"
CLASSES = {SERVING: 1000, "training": 100, "sweeps": 10}


def classes() -> list[Json]:
    """Nobody is put out for them: Kueue's queues of a day let nobody preempt, and pods neither."""
    return [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name, "uid": uid("PriorityClass", name)},
            "value": value,
            "preemptionPolicy": "Never",
        }
        for name, value in CLASSES.items()
    ]


def ceilings(tenants: Sequence[Tenant], gpus: int) -> list[Json]:
    """Against a slip of the keyboard: no namespace can ask for more GPUs than there are."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "gpus", "namespace": tenant.name, "uid": uid("ResourceQuota", tenant.name)},
            "spec": {"hard": {f"requests.{GPU}": str(gpus)}},
        }
        for tenant in tenants
    ]


def budget(site: Site, name: str) -> Json:
    """One replica of the service may be away at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(site, "PodDisruptionBudget", name),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}},
    }
