"""ResourceQuotas: what a namespace's pods count for, and who is refused in which words. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kubernetes.quantities import parse_quantity, pod_requests
from agent.adapters.simulated import pods
from agent.ports import JsonObject

Amounts = dict[str, Decimal]
_COMPUTE = ("cpu", "memory", "ephemeral-storage")  # written without `requests.` too


def counts(quota: JsonObject, pod: JsonObject) -> bool:
    """Is the pod in the quota's namespace and scope? Of scopes only PriorityClass is played; others hold nobody."""
    if quota["metadata"].get("namespace") != pod["metadata"].get("namespace"):
        return False
    spec = quota.get("spec") or {}
    scopes = list((spec.get("scopeSelector") or {}).get("matchExpressions") or ())
    scopes += [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    return all(_in_scope(scope, pod) for scope in scopes)


def amounts_of(pod: JsonObject) -> Amounts:
    """Everything that a quota may count of a pod; nothing of one that has ended."""
    if pods.finished(pod):
        return {}
    spec = pod.get("spec") or {}
    found: Amounts = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for resource, text in pod_requests(Fields(spec, "spec", spec)).items():
        amount = parse_quantity(text)
        found[f"requests.{resource}"] = amount
        if resource in _COMPUTE:
            found[resource] = amount
    for container in spec.get("containers") or ():
        for resource, text in ((container.get("resources") or {}).get("limits") or {}).items():
            name = f"limits.{resource}"
            found[name] = found.get(name, Decimal(0)) + parse_quantity(str(text))
    return found


def hard_of(quota: JsonObject) -> Amounts:
    return _parsed((quota.get("spec") or {}).get("hard") or {})


def used_of(quota: JsonObject, everything: Iterable[JsonObject]) -> Amounts:
    """As its status says; counted where it says nothing."""
    said = (quota.get("status") or {}).get("used")
    return _parsed(said) if said else counted(quota, everything)


def counted(quota: JsonObject, everything: Iterable[JsonObject]) -> Amounts:
    """Of what is limited, and only of pods: other objects count for nothing here."""
    used = {name: Decimal(0) for name in hard_of(quota)}
    for pod in everything:
        for name, amount in amounts_of(pod).items() if counts(quota, pod) else ():
            if name in used:
                used[name] += amount
    return used


def added(used: Amounts, pod: JsonObject) -> Amounts:
    wanted = amounts_of(pod)
    return {name: amount + wanted.get(name, Decimal(0)) for name, amount in used.items()}


def refusal(quota: JsonObject, used: Amounts, pod: JsonObject) -> str:
    """What the API server answers, as the event of the pod's owner has it; empty when there is room."""
    hard, wanted = hard_of(quota), amounts_of(pod)
    over = [
        name for name in sorted(hard) if wanted.get(name) and used.get(name, Decimal(0)) + wanted[name] > hard[name]
    ]
    if not over:
        return ""
    told = [f"{word}: {_listed(over, of)}" for word, of in (("requested", wanted), ("used", used), ("limited", hard))]
    name = pod["metadata"]["name"]
    return f'pods "{name}" is forbidden: exceeded quota: {quota["metadata"]["name"]}, {", ".join(told)}'


def shown(amounts: Amounts) -> dict[str, str]:
    return {name: written(amount) for name, amount in sorted(amounts.items())}


def written(amount: Decimal) -> str:
    return format(amount.normalize(), "f")


def _listed(names: Iterable[str], amounts: Amounts) -> str:
    return ",".join(f"{name}={written(amounts.get(name, Decimal(0)))}" for name in names)


def _parsed(written: Mapping[str, object]) -> Amounts:
    return {name: parse_quantity(str(text)) for name, text in written.items()}


def _in_scope(scope: JsonObject, pod: JsonObject) -> bool:
    if scope.get("scopeName") != "PriorityClass":
        return False
    named, values = (pod.get("spec") or {}).get("priorityClassName"), scope.get("values") or ()
    match scope.get("operator"):
        case "In":
            return named in values
        case "NotIn":
            return named not in values
        case "DoesNotExist":
            return not named
    return bool(named)
