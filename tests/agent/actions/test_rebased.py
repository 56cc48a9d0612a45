"""A change carried over to what others wrote since: only the difference, and never where it was touched."""

from typing import Any

import pytest

from agent.actions.exclusion import exclusion
from agent.actions.rebased import SHOWN_AT_MOST, rebased
from agent.ports import Changed

HOSTNAME = "kubernetes.io/hostname"
Json = dict[str, Any]


def quotas(*amounts: tuple[str, int], **more: Any) -> Json:
    return {"spec": {"quotas": [{"flavor": flavor, "nominal": amount, **more} for flavor, amount in amounts]}}


def test_what_nobody_else_wrote_is_written_as_it_was_wanted() -> None:
    seen, wanted = quotas(("a", 8), ("b", 8)), quotas(("a", 6), ("b", 8))
    assert rebased(seen, seen, wanted) == wanted


def test_what_another_wrote_beside_it_stays() -> None:
    seen, wanted = quotas(("a", 8), ("b", 8)), quotas(("a", 6), ("b", 8))
    assert rebased(quotas(("a", 8), ("b", 4)), seen, wanted) == quotas(("a", 6), ("b", 4))


@pytest.mark.parametrize(
    "now",
    [
        quotas(("a", 7), ("b", 8)),  # the very number
        quotas(("b", 8), ("a", 8)),  # at that place stands another one now
        quotas(("a", 8)),  # how many there are
        quotas(("a", 8), ("b", 8), ("c", 8)),
        quotas(("a", 8), ("b", 8), note="x"),  # something plain beside it
        {"spec": {"quotas": "none"}},
        {},
    ],
)
def test_where_it_was_touched_nothing_is_written(now: Json) -> None:
    seen, wanted = quotas(("a", 8), ("b", 8)), quotas(("a", 6), ("b", 8))
    with pytest.raises(Changed, match=r"spec\.quotas"):
        rebased(now, seen, wanted)


def test_what_reads_as_wanted_already_is_no_conflict() -> None:
    seen, wanted = quotas(("a", 8)), quotas(("a", 6))
    assert rebased(wanted, seen, wanted) == {"spec": {}}


def test_entries_are_added_and_taken_among_those_of_others() -> None:
    ours, sick = {"key": "ours"}, {"key": "node.kubernetes.io/unreachable"}
    taints = lambda *each: {"spec": {"taints": list(each)}}  # noqa: E731
    assert rebased(taints(sick), taints(), taints(ours)) == taints(sick, ours)
    assert rebased(taints(sick, ours), taints(ours), taints()) == taints(sick)
    assert rebased(taints(sick), taints(ours), taints()) == {"spec": {}}  # it is gone already


@pytest.mark.parametrize("nothing", [None, []])
@pytest.mark.parametrize("none_there", [{}, {"spec": {}}, {"spec": {"taints": []}}])
def test_a_list_that_is_not_there_has_nobody_in_it(nothing: Any, none_there: Json) -> None:
    ours, sick = {"key": "ours"}, {"key": "sick"}
    seen, wanted = {"spec": {"taints": nothing}}, {"spec": {"taints": [ours]}}
    assert rebased(none_there, seen, wanted) == wanted
    assert rebased({"spec": {"taints": [sick]}}, seen, wanted) == {"spec": {"taints": [sick, ours]}}
    assert rebased(none_there, wanted, seen) == {"spec": {}}  # it is gone already
    assert rebased({"spec": {"taints": [sick, ours]}}, wanted, seen) == {"spec": {"taints": [sick]}}


def test_a_way_back_takes_away_what_the_change_added_and_nothing_else() -> None:
    """A merge patch of the old affinity would leave the new half of it there."""
    others = {"podAffinity": {"x": 1}}
    job = {"spec": {"template": {"spec": {"affinity": others}}}}
    change = exclusion("Job", job, ["n1"])
    assert change is not None
    changed: Json = {"spec": {"template": {"spec": {"affinity": change.body["spec"]["template"]["spec"]["affinity"]}}}}
    back = rebased(changed, change.body, change.undo)
    assert back == {"spec": {"template": {"spec": {"affinity": {"nodeAffinity": None}}}}}


def test_what_kueue_writes_into_the_templates_of_a_job_set_meanwhile_is_kept() -> None:
    """It takes its flavor's labels out again when the gang gives its quota back."""
    inner = {"containers": [], "nodeSelector": {"gpu": "h100"}}
    entry = {"name": "w", "replicas": 2, "template": {"spec": {"template": {"spec": inner}}}}
    seen: Json = {"spec": {"replicatedJobs": [entry]}}
    change = exclusion("JobSet", seen, ["n1"])
    assert change is not None
    freed = {"name": "w", "replicas": 2, "template": {"spec": {"template": {"spec": {"containers": []}}}}}
    patch = rebased({"spec": {"replicatedJobs": [freed], "suspend": True}}, change.undo, change.body)
    (after,) = patch["spec"]["replicatedJobs"]
    pods = after["template"]["spec"]["template"]["spec"]
    assert "nodeSelector" not in pods and "NotIn" in str(pods["affinity"]) and list(patch["spec"]) == ["replicatedJobs"]


def test_an_affinity_that_somebody_wrote_meanwhile_is_not_overwritten() -> None:
    job = {"spec": {"template": {"spec": {}}}}
    change = exclusion("Job", job, ["n1"])
    assert change is not None
    theirs = {"spec": {"template": {"spec": {"affinity": {"nodeAffinity": {"theirs": 1}}}}}}
    with pytest.raises(Changed, match=r"spec\.template\.spec\.affinity reads"):
        rebased(theirs, change.undo, change.body)


def test_the_rest_of_a_patch_is_as_it_is_wanted() -> None:
    marks = {"annotations": {"by": "us"}}
    assert rebased(quotas(("a", 8)), quotas(("a", 8)), {**quotas(("a", 6)), "metadata": marks})["metadata"] == marks


def test_a_message_is_short_whatever_was_written() -> None:
    with pytest.raises(Changed) as told:
        rebased({"spec": {"note": "x" * 10_000}}, {"spec": {"note": "y" * 10_000}}, {"spec": {"note": "z"}})
    assert len(str(told.value)) < 3 * SHOWN_AT_MOST
