"""scale_workload: more or fewer pods, by the workload's own number or by its autoscaler's limits; and back."""

from typing import Any

import pytest
from evidence.field import NOW, Cluster, cluster, ref

from actions.proposing import after, propose, proposed, refusal, success
from agent.domain.proposal import Refusal, Verb
from agent.evidence.policy_input import policy_input

CHAT = ref("Deployment", "chat")


def chat(pods: int = 3, **more: Any) -> Cluster:
    return cluster().nodes("gpu-1", "gpu-2").deployment("chat", on=["gpu-1"] * pods, **more)


def autoscaled(**more: Any) -> Cluster:
    return chat().autoscaler("chat-hpa", "chat", least=2, most=4, utilisation=70, **more)


def test_a_workload_is_scaled_and_remembers_how_it_was() -> None:
    made = proposed("scale_workload", CHAT, chat(), replicas=5)
    mark, scale = made.steps
    body: Any = mark.body
    assert body["metadata"]["annotations"] == {
        "watchkeeper.dev/changed-by": "inc-1/2",
        "watchkeeper.dev/before": '{"replicas": 3}',
    }
    assert (scale.verb, scale.body, scale.undo, scale.uid) == (
        Verb.SCALE, {"replicas": 5}, {"replicas": 3}, "uid-deployment-chat"
    )  # fmt: skip
    assert not made.destructive
    assert (made.blast_radius.workloads, made.blast_radius.pods, made.blast_radius.gpus) == (
        ("Deployment/lab/chat",), 2, 4
    )  # fmt: skip


def test_a_scale_down_is_destructive_and_counts_whom_it_stops() -> None:
    made = proposed("scale_workload", CHAT, chat(), replicas=1)
    assert made.destructive and made.blast_radius.pods == 2


def test_a_scale_is_taken_back_to_what_was_before_it() -> None:
    made = proposed("scale_workload", CHAT, chat(), replicas=5)
    back = proposed("scale_workload", CHAT, after(made, chat()), replicas=5, undoes=made.id)
    assert [(s.verb, s.body.get("replicas")) for s in back.steps] == [(Verb.SCALE, 3), (Verb.PATCH, None)]
    other = propose("scale_workload", CHAT, after(made, chat()), replicas=5, undoes="inc-9/9")
    assert isinstance(other, Refusal) and other.code == "precondition.nothing_to_undo"


def test_what_somebody_scaled_since_is_not_taken_back() -> None:
    made = proposed("scale_workload", CHAT, chat(), replicas=5)
    assert [step.seen for step in made.steps] == [None, {"replicas": 3}]
    by_hand = after(made, chat())
    by_hand.change("Deployment", "chat", {"spec": {"replicas": 9}})
    told = propose("scale_workload", CHAT, by_hand, replicas=5, undoes=made.id)
    assert isinstance(told, Refusal) and told.code == "precondition.changed_since"
    back = proposed("scale_workload", CHAT, after(made, chat()), replicas=5, undoes=made.id)
    assert back.steps[0].seen == {"replicas": 5}


@pytest.mark.parametrize("note", ["[1]", "no json", '{"replicas": -4}', '{"replicas": 2, "image": "evil"}', "1" * 2000])
def test_a_note_that_somebody_else_wrote_is_no_way_back(note: str) -> None:
    marks = {"watchkeeper.dev/changed-by": "inc-1/2", "watchkeeper.dev/before": note}
    where = chat(annotations=marks)
    assert refusal("scale_workload", CHAT, where, replicas=5, undoes="inc-1/2") == "precondition.nothing_to_undo"


def test_an_autoscaler_is_given_new_limits_and_never_overruled() -> None:
    assert refusal("scale_workload", CHAT, autoscaled(), replicas=5) == "precondition.owned_by_autoscaler"
    (step,) = proposed("scale_workload", CHAT, autoscaled(), max_replicas=8, target_utilisation=50).steps
    body, undo = step.body, step.undo
    assert step.target == ref("HorizontalPodAutoscaler", "chat-hpa")
    assert _limits(body) == (8, 50) and _limits(undo) == (4, 70)


def test_new_limits_are_taken_back() -> None:
    made = proposed("scale_workload", CHAT, autoscaled(), max_replicas=8)
    back = proposed("scale_workload", CHAT, after(made, autoscaled()), max_replicas=8, undoes=made.id)
    assert back.steps[0].body["spec"] == {"maxReplicas": 4}


def test_lower_limits_may_stop_pods_and_higher_ones_do_not() -> None:
    assert proposed("scale_workload", CHAT, autoscaled(), max_replicas=2).destructive
    assert proposed("scale_workload", CHAT, autoscaled(), target_utilisation=90).destructive
    assert not proposed("scale_workload", CHAT, autoscaled(), max_replicas=8).destructive


@pytest.mark.parametrize(
    ("where", "parameters", "code"),
    [
        (cluster(), {"replicas": 2}, "precondition.target_unknown"),
        (chat(), {"replicas": 3}, "precondition.no_change"),
        (chat(), {"max_replicas": 3}, "precondition.no_autoscaler"),
        (chat(), {}, "parameters.invalid"),
        (chat(), {"replicas": 2, "max_replicas": 3}, "parameters.invalid"),
        (chat(), {"replicas": 1_000_000}, "parameters.invalid"),
        (autoscaled(), {"max_replicas": 1}, "precondition.below_minimum"),
        (autoscaled(), {"max_replicas": 4, "target_utilisation": 70}, "precondition.no_change"),
        (chat().autoscaler("h", "chat", 1, 4), {"target_utilisation": 50}, "precondition.no_utilisation_target"),
    ],
)  # fmt: skip
def test_what_cannot_be_scaled_so(where: Cluster, parameters: dict[str, int], code: str) -> None:
    assert refusal("scale_workload", CHAT, where, **parameters) == code


def test_what_another_keeps_as_it_wants_is_left_to_it() -> None:
    owner = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "name": "chat", "uid": "u"}
    owned = chat().change("Deployment", "chat", {"metadata": {"ownerReferences": [{**owner, "controller": True}]}})
    assert refusal("scale_workload", CHAT, owned, replicas=5) == "precondition.owned"
    gang = cluster().node("gpu-1").gang("llama", on=["gpu-1"], kind="Job")
    assert refusal("scale_workload", ref("Job", "llama"), gang, replicas=5) == "precondition.kind"


def test_a_scale_has_helped_when_as_many_as_wanted_are_ready() -> None:
    made = proposed("scale_workload", CHAT, chat(), replicas=5)
    assert success(made, chat()).done is None
    assert success(made, chat(5)).done is True
    down = proposed("scale_workload", CHAT, chat(), replicas=1)
    assert success(down, chat()).done is None
    assert success(down, chat(1)).done is True


def test_new_limits_have_helped_when_the_autoscaler_keeps_to_them() -> None:
    made = proposed("scale_workload", CHAT, autoscaled(), max_replicas=8)
    assert success(made, autoscaled()).done is None
    assert success(made, after(made, autoscaled())).done is True


@pytest.mark.parametrize(("least", "allowed"), [(None, None), (2, 1), (3, 0)])
def test_the_gate_sees_what_the_budget_of_its_pods_lets_go(least: int | None, allowed: int | None) -> None:
    where = chat()
    for index in range(3):
        where.change("Pod", f"chat-{index}", {"metadata": {"labels": {"app": "chat"}}})
    where.budget("others", 3, app="others")
    if least is not None:
        where.budget("chat", least, app="chat")
    made = proposed("scale_workload", CHAT, where, replicas=1)
    seen = policy_input(made, where.view(), {}, [], phase="propose", now=NOW)["facts"]["workload"]
    assert seen == {"class": "serving", "pods": 3, "disruptions_allowed": allowed}


def _limits(body: Any) -> tuple[int, int]:
    spec = body["spec"]
    return spec["maxReplicas"], spec["metrics"][0]["resource"]["target"]["averageUtilization"]
