"""set_queue_quota: one amount of one resource in one flavor, the rest as it was; never behind GitOps."""

from typing import Any

import pytest
from evidence.field import Cluster, cluster, ref

from actions.proposing import after, propose, proposed, refusal, success
from agent.domain.cluster import ObjectRef
from agent.domain.proposal import Refusal

KUEUES, OURS = ref("ClusterQueue", "research", None), ref("Queue", "research", None)
GPU = {"flavor": "h200", "resource": "nvidia.com/gpu"}


def queue(kind: str = "ClusterQueue", **more: Any) -> Cluster:
    return cluster().queue("research", kind, **{"spec": {"cohort": "all"}, "limits": {"lendingLimit": 8}, **more})


def kueues_entry(body: Any) -> dict[str, Any]:
    entry: dict[str, Any] = body["spec"]["resourceGroups"][0]["flavors"][0]["resources"][0]
    return entry


def test_an_amount_of_a_cluster_queue_is_changed_where_it_stands() -> None:
    made = proposed("set_queue_quota", KUEUES, queue(), **GPU, nominal=24, borrowing_limit=8)
    (step,) = made.steps
    named = {"name": "nvidia.com/gpu", "lendingLimit": 8}
    assert kueues_entry(step.body) == {**named, "nominalQuota": "24", "borrowingLimit": 8}
    assert kueues_entry(step.undo) == {**named, "nominalQuota": "32"}
    assert not made.destructive


def test_an_amount_of_our_own_queue_is_changed_where_it_stands() -> None:
    (step,) = proposed("set_queue_quota", OURS, queue("Queue"), **GPU, nominal=24).steps
    assert step.body["spec"] == {"quotas": [{**GPU, "nominal": 24, "lendingLimit": 8}]}


@pytest.mark.parametrize(("kind", "target"), [("ClusterQueue", KUEUES), ("Queue", OURS)])
def test_the_old_amounts_come_back(kind: str, target: ObjectRef) -> None:
    wish = {**GPU, "nominal": 24, "borrowing_limit": 8}
    made = proposed("set_queue_quota", target, queue(kind), **wish)
    (back,) = proposed("set_queue_quota", target, after(made, queue(kind)), **wish, undoes=made.id).steps
    assert made.steps[0].undo is not None and back.body["spec"] == made.steps[0].undo["spec"]


@pytest.mark.parametrize(
    ("target", "where", "wish", "code"),
    [
        (ref("LocalQueue", "main"), queue(), {"nominal": 1}, "precondition.kind"),
        (KUEUES, cluster(), {"nominal": 1}, "precondition.target_unknown"),
        (KUEUES, queue(), {"nominal": 32}, "precondition.no_change"),
        (KUEUES, queue(), {"nominal": 1, "flavor": "a100"}, "precondition.quota_unknown"),
        (KUEUES, queue(spec={}), {"borrowing_limit": 1}, "precondition.no_cohort"),
        (KUEUES, queue(), {"lending_limit": 33}, "precondition.lends_more"),
        (KUEUES, queue(), {"nominal": 7}, "precondition.lends_more"),
        (KUEUES, queue(), {}, "parameters.invalid"),
        (KUEUES, queue(), {"nominal": -1}, "parameters.invalid"),
        (KUEUES, queue(annotations={"argocd.argoproj.io/tracking-id": "x"}), {"nominal": 1}, "precondition.gitops"),
        (KUEUES, queue(labels={"kustomize.toolkit.fluxcd.io/name": "x"}), {"nominal": 1}, "precondition.gitops"),
    ],
)
def test_quotas_that_are_left_alone(target: ObjectRef, where: Cluster, wish: dict[str, Any], code: str) -> None:
    assert refusal("set_queue_quota", target, where, **{**GPU, **wish}) == code


def test_a_quota_has_helped_when_the_queue_shows_it() -> None:
    made = proposed("set_queue_quota", KUEUES, queue(), **GPU, nominal=24)
    assert success(made, queue()).done is None
    assert success(made, after(made, queue())).done is True


@pytest.mark.parametrize(
    "note", ["{}", '{"before": {"nominal": "ten"}, "flavor": "h200", "resource": "nvidia.com/gpu"}']
)
def test_a_note_that_somebody_else_wrote_is_no_way_back(note: str) -> None:
    where = queue(annotations={"watchkeeper.dev/changed-by": "inc-0/1", "watchkeeper.dev/before": note})
    code = refusal("set_queue_quota", KUEUES, where, **GPU, nominal=24, undoes="inc-0/1")
    assert code == "precondition.nothing_to_undo"


@pytest.mark.parametrize(("kind", "target"), [("ClusterQueue", KUEUES), ("Queue", OURS)])
def test_the_list_is_replaced_only_as_it_was_looked_at_and_the_digest_knows_no_look(
    kind: str, target: ObjectRef
) -> None:
    wish = {**GPU, "nominal": 24}
    there, later = (queue(kind), queue(kind))
    there.change(kind, "research", {"metadata": {"resourceVersion": "7"}})
    later.change(kind, "research", {"metadata": {"resourceVersion": "8"}})
    made, anew = (proposed("set_queue_quota", target, where, **wish) for where in (there, later))
    assert (made.steps[0].version, anew.steps[0].version) == ("7", "8")
    assert made.digest == anew.digest
    (back,) = proposed("set_queue_quota", target, after(made, there), **wish, undoes=made.id).steps
    assert back.version == "7"


def test_what_somebody_changed_since_is_not_taken_back() -> None:
    wish = {**GPU, "nominal": 24}
    made = proposed("set_queue_quota", OURS, queue("Queue"), **wish)
    by_hand = after(made, queue("Queue"))
    by_hand.change("Queue", "research", {"spec": {"quotas": [{**GPU, "nominal": 40}]}})
    told = propose("set_queue_quota", OURS, by_hand, **wish, undoes=made.id)
    assert isinstance(told, Refusal) and told.code == "precondition.changed_since"
    assert "nominal of Queue/research is 40 by now, not 24" in told.message


def seen_by_kueue(generation: int, observed: int | None) -> dict[str, Any]:
    told = {} if observed is None else {"observedGeneration": observed}
    conditions = [{"type": "Active", "status": "True", "reason": "Ready", "message": "", **told}]
    return {"metadata": {"generation": generation}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(("observed", "done"), [(1, None), (2, True), (None, True)])
def test_a_quota_that_kueue_has_not_taken_notice_of_has_not_helped(observed: int | None, done: bool | None) -> None:
    made = proposed("set_queue_quota", KUEUES, queue(), **GPU, nominal=24)
    where = after(made, queue())
    where.change("ClusterQueue", "research", seen_by_kueue(2, observed))
    told = success(made, where)
    assert told.done is done
    assert done or "its controller has seen generation 1 of ClusterQueue/research, which is at 2" in told.statement
