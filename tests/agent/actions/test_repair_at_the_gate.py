"""A repair of a node on which somebody works, from the proposal to the shipped policies' word."""

import pytest
from evidence.field import NOW, Cluster, ref

from actions.proposing import NODE, ours, proposed
from agent.adapters.rego import EmbeddedPolicyEngine
from agent.domain.base import rfc3339
from agent.evidence.policy_input import policy_input
from agent.resources import bundled


def served(least: int) -> Cluster:
    """Two replicas of a service, one of them on the sick node, and a budget that keeps so many."""
    where = ours().node("gpu-8").deployment("chat", ["gpu-7", "gpu-8"])
    for name in ("chat-0", "chat-1"):
        where.change("Pod", name, {"metadata": {"labels": {"app": "chat"}}})
    return where.budget("chat", least, app="chat").budget("others", 1, app="others")


def judged(where: Cluster, operation: str) -> tuple[str, set[str]]:
    given = {"gpu_uuid": "GPU-1"} if operation == "reset_gpu" else {}
    made = proposed("request_node_repair", NODE, where, operation=operation, **given)
    seen = policy_input(made, where.view(), {}, [], phase="propose", now=NOW)
    seen["facts"]["evidence"] = [{"kind": "object", "observed_at": rfc3339(NOW), "age_s": 0}]
    gate = EmbeddedPolicyEngine(bundled("policies"), {"autonomy": {"default": "act"}})
    verdict = gate.decide(seen)
    return verdict["decision"], {reason["code"].split(".")[0] for reason in verdict["reasons"]}


@pytest.mark.parametrize("operation", ["reboot", "replace", "reset_gpu"])
def test_who_works_there_makes_it_a_persons_decision_and_a_spent_budget_a_no(operation: str) -> None:
    decision, why = judged(served(1), operation)
    assert decision == "escalate" and "disruption" in why
    decision, why = judged(served(2), operation)
    assert decision == "deny" and "disruption" in why


def test_an_empty_node_and_a_diagnosis_touch_no_budget() -> None:
    empty = ours().nodes(*(f"gpu-{n}" for n in range(10, 30)))
    assert judged(empty, "reboot") == ("allow", {"autonomy"})
    busy = served(2).nodes(*(f"gpu-{n}" for n in range(10, 30)))
    assert judged(busy, "diagnose") == ("allow", {"autonomy"})


def test_the_gate_sees_the_budgets_of_who_works_on_the_node() -> None:
    where = served(1)
    made = proposed("request_node_repair", NODE, where, operation="reboot")
    seen = policy_input(made, where.view(), {}, [], phase="propose", now=NOW)["facts"]["budgets"]
    assert seen == [{"ref": "PodDisruptionBudget/lab/chat", "disruptions_allowed": 1, "touched": 1}]
    cordon = proposed("uncordon_node", NODE, where)
    assert policy_input(cordon, where.view(), {}, [], phase="propose", now=NOW)["facts"]["budgets"] == []
    notebook = ref("Notebook", "ada")
    where.notebook("ada", "gpu-8")
    taken = proposed("reclaim_idle_gpu", notebook, where, method="stop")
    assert policy_input(taken, where.view(), {}, [], phase="propose", now=NOW)["facts"]["budgets"] == []
