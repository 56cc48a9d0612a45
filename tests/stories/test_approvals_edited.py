"""A person changes what is asked: it is proposed, judged and asked anew, and whoever changed it never approves it."""

from collections.abc import Callable

import pytest
from telling import Story
from test_approvals import LLAMA, asking

from agent.domain.approval import Answer, Person
from agent.ports import AnswerRefused

Begin = Callable[..., Story]
ALICE = Person(name="alice", groups=("gpu-oncall",))


def test_an_edit_is_a_new_digest_a_new_verdict_and_a_new_request(begin: Begin) -> None:
    story = asking(begin)
    before = story.asked()[0]
    story.says("edit", by="alice", reason="after the demo", delay_s=600)
    (after,) = story.asked()
    assert after.id != before.id and after.digest != before.digest
    assert (after.requested_by, after.editors) == ("alice", ("alice",))
    assert after.proposal.parameters["delay_s"] == 600 and before.proposal.parameters.get("delay_s", 0) == 0
    verdicts = [v for v in story.records("verdict") if v["input"]["proposal"]["action"] == "requeue_gang"]
    assert [v["verdict"]["proposal_digest"] for v in verdicts] == [before.digest, after.digest]
    old = story.agent.ports.desk.get(before.id)
    assert old is not None and old.state == "edited"
    assert story.changes() == ["patch Node/gpu-7"]


def test_whoever_edited_it_does_not_approve_it_and_somebody_else_does(begin: Begin) -> None:
    story = asking(begin).says("edit", by="alice", delay_s=600)
    with pytest.raises(AnswerRefused) as refused:
        story.says("approve", by="alice")
    assert refused.value.code == "requester"
    story.says("approve", by="bob").passes(minutes=15)
    assert story.changes().count(f"patch {LLAMA}") == 2
    done = [i for i in story.records("intent") if i["action"] == "requeue_gang"]
    assert {i["parameters"]["delay_s"] for i in done} == {600}


def test_who_had_a_hand_in_it_before_does_not_approve_it_either(begin: Begin) -> None:
    story = asking(begin).says("edit", by="alice", delay_s=600).says("edit", by="bob", from_checkpoint=True)
    (request,) = story.asked()
    assert request.editors == ("alice", "bob")
    assert {**request.proposal.parameters} | {"delay_s": 600, "from_checkpoint": True} == request.proposal.parameters
    for name in ("alice", "bob"):
        with pytest.raises(AnswerRefused) as refused:
            story.says("approve", by=name)
        assert refused.value.code == "requester"
    assert story.says("reject", by="alice", reason="not after all").asked() == []
    assert LLAMA not in " ".join(story.changes())


def test_a_yes_to_what_was_there_before_the_edit_is_a_yes_to_nothing(begin: Begin) -> None:
    story = asking(begin)
    before = story.asked()[0]
    story.says("edit", by="alice", delay_s=600)
    with pytest.raises(AnswerRefused, match="edited already"):
        story.agent.ports.desk.answer(before.id, _yes(story, before.digest), Person(name="bob", groups=("gpu-oncall",)))
    with pytest.raises(AnswerRefused, match="is for digest"):
        story.answers("approve", by="bob", digest=before.digest)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"delay_s": -1}, "parameters.invalid"), ({"force": True}, "parameters.invalid"), ({}, "nothing_changed")],
)
def test_an_edit_that_is_none(begin: Begin, changes: dict[str, object], code: str) -> None:
    story = asking(begin)
    with pytest.raises(AnswerRefused) as refused:
        story.says("edit", by="alice", **changes)
    assert refused.value.code == code
    assert [said["code"] for said in story.records("approval")] == [code]
    assert len(story.asked()) == 1


def test_an_edit_outlives_the_process(begin: Begin) -> None:
    story = asking(begin).says("edit", by="alice", delay_s=600)
    before = story.asked()
    story.dies_and_begins_again().passes(minutes=1)
    assert story.asked() == before
    story.says("approve", by="bob").passes(minutes=15)
    assert story.changes().count(f"patch {LLAMA}") == 2


def test_one_operator_may_approve_what_they_edited_where_the_settings_say_that_there_is_but_one(begin: Begin) -> None:
    story = asking(begin, people=(ALICE,), house_rules={"single_operator": "alice"})
    story.says("edit", by="alice", delay_s=600).says("approve", by="alice").passes(minutes=15)
    assert story.changes().count(f"patch {LLAMA}") == 2
    assert [a["alone"] for a in story.records("approval") if a["decision"] == "approve"] == [True]


def _yes(story: Story, digest: str) -> Answer:
    return Answer(by="bob", decision="approve", reason="", digest=digest, at=story.now, door="terminal")
