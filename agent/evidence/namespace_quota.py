"""What a namespace's ResourceQuotas leave: nodes may have room for a pod that the API server will not let in."""

from typing import Any

from agent.domain.cluster import ClusterView

GPUS = "requests.nvidia.com/gpu"
PODS = ("pods", "count/pods")


def replicas_left(view: ClusterView, namespace: str | None, gpus: int) -> tuple[int | None, str]:
    """How many pods more of so many GPUs each, and which quota says so; None where none says anything.

    One with scopes holds some pods and not others, and is left to the API server.
    """
    least: tuple[int | None, str] = (None, "")
    for ref, raw in sorted(view.objects.items(), key=lambda item: str(item[0])):
        spec: Any = raw.get("spec") or {}
        if ref.kind != "ResourceQuota" or ref.namespace != namespace or spec.get("scopes") or spec.get("scopeSelector"):
            continue
        for name, hard in (spec.get("hard") or {}).items():
            each = {GPUS: gpus, **dict.fromkeys(PODS, 1)}.get(name, 0)
            free = _count(hard) - _used(view, raw, namespace, name)
            if each and (least[0] is None or free // each < least[0]):
                least = max(0, free // each), f"{ref} leaves {max(0, free)} of {name}"
    return least


def _used(view: ClusterView, raw: Any, namespace: str | None, name: str) -> int:
    """As the quota's controller counted it; from the pods where it has not said."""
    told = ((raw.get("status") or {}).get("used") or {}).get(name)
    if told is not None:
        return _count(told)
    here = [p for p in view.pods.values() if p.ref.namespace == namespace and p.phase in ("Pending", "Running")]
    return sum(p.gpus if name == GPUS else 1 for p in here)


def _count(quantity: Any) -> int:
    """GPUs and pods are counted in whole numbers; a quota that is written otherwise counts as nothing left."""
    text = str(quantity)
    thousands = text.removesuffix("k")
    return int(thousands) * (1000 if thousands != text else 1) if thousands.isdecimal() else 0
