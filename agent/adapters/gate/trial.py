"""A bundle is tried out before it decides anything: on what was last asked, and on what no bundle may get wrong.

Policies that load can still give no verdict on anything, and then everything is denied from here on; or they can have
lost the one rule that a person relies on when all else fails. The trial is made in the embedded engine, whichever
engine decides: a server that is away says nothing about the policies.
"""

from collections.abc import Iterable
from typing import Any

from agent.adapters.rego.bundle import Bundle
from agent.adapters.rego.engine import EmbeddedPolicyEngine
from agent.adapters.rego.faults import BundleRefused
from agent.ports import JsonObject, PolicyUnavailable

_NODE = {"apiVersion": "v1", "kind": "Node", "name": "trial"}
_AT = "2026-01-01T00:00:00Z"


def try_out(bundle: Bundle, asked: Iterable[JsonObject] = ()) -> list[JsonObject]:
    """Its verdicts on `asked`. Raises PolicyUnavailable where it gives none, or lets a frozen agent act."""
    engine = EmbeddedPolicyEngine.of(bundle)
    engine.decide(ordinary())
    frozen = engine.decide(while_frozen())
    if frozen["decision"] != "deny":
        raise BundleRefused("on trial it lets an agent act that a person has frozen: nothing reads standing.frozen")
    return [engine.decide(given) for given in asked]


def flips(bundle: Bundle, successor: Bundle, asked: list[JsonObject]) -> list[JsonObject]:
    """What was asked lately and would now be decided otherwise."""
    then, now = EmbeddedPolicyEngine.of(bundle), try_out(successor, asked)
    told = []
    for given, decided in zip(asked, now, strict=True):
        before = _decision(then, given)
        if before != decided["decision"]:
            told.append({"action": given["proposal"]["action"], "then": before, "now": decided["decision"]})
    return told


def _decision(engine: EmbeddedPolicyEngine, given: JsonObject) -> str:
    try:
        return str(engine.decide(given)["decision"])
    except PolicyUnavailable as fault:
        return fault.code


def ordinary() -> JsonObject:
    """A cordon of one node of twenty by a playbook, on fresh evidence: any bundle has a word on it."""
    return {
        "now": _AT,
        "phase": "execute",
        "proposal": {
            **{"id": "trial/0", "incident": "trial", "action": "cordon_node", "target": _NODE, "parameters": {}},
            "blast_radius": {"nodes": ["trial"], "gangs": [], "workloads": [], "pods": 0, "gpus": 8},
            **{"destructive": False, "protective": True, "undoes": None, "edited_by": [], "tenant": ""},
            **{"source": "playbook:trial", "confidence": 1.0, "notice_s": 0, "digest": "0" * 64},
        },
        "facts": {
            "nodes": {"total": 20, "eligible": 20, "ineligible": []},
            "target": {"labels": {}, "annotations": {}},
            **{"namespaces": {}, "touched": [], "gangs": [], "workload": None, "budgets": [], "idle": None},
            "evidence": [{"kind": "object", "observed_at": _AT, "age_s": 0}],
            **{"notice": None, "conflicts": [], "windows": []},
        },
        "standing": {"levels": [], "frozen": None, "breaker": {"tripped_at": None, "reset_at": None}},
        "history": [],
    }


def while_frozen() -> JsonObject:
    """The same, as a drain, while the agent is frozen: nobody may be let through."""
    given: dict[str, Any] = ordinary()
    drain = {**given["proposal"], "action": "drain_node", "destructive": True, "protective": False}
    return {**given, "proposal": drain, "standing": {**given["standing"], "frozen": {"at": _AT, "by": "trial"}}}
