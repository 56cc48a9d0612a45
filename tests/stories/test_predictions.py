"""What was predicted is compared with what came: a benefit that did not come is no success, one gone stops it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from telling import OURS, Story, cluster

Begin = Callable[..., Story]
NODES = [f"gpu-{i}" for i in range(1, 11)]
# Blind on purpose: what its facts say has no say in whether it is still called for.
REQUEUE_GRASP = """
apiVersion: watchkeeper.dev/v1alpha1
kind: Playbook
metadata: {name: blind}
spec:
  symptoms: [gang_stuck]
  description: Requeues grasp, whatever else is the case.
  when: facts.gang != null
  cause: gang.below_minimum
  statement: grasp is requeued
  confidence: 0.9
  remedies:
    - action: requeue_gang
      when: facts.gang != null
      target: {apiVersion: watchkeeper.dev/v1alpha1, kind: Gang, namespace: grasp, name: grasp}
      statement: grasp gives way
"""


def two_that_hold_each_other_up(begin: Begin, autonomy: str = "act", **more: object) -> Story:
    """Ten nodes: six pods of eight run, four of six run, and nothing is free."""
    told = cluster().nodes(*NODES).stuck_gang("asr", pods=8, on=NODES[:6], gpus_in_all=80)
    return begin(told.stuck_gang("grasp", pods=6, on=NODES[6:]), autonomy={"default": autonomy}, **more)


@pytest.fixture
def blind(tmp_path: Path) -> Path:
    """A playbook that does not look at the plan, so that only the what-if stands between it and the gang."""
    folder = tmp_path / "playbooks" / "blind"
    folder.mkdir(parents=True)
    (folder / "playbook.yaml").write_text(REQUEUE_GRASP)
    return folder.parent


def cordons(story: Story, *nodes: str) -> None:
    for name in nodes:
        story.happens("v1", "Node", name, None, spec={"unschedulable": True})


def test_what_was_predicted_came_true(begin: Begin) -> None:
    story = two_that_hold_each_other_up(begin).passes(minutes=10)
    (proposal,) = story.records("proposal")
    assert (proposal["prediction"]["starts"], proposal["prediction"]["stops"]) == (
        ["Gang/asr/asr"],
        ["Gang/grasp/grasp"],
    )
    (verification,) = story.records("verification")
    assert [(each["effect"], each["came"]) for each in verification["foreseen"]] == [
        ("Gang/asr/asr starts", "kept"),
        ("Gang/grasp/grasp waits whole", "kept"),
        ("free GPUs 0 -> 16", "kept"),
        ("GPUs held idle 80 -> 0", "kept"),
    ]
    assert verification["helped"]


def test_requeued_for_nothing_is_no_success(begin: Begin) -> None:
    """Somebody cordons the nodes between its two steps: it waits whole, and the other does not start."""
    story = two_that_hold_each_other_up(begin).passes(seconds=1)
    cordons(story, *NODES[6:])
    story.passes(minutes=30)
    (verification,) = [each for each in story.records("verification") if each["foreseen"]]
    assert not verification["helped"]
    assert "for nothing: Gang/asr/asr starts: it is stuck" in verification["statement"]
    assert [each["came"] for each in verification["foreseen"]] == ["missed", "kept", "missed", "missed"]
    assert "failed" in story.endings()
    assert any("Gang/asr/asr" in call for call in story.told("oncall"))


def test_an_approved_requeue_is_not_done_when_nobody_would_start_by_it_any_more(begin: Begin, blind: Path) -> None:
    story = two_that_hold_each_other_up(begin, "act_with_approval", playbooks=blind).passes(minutes=1)
    story.happens(OURS, "Gang", "asr", "asr", spec={"active": False})
    while story.asked():
        story.answers("approve")
    story.passes(minutes=5)
    assert story.changes() == []
    assert "Gang/asr/asr would not start by it any more" in {each["reason"] for each in story.records("cancellation")}


def test_somebody_else_would_start_by_it_now_so_a_person_is_asked_anew(begin: Begin, blind: Path) -> None:
    told = cluster().nodes(*NODES).stuck_gang("asr", pods=8, on=NODES[:6], gpus_in_all=160)
    told.stuck_gang("grasp", pods=6, on=NODES[6:])
    story = begin(told, autonomy={"default": "act_with_approval"}, playbooks=blind).passes(minutes=1)
    first = story.asked()[0].proposal
    assert first.prediction is not None and first.prediction.starts == ("Gang/asr/asr",)
    story.happens(OURS, "Gang", "asr", "asr", spec={"active": False})
    spec = {"containers": [{"name": "main", "image": "x", "resources": {"limits": {"nvidia.com/gpu": "8"}}}]}
    late = {
        "queue": "training",
        "priority": 0,
        "podSets": [{"name": "worker", "count": 10, "template": {"spec": spec}}],
    }
    story.happens(OURS, "Gang", "late", "asr", spec=late)
    story.answers("approve")
    assert story.changes() == []
    (second,) = [request.proposal for request in story.asked() if request.incident == first.incident]
    assert second.id != first.id
    assert second.prediction is not None and second.prediction.starts == ("Gang/asr/late",)
