"""The rights that the agent needs in a cluster, written from what it follows and from what its actions declare.

Two folders, so that an agent that only observes has no right to change anything: `observing` has what it reads,
`acting` what it changes, in the cluster and in its own namespace. What it reads of Kueue's settings lies in Kueue's
namespace, which need not be there: a file of its own. `rules` is for whoever asks the server what is allowed
(`watchkeeper doctor`), `manifests` for whoever installs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.actions.base import Action
from agent.actions.catalogue import ACTIONS
from agent.actions.rights import Right, plural
from agent.adapters.kubernetes.kinds import KINDS
from agent.adapters.kubernetes.owners import group_of
from agent.ports import JsonObject

NAMESPACE = ACCOUNT = "watchkeeper"
API = "rbac.authorization.k8s.io"
READS, READS_OWN, KUEUE_CONFIG = "watchkeeper-reads", "watchkeeper-reads-own", "watchkeeper-kueue-config"
ACTS, OWN = "watchkeeper-acts", "watchkeeper-own"
FOLDERS: Mapping[str, Sequence[str]] = {
    "observing": (READS, READS_OWN),
    "kueue": (KUEUE_CONFIG,),
    "acting": (ACTS, OWN),
}
"""Where the manifest of each role lies, below deploy/kubernetes."""
_FOLLOW = ("get", "list", "watch")


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """`namespace`: where it holds; None for everywhere. `why`: the actions, or the part of the agent, that need it."""

    role: str
    right: Right
    why: tuple[str, ...]
    namespace: str | None = None
    names: tuple[str, ...] = ()


def rules() -> tuple[Rule, ...]:
    """All of them, by role and resource."""
    return tuple(sorted((*_reading(), *_acting(), *_own())))


def manifests(*folders: str) -> list[JsonObject]:
    """The roles of these folders and their bindings, of all without one; `observing` has the account, too."""
    made: list[JsonObject] = []
    for folder in folders or FOLDERS:
        made += _account() if folder == "observing" else []
        for role in FOLDERS[folder]:
            mine = [each for each in rules() if each.role == role]
            made += [_role(role, mine), _binding(role, mine[0].namespace)]
    return made


def folder_of(role: str) -> str:
    return next(folder for folder, roles in FOLDERS.items() if role in roles)


def rule_json(rule: Rule) -> JsonObject:
    names = {"resourceNames": list(rule.names)} if rule.names else {}
    right = rule.right
    return {"apiGroups": [right.group], "resources": [right.resource], **names, "verbs": list(right.verbs)}


def _account() -> list[JsonObject]:
    """Its pods keep the strictest of Kubernetes' own standards: the namespace admits no others."""
    strict = {"pod-security.kubernetes.io/enforce": "restricted"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": strict}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": NAMESPACE}},
    ]


def _reading() -> list[Rule]:
    followed = sorted({(group_of(each.api_version), plural(each.kind)) for each in KINDS})
    rights = [Right(group, resource, _FOLLOW) for group, resource in followed]
    return [Rule(READS, each, ("the view",)) for each in rights] + [
        Rule(READS, Right("", "events", _FOLLOW), ("signals",)),
    ]


def _acting() -> list[Rule]:
    rights = {(right, verb) for action in ACTIONS for right in action.rights for verb in right.verbs}
    resources = sorted({(right.group, right.resource) for right, _ in rights})
    found = []
    for group, resource in resources:
        verbs = sorted({verb for right, verb in rights if (right.group, right.resource) == (group, resource)})
        why = _names(a for a in ACTIONS if any((r.group, r.resource) == (group, resource) for r in a.rights))
        found.append(Rule(ACTS, Right(group, resource, tuple(verbs)), why))
    admission = ("the admission check",)
    return [
        *found,
        Rule(ACTS, Right("events.k8s.io", "events", ("create",)), ("what was done, told on the object",)),
        Rule(ACTS, Right("kueue.x-k8s.io", "admissionchecks/status", ("patch",)), admission),
        Rule(ACTS, Right("kueue.x-k8s.io", "workloads/status", ("patch",)), admission),
    ]


def _names(actions: Iterable[Action[Any]]) -> tuple[str, ...]:
    return tuple(sorted(action.name for action in actions))


def _own() -> list[Rule]:
    """Creating cannot be tied to a name, so that it has a rule of its own."""
    leases, maps = "leases", "configmaps"
    lease, anchor = ("the lease",), ("the anchor of the log",)
    group = "coordination.k8s.io"
    return [
        Rule(OWN, Right(group, leases, ("create",)), lease, NAMESPACE),
        Rule(OWN, Right(group, leases, ("get", "update")), lease, NAMESPACE, ("watchkeeper",)),
        Rule(READS_OWN, Right("", maps, ("get",)), ("the freeze switch",), NAMESPACE, ("watchkeeper",)),
        Rule(OWN, Right("", maps, ("create",)), anchor, NAMESPACE),
        Rule(OWN, Right("", maps, ("get", "patch")), anchor, NAMESPACE, ("audit-anchor",)),
        Rule(KUEUE_CONFIG, Right("", maps, ("get",)), ("Kueue's settings",), "kueue-system", ("kueue-manager-config",)),
    ]


def _role(name: str, mine: list[Rule]) -> JsonObject:
    where = mine[0].namespace
    metadata = {"name": name, **({"namespace": where} if where else {})}
    kind = "Role" if where else "ClusterRole"
    return {"apiVersion": f"{API}/v1", "kind": kind, "metadata": metadata, "rules": [rule_json(each) for each in mine]}


def _binding(name: str, where: str | None) -> JsonObject:
    kind = "Role" if where else "ClusterRole"
    metadata = {"name": name, **({"namespace": where} if where else {})}
    return {
        "apiVersion": f"{API}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": API, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
    }
