"""A fact that is missing or of another type never turns a no, or a question, into a yes.

An undefined deny is no deny: a rule that rests on a field which is not there falls away in silence. So each field of an
input that is denied or escalated is taken out, and replaced by values of every other type, and the answer may only stay
or become stricter. Names that somebody chose (of annotations, labels, parameters, namespaces) are no fields.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from agent.ports import PolicyUnavailable
from tests.policies.conftest import Gate
from tests.policies.inputs import Given, ago, cordon, namespaced, past, reclaim, repair, requeue, seen

STRENGTH = {"allow": 0, "escalate": 1, "deny": 2}
OTHER_TYPES: tuple[Any, ...] = ("text", 7, True, ["x"], {"x": 1}, [], {})
CHOSEN_BY_PEOPLE = {"annotations", "labels", "parameters", "namespaces"}
MEANS_NOTHING = {
    # Null, or absent, is one of the values that these may have: there is none.
    ("proposal", "undoes"),
    ("proposal", "target", "namespace"),
    ("facts", "workload"),
    ("facts", "idle"),
    ("facts", "notice"),
}
GANG = {"ref": "Workload/law/llama", "minimum": 8, "running": 8, "touched": 1, "whole": False, "healthy": False}
RADIUS = {"nodes": [], "gangs": [], "workloads": [], "pods": 0, "gpus": 8}
BUDGET = {"ref": "PodDisruptionBudget/law/web", "disruptions_allowed": 0, "touched": 1}
OPT_OUT = {"watchkeeper.dev/opt-out": "true"}
REFUSED: dict[str, Given] = {
    "conflict.other_actor": cordon().seen(conflicts=["nvsentinel"]),
    "confidence.low": cordon().proposed(confidence=0.1),
    "confidence.model_change": cordon().by_a_model(),
    "gang.partial": repair().seen(gangs=[GANG]),
    "gang.healthy": requeue(healthy=True),
    "freshness.stale": cordon().seen(evidence=[seen(hours=1)]),
    "freshness.old_news": cordon().seen(evidence=[seen(minutes=1), seen("signal", days=2)]),
    "freshness.future": cordon().seen(evidence=[seen(minutes=-2)]),
    "freshness.unknown": cordon().seen(evidence=[]),
    "protected.opt_out": requeue().seen(touched=[{"ref": "Workload/law/llama", "annotations": OPT_OUT}]),
    "protected.namespace": requeue().proposed(target=namespaced("apps/v1", "Deployment", "kube-system", "dns")),
    "attempts.cap": repair().after(*(past("request_node_repair", "gpu-7", days=day) for day in (1, 3, 5))),
    "cooldown.target": repair().after(past("request_node_repair", "gpu-7", minutes=50)),
    "blast_radius.node_limit": cordon("gpu-8").in_a_cluster_of(16).after(past("cordon_node", "gpu-7", minutes=10)),
    "breaker.tripped": cordon("gpu-3").in_a_cluster_of(2).after(past("cordon_node", "gpu-1", minutes=1)),
    "disruption.running_pods": repair().proposed(blast_radius={**RADIUS, "nodes": ["gpu-7"], "pods": 3}),
    "disruption.budget": repair().seen(budgets=[BUDGET]),
    "idle.too_short": reclaim(idle_s=60),
    "idle.witnesses": reclaim(witnesses=["utilisation"]),
    "idle.contradiction": reclaim(contradictions=["power"]),
    "idle.notice": reclaim().at_execution(),
    "idle.grace": reclaim().at_execution(told=ago(minutes=5)),
}


def fields(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(document, dict):
        for key, inner in document.items():
            yield (*path, key)
            if key not in CHOSEN_BY_PEOPLE:
                yield from fields(inner, (*path, key))
    elif isinstance(document, list):
        for number, inner in enumerate(document):
            yield from fields(inner, (*path, number))


def changed(document: dict[str, Any], path: tuple[Any, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Without the field at `path`, and with it of each other type."""
    *way, last = path
    for value in (None, *OTHER_TYPES):
        copy = deepcopy(document)
        holder: Any = copy
        for step in way:
            holder = holder[step]
        if value is None:
            del holder[last]
            yield "missing", copy
            continue
        if isinstance(holder[last], type(value)) or (holder[last] is None and path in MEANS_NOTHING):
            continue
        holder[last] = value
        yield f"{value!r}", copy


@pytest.mark.parametrize("code", REFUSED)
def test_no_answer_is_weakened(gate: Gate, code: str) -> None:
    given = REFUSED[code]
    before, reasons = gate(given)
    assert code in reasons
    weakened = []
    for path in fields(given.document):
        for how, document in changed(given.document, path):
            if how == "missing" and path in MEANS_NOTHING:
                continue
            try:
                decision = gate.engine.decide(document)["decision"]
            except PolicyUnavailable:
                continue
            if STRENGTH[decision] < STRENGTH[before]:
                weakened.append(".".join(map(str, path)) + f" {how}: {decision}")
    assert weakened == []


@pytest.mark.parametrize("operation", [None, 7, "", [], {}, True])
def test_a_repair_that_asks_for_nothing_known_meets_its_budgets_all_the_same(gate: Gate, operation: Any) -> None:
    """A disruption budget is asked by what the repair is; an operation that is no word is none of those that ask."""
    given = repair().seen(budgets=[BUDGET]).proposed(parameters={"operation": operation})
    assert gate(given)[0] != "allow"
    assert gate(given.proposed(parameters={}))[0] != "allow"
