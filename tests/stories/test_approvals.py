"""A yes is for one proposal, word for word, for a while, by the right people; and it outlives the agent's process."""

from collections.abc import Callable

import pytest
from telling import KUEUE, Story, cluster

from agent.ports import AnswerRefused

Begin = Callable[..., Story]
NODES = [f"gpu-{i}" for i in range(1, 21)]
ASK_FOR_REQUEUES = {"default": "act", "actions": {"requeue_gang": "act_with_approval"}}
LLAMA = "Workload/research/job-llama"


def asking(begin: Begin, **more: object) -> Story:
    """A GPU has fallen off the bus; the node is cordoned; may the gang be requeued?"""
    told = cluster().nodes(*NODES).queue("research", gpus=96).queue_of("second", "research", "research")
    told.gang("llama", pods=8, queue="research", on=NODES[:8])
    story = begin(told, autonomy=ASK_FOR_REQUEUES, **more).kernel_says("gpu-7")
    assert story.changes() == ["patch Node/gpu-7"]
    assert [request.proposal.action for request in story.asked()] == ["requeue_gang"]
    return story


def test_the_yes_names_the_digest_of_what_is_done(begin: Begin) -> None:
    story = asking(begin)
    digest = story.asked()[0].digest
    story.answers("approve").passes(minutes=1)
    assert {i["digest"] for i in story.records("intent") if i["action"] == "requeue_gang"} == {digest}


def test_a_yes_to_something_else_does_not_count(begin: Begin) -> None:
    story = asking(begin)
    with pytest.raises(AnswerRefused, match="is for digest"):
        story.answers("approve", digest="0" * 64)
    assert story.passes(minutes=2).changes() == ["patch Node/gpu-7"]
    assert [said["counted"] for said in story.records("approval")] == [False]


def test_what_it_rests_on_has_changed_so_the_old_yes_is_void_and_a_new_one_is_asked_for(begin: Begin) -> None:
    story = asking(begin)
    before = story.asked()[0]
    story.happens(KUEUE, "Workload", "job-llama", "research", spec={"queueName": "second"})
    story.answers("approve")
    assert story.changes() == ["patch Node/gpu-7"]
    assert [each["reason"] for each in story.records("cancellation")] == [
        "what it rests on has changed since it was proposed"
    ]
    after = story.asked()[0]
    assert after.digest != before.digest
    with pytest.raises(AnswerRefused, match="is for digest"):
        story.answers("approve", by="bob", digest=before.digest)
    story.answers("approve").passes(minutes=1)
    assert story.changes()[:3] == ["patch Node/gpu-7", f"patch {LLAMA}", f"patch {LLAMA}"]


def test_the_request_outlives_the_process(begin: Begin) -> None:
    story = asking(begin)
    before = story.asked()
    story.dies_and_begins_again().passes(minutes=1)
    assert story.asked() == before
    story.answers("approve").passes(minutes=1)
    assert story.changes().count(f"patch {LLAMA}") == 2
    assert len(story.records("approval_requested")) == 1


def test_a_yes_that_was_said_while_no_agent_ran_is_heard(begin: Begin) -> None:
    story = asking(begin).answers("approve", unheard=True)
    story.dies_and_begins_again().passes(minutes=1)
    assert story.changes().count(f"patch {LLAMA}") == 2


def test_an_approval_is_used_up_by_what_it_was_for(begin: Begin) -> None:
    story = asking(begin)
    request = story.asked()[0].id
    story.answers("approve").passes(minutes=1)
    used = story.agent.ports.desk.get(request)
    assert used is not None and used.state == "consumed"


def test_a_yes_that_could_not_be_carried_out_for_too_long_is_asked_for_again(begin: Begin) -> None:
    """The API server was away for longer than the approval lasts."""
    story = asking(begin)
    first = story.asked()[0].id
    story.breaks("apiserver", minutes=40).answers("approve").passes(minutes=50)
    assert story.changes() == ["patch Node/gpu-7"]
    (again,) = story.asked()
    assert again.id != first
