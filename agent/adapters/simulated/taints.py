"""Which taints a pod puts up with, in Kubernetes' own words. Pure."""

from collections.abc import Iterable

from agent.ports import JsonObject

NO_EXECUTE = "NoExecute"
OF_NODE_LIFECYCLE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")  # every pod has 300 s of these


def taints_of(node: JsonObject) -> list[JsonObject]:
    return list((node.get("spec") or {}).get("taints") or ())


def tolerations_of(pod: JsonObject) -> list[JsonObject]:
    return list((pod.get("spec") or {}).get("tolerations") or ())


def tolerates(tolerations: Iterable[JsonObject], taint: JsonObject) -> bool:
    return any(_matches(each, taint) for each in tolerations)


def stays_s(pod: JsonObject, taints: Iterable[JsonObject]) -> int | None:
    """For how many seconds the pod may stay under these NoExecute taints: 0 for not at all, None for ever."""
    longest: list[int] = []
    for taint in taints:
        matching = [each for each in tolerations_of(pod) if _matches(each, taint)]
        if not matching:
            return 0
        limits = [each["tolerationSeconds"] for each in matching if each.get("tolerationSeconds") is not None]
        longest += [max(0, int(limit)) for limit in limits]
    return min(longest, default=None)


def _matches(toleration: JsonObject, taint: JsonObject) -> bool:
    return (
        toleration.get("key") in (None, "", taint.get("key"))
        and toleration.get("effect") in (None, "", taint.get("effect"))
        and (toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", ""))
    )
