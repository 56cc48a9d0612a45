"""The breaker trips the moment that the agent has done too much, whether or not anybody asks for a decision then."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from telling import Story, cluster

from agent.trust import standing_details

Begin = Callable[..., Story]
NODES = [f"gpu-{i}" for i in range(1, 21)]
LLAMA = "Workload/research/job-llama"
WIDE = {"percent": 100, "absolute": 20, "window": "30m"}
TWO_NODES = {"nodes": WIDE, "breaker": {"percent": 10, "window": "5m"}}  # of twenty
REASON = "The agent touched 2 of 20 nodes within 5m; the breaker trips at 10%"


def on_watch(begin: Begin, **more: Any) -> Story:
    return begin(cluster().nodes(*NODES), autonomy={"default": "act"}, blast_radius=TWO_NODES, **more)


def tripped(story: Story) -> list[dict[str, Any]]:
    return [each for each in story.records("level_changed") if each["change"] == "breaker_tripped"]


def reset(story: Story) -> None:
    said = {"change": "breaker_reset", "by": "dana", "reason": "a bad rack"}
    story.agent.ports.ledger.record("level_changed", said)


def touched_before(story: Story, node: str) -> None:
    """The log remembers what a process did that died right after."""
    about = {"action": "cordon_node", "proposal": f"inc-{node}/0", "incident": f"inc-{node}", "tenant": ""}
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    radius = {"nodes": [node], "gangs": [], "workloads": []}
    ledger = story.agent.ports.ledger
    ledger.record("intent", {**about, "target": target, "parameters": {}, "blast_radius": radius})
    ledger.record("outcome", {**about, "target": target, "outcome": "succeeded", "final": True})


def test_it_trips_with_the_outcome_and_calls_a_person_though_nobody_asks_again(begin: Begin) -> None:
    story = on_watch(begin).kernel_says("gpu-1")
    assert tripped(story) == []
    story.kernel_says("gpu-2")
    (found,) = tripped(story)
    assert (found["reason"], found["nodes"]) == (REASON, ["gpu-1", "gpu-2"])
    assert sum(f"{REASON}. Nothing is done until" in message for message in story.told("oncall")) == 1
    kinds = [record.kind for record in story.agent.log.query()]
    assert kinds[kinds.index("level_changed") - 1] == "outcome", "with the outcome, not with a decision"


def test_it_still_stands_after_its_window_and_nothing_is_begun(begin: Begin) -> None:
    story = on_watch(begin).kernel_says("gpu-1").kernel_says("gpu-2").passes(minutes=20).kernel_says("gpu-3")
    assert not story.cordoned("gpu-3") and len(tripped(story)) == 1
    reset(story)
    assert story.kernel_says("gpu-4").cordoned("gpu-4")
    assert len(tripped(story)) == 1, "what was touched before the reset counts no more"


def test_the_step_in_hand_ends_and_the_next_does_not_begin(begin: Begin) -> None:
    """A gang is told to stop and would be let in again; meanwhile another incident cordons the node too many."""
    told = cluster().nodes(*NODES).queue("research", gpus=96).gang("llama", pods=8, queue="research", on=NODES[:8])
    autonomy = {"default": "act", "actions": {"requeue_gang": "act_with_approval"}}
    story = begin(told, autonomy=autonomy, blast_radius=TWO_NODES).kernel_says("gpu-7")
    story.answers("approve")
    assert story.changes()[1:] == [f"patch {LLAMA}"]
    story.kernel_says("gpu-15")
    assert len(tripped(story)) == 1
    story.passes(minutes=10)
    assert story.changes() == ["patch Node/gpu-7", f"patch {LLAMA}", "patch Node/gpu-15"]
    (stopped,) = [o for o in story.records("outcome") if o["outcome"] == "failed"]
    assert "stopped by the breaker: 1 of 2 steps are done, and stand as they are" in stopped["detail"]
    assert any("stopped by the breaker" in message for message in story.told("oncall"))


def test_a_process_that_died_over_it_trips_it_when_it_is_back(begin: Begin) -> None:
    story = on_watch(begin)
    for node in ("gpu-1", "gpu-2"):
        touched_before(story, node)
    story.world.advance_to(story.now + timedelta(minutes=10))
    story.dies_and_begins_again().kernel_says("gpu-3")
    assert len(tripped(story)) == 1 and not story.cordoned("gpu-3")


def test_a_node_is_given_back_all_the_same(begin: Begin) -> None:
    story = on_watch(begin).kernel_says("gpu-1").kernel_says("gpu-2")
    assert len(tripped(story)) == 1 and story.cordoned("gpu-1")
    story.recovers("gpu-1").passes(minutes=15)
    assert not story.cordoned("gpu-1") and len(tripped(story)) == 1


def test_who_looks_from_outside_sees_it(begin: Begin) -> None:
    story = on_watch(begin)
    assert standing_details(story.agent.ports) == {}
    story.kernel_says("gpu-1").kernel_says("gpu-2")
    assert standing_details(story.agent.ports) == {"breaker_tripped": "since 2026-11-02T09:00:00Z"}
    reset(story)
    assert standing_details(story.agent.ports) == {}
