"""What the agent leans on fails: it does less, never more; it says so; and it goes on when the fault is over."""

from collections.abc import Callable

import pytest
from telling import START, Story, cluster

from agent.domain.cluster import ObjectRef
from agent.ports import Fault
from agent.scenarios.witness import Pager
from audit.fsck import fsck

Begin = Callable[..., Story]
NODES = [f"gpu-{i}" for i in range(1, 21)]
LLAMA = "Workload/research/job-llama"
DONE = ["patch Node/gpu-7", f"patch {LLAMA}", f"patch {LLAMA}", "request_repair Node/gpu-7", "patch Node/gpu-7"]


class LostPager(Pager):
    def notify(self, audience: str, subject: ObjectRef, message: str, *, key: str) -> None:
        raise Fault("the pager does not answer")


def site(begin: Begin, **more: object) -> Story:
    told = cluster().nodes(*NODES).queue("research", gpus=96)
    told.gang("llama", pods=8, queue="research", on=NODES[:8])
    return begin(told, **{"autonomy": {"default": "act"}, **more})


@pytest.mark.parametrize("target", ["policy", "log", "apiserver"])
@pytest.mark.parametrize("kind", ["down", "error"])
def test_while_it_is_away_nothing_is_done_and_everything_afterwards(begin: Begin, target: str, kind: str) -> None:
    story = site(begin).breaks(target, kind, minutes=5).kernel_says("gpu-7").passes(minutes=4)
    assert story.changes() == []
    story.passes(minutes=20)
    assert story.changes() == DONE
    assert story.endings() == ["resolved"]


def test_a_policy_engine_that_gives_no_decision_is_a_no_with_its_own_reason(begin: Begin) -> None:
    story = site(begin).breaks("policy", minutes=2).kernel_says("gpu-7").passes(minutes=1)
    verdicts = [record["verdict"] for record in story.records("verdict")]
    assert {verdict["decision"] for verdict in verdicts} == {"deny"}
    assert {verdict["reasons"][0]["code"] for verdict in verdicts} == {"policy.unreachable"}


def test_the_log_is_away_in_the_middle_and_the_gang_still_ends_whole(begin: Begin) -> None:
    """It was stopped; that it may be started again must be on record first."""
    story = site(begin).kernel_says("gpu-7")
    assert story.changes() == DONE[:2]
    story.breaks("log", minutes=4).passes(minutes=3)
    assert story.changes() == DONE[:2]
    story.passes(minutes=20)
    assert story.changes() == DONE


def test_what_was_held_up_is_judged_again_before_it_begins(begin: Begin) -> None:
    """While the API server took no writes of the agent's, somebody else cordoned the node."""
    story = site(begin).breaks("apiserver", "conflict", minutes=3).kernel_says("gpu-7").passes(minutes=1)
    story.happens("v1", "Node", "gpu-7", None, spec={"unschedulable": True})
    story.passes(minutes=3)
    assert "patch Node/gpu-7" not in story.changes()


def test_a_first_step_that_is_held_off_for_a_quarter_of_an_hour_is_given_up_and_a_person_called(begin: Begin) -> None:
    story = site(begin).breaks("apiserver", "conflict", minutes=40).kernel_says("gpu-7").passes(minutes=30)
    assert story.changes() == []
    assert story.endings() == ["failed"]
    (call,) = story.told("oncall")
    assert "held off for 900 s" in call


def test_a_step_that_fails_is_taken_back_and_a_person_is_called(begin: Begin) -> None:
    """The gang is stopped, and then its pods do not go: their kubelet is away for longer than they are waited for."""
    story = site(begin).breaks("kubelet", minutes=60).kernel_says("gpu-7").passes(minutes=30)
    assert story.changes() == ["patch Node/gpu-7", f"patch {LLAMA}", f"patch {LLAMA}"]
    outcomes = [(each["action"], each["outcome"]) for each in story.records("outcome")]
    assert ("requeue_gang", "undone") in outcomes
    assert story.endings() == ["rolled_back"]
    (call,) = story.told("oncall")
    assert "pods were still there after 900 s" in call
    workload = story.object("kueue.x-k8s.io/v1beta2", "Workload", "job-llama", "research") or {}
    assert workload["spec"]["active"] is True


def test_a_repair_that_fails_goes_to_support_and_to_a_person_and_leaves_the_node_cordoned(begin: Begin) -> None:
    story = site(begin, repair={"reboot": {"takes": "2m", "outcome": "failed"}}).kernel_says("gpu-7").passes(minutes=20)
    assert story.cordoned("gpu-7")
    (call,) = story.told("oncall")
    assert "still sick after reboot, support" in call


def test_an_api_server_that_stays_away_is_called_about_once_and_then_everything_is_done(begin: Begin) -> None:
    story = site(begin).breaks("apiserver", "error", minutes=50).kernel_says("gpu-7").passes(minutes=45)
    assert story.changes() == []
    (call,) = story.told("oncall")
    assert "put off since" in call and "the API server answers 500" in call
    story.passes(minutes=30)
    assert story.changes() == DONE and story.endings() == ["resolved"]


def test_a_site_without_a_prometheus_finds_what_needs_none_and_nobody_is_called_about_it(begin: Begin) -> None:
    told = cluster().nodes(*NODES[:10]).stuck_gang("asr", pods=8, on=NODES[:6], gpus_in_all=80)
    told.stuck_gang("grasp", pods=6, on=NODES[6:10])
    story = begin(told, autonomy={"default": "act"}, prometheus=False).passes(minutes=45)
    assert story.changes() == ["patch Gang/grasp/grasp", "patch Gang/grasp/grasp"]
    assert story.told("oncall") == []


def test_a_pager_that_is_lost_stops_nothing(begin: Begin) -> None:
    """A person should have been called about the failed repair; that it could not be done is on record."""
    failing = {"reboot": {"takes": "2m", "outcome": "failed"}}
    story = site(begin, repair=failing, pager=LostPager()).kernel_says("gpu-7").passes(minutes=60)
    assert story.endings() == ["failed"]
    assert [each["outcome"] for each in story.records("outcome") if each["action"] == "notify"] == ["failed"]


def test_the_log_of_all_this_is_intact(begin: Begin) -> None:
    story = site(begin).breaks("log", minutes=1).breaks("apiserver", "error", minutes=2).kernel_says("gpu-7")
    story.passes(minutes=3).dies_and_begins_again().passes(minutes=20)
    assert story.endings() == ["resolved"]
    assert fsck(story.database).ok
    assert story.now > START
