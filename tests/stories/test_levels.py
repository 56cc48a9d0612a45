"""What the agent may do by itself is widened by people on evidence, and narrowed by its own failures at once."""

from collections.abc import Callable
from typing import Any

import pytest
from telling import Story, cluster

from agent.domain.standing import Level

Begin = Callable[..., Story]
GRANT = {"change": "granted", "action": "cordon_node", "from": "act_with_approval", "to": "act", "by": "dana"} | {
    "evidence": {"succeeded": 40, "failed": 0}
}
NODES = [f"gpu-{i}" for i in range(1, 21)]
ASK = {"default": "act_with_approval"}
ALONE = {"default": "act"}
WIDE = {"nodes": {"percent": 100, "absolute": 20, "window": "30m"}}


def on_watch(begin: Begin, **more: Any) -> Story:
    return begin(cluster().nodes(*NODES), **{"autonomy": ASK, **more})


def said(story: Story, change: str, **more: Any) -> None:
    """A person's word at another door, which writes to the same log."""
    payload = {"change": change, "by": "dana", "reason": "as agreed", **more}
    payload |= {"evidence": {"succeeded": 40, "failed": 0}} if change == "granted" else {}
    story.agent.ports.ledger.record("level_changed", payload)


def granted(story: Story, action: str, tenant: str = "*") -> None:
    said(story, "granted", action=action, tenant=tenant, to="act", **{"from": "act_with_approval"})


def decided(story: Story, action: str) -> list[str]:
    return [v["verdict"]["decision"] for v in story.records("verdict") if v["input"]["proposal"]["action"] == action]


def reasons(story: Story) -> list[str]:
    return [reason["code"] for verdict in story.records("verdict") for reason in verdict["verdict"]["reasons"]]


def changed(story: Story) -> list[str]:
    return [each["change"] for each in story.records("level_changed")]


def failed_before(story: Story, action: str, node: str, number: int) -> None:
    """The log remembers an execution that failed."""
    about = {"action": action, "proposal": f"inc-old-{number}/0", "incident": f"inc-old-{number}", "tenant": ""}
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    touched = {"nodes": [node], "gangs": [], "workloads": []}
    ledger = story.agent.ports.ledger
    ledger.record("intent", {**about, "target": target, "parameters": {}, "blast_radius": touched})
    ledger.record("outcome", {**about, "target": target, "outcome": "failed", "final": True})


def test_a_granted_level_needs_no_yes_any_more(begin: Begin) -> None:
    story = on_watch(begin)
    granted(story, "cordon_node")
    story.kernel_says("gpu-7")
    assert decided(story, "cordon_node")[0] == "allow"
    assert story.cordoned("gpu-7")


def test_it_outlives_the_process_for_it_stands_in_the_log(begin: Begin) -> None:
    story = on_watch(begin)
    granted(story, "cordon_node")
    story.dies_and_begins_again().kernel_says("gpu-7")
    assert story.cordoned("gpu-7")


def test_a_granted_level_is_lost_with_the_first_failure(begin: Begin) -> None:
    story = on_watch(begin)
    granted(story, "cordon_node")
    failed_before(story, "cordon_node", "gpu-3", 1)
    story.kernel_says("gpu-7")
    assert decided(story, "cordon_node") == ["escalate"]
    assert not story.cordoned("gpu-7")
    lost = story.records("level_changed")[-1]
    assert (lost["change"], lost["to"], lost["proposals"]) == ("demoted", "act_with_approval", ["inc-old-1/0"])


def test_what_the_files_give_is_lost_after_as_many_failures_as_the_limits_say(begin: Begin) -> None:
    story = on_watch(begin, autonomy=ALONE, blast_radius=WIDE)
    for number in (1, 2):
        failed_before(story, "cordon_node", f"gpu-{number}", number)
    story.kernel_says("gpu-7")
    assert decided(story, "cordon_node")[0] == "allow"
    failed_before(story, "cordon_node", "gpu-3", 3)
    story.kernel_says("gpu-8")
    assert decided(story, "cordon_node")[-1] == "escalate"
    assert changed(story) == ["demoted"]


def test_one_action_that_a_person_calls_wrong_is_enough(begin: Begin) -> None:
    story = on_watch(begin, autonomy=ALONE).kernel_says("gpu-7")
    proposal = next(i["proposal"] for i in story.records("intent") if i["action"] == "cordon_node")
    said(story, "wrong", proposal=proposal, action="cordon_node")
    story.kernel_says("gpu-8")
    assert decided(story, "cordon_node")[-1] == "escalate"
    assert not story.cordoned("gpu-8")


def test_wrong_counts_by_when_it_was_said(begin: Begin) -> None:
    """Whoever granted the level did not know yet; and what is older than the history of a decision counts too."""
    story = on_watch(begin, autonomy={"default": "act", "actions": {"cordon_node": "act_with_approval"}})
    failed_before(story, "cordon_node", "gpu-3", 1)
    granted(story, "cordon_node")
    story.passes(hours=1)
    said(story, "wrong", proposal="inc-old-1/0", action="cordon_node")
    assert not story.kernel_says("gpu-7").cordoned("gpu-7")
    assert changed(story) == ["granted", "wrong", "demoted"]


def test_lowering_all_tenants_ends_the_grant_of_one(begin: Begin) -> None:
    story = on_watch(begin)
    granted(story, "cordon_node", "research")
    said(story, "demoted", action="cordon_node", tenant="*", to="observe")
    levels = {each.tenant: each.level for each in story.agent.ports.ledger.standing().levels}
    assert levels == {"*": Level.OBSERVE}
    said(story, "withdrawn", action="cordon_node", tenant="*")
    assert story.agent.ports.ledger.standing().levels == ()


def test_a_grant_does_not_come_back_with_the_files(begin: Begin) -> None:
    story = on_watch(begin, autonomy={"default": "suggest"})
    granted(story, "cordon_node")
    story.kernel_says("gpu-7")
    assert changed(story) == ["granted", "lapsed"]
    assert story.agent.ports.ledger.standing().levels == ()


@pytest.mark.parametrize(
    "forged",
    [
        {"change": "promoted", "action": "cordon_node"},
        {**GRANT, "from": "suggest"},
        {**GRANT, "by": ""},
        {**GRANT, "evidence": {}},
        {"change": "wrong", "proposal": ["a"], "action": "cordon_node"},
        {"change": "demoted"},
        {},
    ],
)
def test_a_record_that_is_not_understood_may_have_been_a_freeze(begin: Begin, forged: dict[str, Any]) -> None:
    story = on_watch(begin, autonomy=ALONE)
    story.agent.ports.ledger.record("level_changed", forged)
    story.kernel_says("gpu-7")
    assert story.changes() == [] and "autonomy.frozen" in reasons(story) and story.told("oncall")
    said(story, "thawed")
    assert story.dies_and_begins_again().kernel_says("gpu-8").cordoned("gpu-8")


def test_frozen_it_only_tells_people(begin: Begin) -> None:
    story = on_watch(begin, autonomy=ALONE)
    said(story, "frozen")
    story.kernel_says("gpu-7").passes(minutes=2)
    assert story.changes() == []
    assert "autonomy.frozen" in reasons(story)
    assert story.told("oncall")
    said(story, "thawed")
    story.kernel_says("gpu-8").passes(minutes=2)
    assert story.cordoned("gpu-8")


def test_a_file_beside_the_database_freezes_it(begin: Begin) -> None:
    story = on_watch(begin, autonomy=ALONE)
    (story.database.parent / "watchkeeper.freeze").touch()
    assert story.kernel_says("gpu-7").changes() == []
    (frozen,) = {v["input"]["standing"]["frozen"]["by"] for v in story.records("verdict")}
    assert frozen == "file"


@pytest.mark.parametrize(("value", "stops"), [("true", True), ("", True), ("false", False)])
def test_an_annotation_on_its_config_map_freezes_it(begin: Begin, value: str, stops: bool) -> None:
    story = on_watch(begin, autonomy=ALONE)
    marked = {"annotations": {"watchkeeper.dev/freeze": value}}
    story.happens("v1", "ConfigMap", "watchkeeper", "watchkeeper", metadata=marked)
    assert story.kernel_says("gpu-7").cordoned("gpu-7") is not stops


def test_the_breaker_stays_open_until_a_person_resets_it(begin: Begin) -> None:
    touchy = {**WIDE, "breaker": {"percent": 10, "window": "5m"}}
    story = on_watch(begin, autonomy=ALONE, blast_radius=touchy)
    story.kernel_says("gpu-1").kernel_says("gpu-2").kernel_says("gpu-3")
    assert changed(story) == ["breaker_tripped"]
    assert not story.cordoned("gpu-3")
    story.passes(hours=1).kernel_says("gpu-4")
    assert not story.cordoned("gpu-4") and "breaker.open" in reasons(story)
    said(story, "breaker_reset")
    assert story.kernel_says("gpu-5").cordoned("gpu-5")


def test_outside_its_window_nothing_is_changed_and_inside_it_is(begin: Begin) -> None:
    nights = {"name": "nights", "cron": "0 10 * * *", "duration": "1h", "timezone": "UTC", "actions": ["cordon_node"]}
    story = on_watch(begin, autonomy=ALONE, windows=[nights]).kernel_says("gpu-7")
    assert not story.cordoned("gpu-7") and "window.closed" in reasons(story)
    assert story.passes(hours=1, minutes=5).kernel_says("gpu-8").cordoned("gpu-8")


def test_the_levels_are_in_rising_order() -> None:
    assert [level.rank for level in Level] == [0, 1, 2, 3]


# --- frozen in the middle -------------------------------------------------------------------------------------------

LLAMA = "Workload/research/job-llama"


def requeueing(begin: Begin) -> Story:
    """The gang is told to stop, and would be let in again once its pods are gone."""
    told = cluster().nodes(*NODES).queue("research", gpus=96)
    told.gang("llama", pods=8, queue="research", on=NODES[:8])
    story = begin(told, autonomy={**ALONE, "actions": {"requeue_gang": "act_with_approval"}}).kernel_says("gpu-7")
    story.answers("approve")
    assert story.changes()[1:] == [f"patch {LLAMA}"]
    return story


def test_the_step_in_hand_ends_and_the_next_does_not_begin(begin: Begin) -> None:
    story = requeueing(begin)
    said(story, "frozen")
    story.passes(minutes=10)
    assert story.changes() == ["patch Node/gpu-7", f"patch {LLAMA}"]
    (stopped,) = [o for o in story.records("outcome") if o["outcome"] == "failed"]
    assert "stopped by a freeze (log): 1 of 2 steps are done, and stand as they are" in stopped["detail"]
    assert any("stopped by a freeze" in message for message in story.told("oncall"))


def test_without_a_freeze_the_next_step_is_done(begin: Begin) -> None:
    assert requeueing(begin).passes(minutes=10).changes()[1:3] == [f"patch {LLAMA}", f"patch {LLAMA}"]


def test_an_approval_from_before_the_freeze_starts_nothing(begin: Begin) -> None:
    told = cluster().nodes(*NODES).queue("research", gpus=96)
    told.gang("llama", pods=8, queue="research", on=NODES[:8])
    story = begin(told, autonomy={**ALONE, "actions": {"requeue_gang": "act_with_approval"}}).kernel_says("gpu-7")
    story.answers("approve", unheard=True)
    said(story, "frozen")
    story.passes(minutes=10)
    assert story.changes() == ["patch Node/gpu-7"]
