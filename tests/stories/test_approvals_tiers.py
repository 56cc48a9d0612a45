"""Who is asked next when nobody answers, and what a person may do alone in an emergency. Time approves nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from telling import Story
from test_approvals import LLAMA, asking

from agent.domain.approval import Person
from agent.ports import AnswerRefused

Begin = Callable[..., Story]
PEOPLE = (
    Person(name="alice", groups=("gpu-oncall",)),
    Person(name="bob", groups=("gpu-oncall", "incident-commanders")),
    Person(name="carol", groups=("platform-leads",)),
    Person(name="erin", groups=("incident-commanders",)),
)
LEADS = {"groups": [{"name": "platform-leads", "count": 1}], "approve_within": "30m"}
APPROVALS = {"default": {"groups": [{"name": "gpu-oncall", "count": 2}], "approve_within": "1h", "tiers": [LEADS]}}


def waiting(begin: Begin, **more: Any) -> Story:
    return asking(begin, people=PEOPLE, approvals=APPROVALS, **more)


def test_who_is_asked_is_told(begin: Begin) -> None:
    story = waiting(begin)
    (told,) = story.told("group:gpu-oncall")
    assert story.asked()[0].id in told and "until 2026-11-02T10:00:00Z" in told
    assert story.told("group:platform-leads") == []


def test_the_next_tier_is_asked_told_and_recorded_when_the_first_lets_its_time_pass(begin: Begin) -> None:
    story = waiting(begin).says("approve", by="alice").passes(minutes=60)
    (request,) = story.asked()
    assert (request.tier, request.expires_at.isoformat()) == (1, "2026-11-02T10:30:00+00:00")
    assert len(story.told("group:platform-leads")) == 1
    (escalated,) = [a for a in story.records("approval") if a["decision"] == "escalated"]
    assert (escalated["tier"], escalated["groups"]) == (1, [{"name": "platform-leads", "count": 1}])
    assert LLAMA not in " ".join(story.changes())
    with pytest.raises(AnswerRefused) as refused:
        story.says("approve", by="bob")
    assert refused.value.code == "not_in_group"
    story.says("approve", by="carol").passes(minutes=1)
    assert story.changes().count(f"patch {LLAMA}") == 2


def test_a_no_of_those_who_were_asked_first_is_heard_still(begin: Begin) -> None:
    story = waiting(begin).passes(minutes=70).says("reject", by="alice", reason="a demo at noon")
    assert story.asked() == []
    assert LLAMA not in " ".join(story.changes())


def test_after_the_last_tier_it_is_a_no(begin: Begin) -> None:
    story = waiting(begin).says("approve", by="alice").passes(minutes=95)
    assert story.asked() == []
    assert [a["decision"] for a in story.records("approval")] == ["approve", "escalated", "expired"]
    assert LLAMA not in " ".join(story.changes())


def test_a_tier_that_is_asked_outlives_the_process(begin: Begin) -> None:
    story = waiting(begin).passes(minutes=61)
    story.dies_and_begins_again().passes(minutes=5)
    assert [request.tier for request in story.asked()] == [1]
    assert len(story.told("group:platform-leads")) == 1
    assert [a["decision"] for a in story.records("approval")] == ["escalated"]
    story.says("approve", by="carol").passes(minutes=1)
    assert story.changes().count(f"patch {LLAMA}") == 2


GLASS = {"break_glass": ["incident-commanders"]}


def test_breaking_the_glass_skips_the_others_who_are_all_told_before_anything_is_done(begin: Begin) -> None:
    story = waiting(begin, house_rules=GLASS).says("break_glass", by="erin", reason="the run is lost at noon")
    story.passes(minutes=1)
    assert story.changes().count(f"patch {LLAMA}") == 2
    (broken,) = story.records("break_glass")
    skipped = ["alice", "bob", "carol", "group:gpu-oncall", "group:platform-leads"]
    assert (broken["by"], broken["reason"], broken["skipped"]) == ("erin", "the run is lost at noon", skipped)
    for name in skipped:
        assert any("by break-glass, without you: the run is lost at noon" in told for told in story.told(name)), name
    tale = story.tale()
    assert tale.index("break_glass requeue_gang") < tale.index("notice") < tale.index("intent requeue_gang")


@pytest.mark.parametrize(
    ("rules", "by", "reason", "code"),
    [
        ({}, "erin", "it burns", "break_glass_off"),
        (GLASS, "alice", "it burns", "break_glass_not_theirs"),
        (GLASS, "erin", " ", "reason_missing"),
    ],
)
def test_the_glass_holds(begin: Begin, rules: dict[str, Any], by: str, reason: str, code: str) -> None:
    story = waiting(begin, house_rules=rules)
    with pytest.raises(AnswerRefused) as refused:
        story.says("break_glass", by=by, reason=reason)
    assert refused.value.code == code
    assert [said["code"] for said in story.records("approval")] == [code]
    assert story.passes(minutes=1).records("break_glass") == []
    assert len(story.asked()) == 1


def test_whoever_changed_it_breaks_no_glass_over_it(begin: Begin) -> None:
    story = waiting(begin, house_rules=GLASS).says("edit", by="bob", delay_s=60)
    with pytest.raises(AnswerRefused) as refused:
        story.says("break_glass", by="bob", reason="it burns")
    assert refused.value.code == "requester"


def test_what_was_approved_by_break_glass_lasts_no_longer(begin: Begin) -> None:
    """The API server is away for longer than an approval is good for: it has to be asked for again."""
    story = waiting(begin, house_rules=GLASS)
    first = story.asked()[0].id
    story.breaks("apiserver", minutes=40).says("break_glass", by="erin", reason="it burns").passes(minutes=50)
    assert story.changes() == ["patch Node/gpu-7"]
    assert [request.id for request in story.asked()] != [first]
