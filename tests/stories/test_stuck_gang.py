"""A gang waits below its minimum while a smaller one, stuck as well, holds its nodes: one gives way, whole."""

from collections.abc import Callable

from telling import Story, cluster

Begin = Callable[..., Story]
NODES = [f"gpu-{i}" for i in range(1, 11)]


def two_that_hold_each_other_up(begin: Begin, autonomy: str = "act") -> Story:
    """Ten nodes: six pods of eight run, four of six run, and nothing is free."""
    told = cluster().nodes(*NODES).stuck_gang("asr", pods=8, on=NODES[:6], gpus_in_all=80)
    return begin(told.stuck_gang("grasp", pods=6, on=NODES[6:]), autonomy={"default": autonomy})


def running(story: Story, gang: str) -> int:
    pods = [each for each in story.world.objects() if each["kind"] == "Pod" and each["metadata"]["namespace"] == gang]
    return sum(pod.get("status", {}).get("phase") == "Running" for pod in pods)


def test_the_smaller_one_is_requeued_whole_and_the_larger_one_runs(begin: Begin) -> None:
    story = two_that_hold_each_other_up(begin).passes(minutes=10)
    assert story.changes() == ["patch Gang/grasp/grasp", "patch Gang/grasp/grasp"]
    assert (running(story, "asr"), running(story, "grasp")) == (8, 0)
    assert set(story.endings()) == {"resolved"}


def test_while_a_person_is_asked_both_stay_as_they_are(begin: Begin) -> None:
    story = two_that_hold_each_other_up(begin, autonomy="act_with_approval").passes(minutes=10)
    assert story.changes() == []
    assert (running(story, "asr"), running(story, "grasp")) == (6, 4)
    assert {str(request.proposal.target) for request in story.asked()} == {"Gang/grasp/grasp"}


def test_two_incidents_about_the_same_trouble_requeue_it_once(begin: Begin) -> None:
    """Both are held up before their first step; the second finds on its fresh look that nothing is left to do."""
    story = two_that_hold_each_other_up(begin).breaks("apiserver", "conflict", minutes=4)
    story.passes(minutes=15)
    assert story.changes() == ["patch Gang/grasp/grasp", "patch Gang/grasp/grasp"]
