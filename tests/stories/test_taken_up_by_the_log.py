"""Whatever state an incident is in when another agent takes charge with the log alone: it ends as it would have."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from handing import Handed
from telling import Story, cluster
from test_approvals import ASK_FOR_REQUEUES, LLAMA
from test_xid_79_under_a_gang import ACT, site

from agent.answering import Answering, Said
from agent.domain.cluster import ObjectRef
from agent.domain.diagnosis import Diagnosis
from agent.domain.identity import Claims
from agent.domain.incident import IncidentState
from agent.domain.proposal import BlastRadius, Proposal, Step, Verb
from agent.domain.thread import Thread
from agent.domain.verdict import Decision, Obligations, Reason, Verdict
from agent.resuming import Round, taken_up

Hand = Callable[..., Handed]
FAILS = {"reboot": {"takes": "2m", "outcome": "failed"}}
CASES: dict[str, dict[str, Any]] = {
    "only suggested": {"autonomy": {"default": "suggest"}},
    "the repair fails": {"autonomy": ACT, "repair": FAILS},
    "the gang does not go": {"autonomy": ACT},
}


def begun(story: Story, case: str) -> Story:
    if case == "the gang does not go":
        story.breaks("kubelet", minutes=60)
    return story.kernel_says("gpu-7")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Story]]:
    known: dict[str, Story] = {}

    def lived(case: str) -> Story:
        if case not in known:
            told: Any = site()
            story = Story(tmp_path_factory.mktemp("undisturbed"), told, **CASES[case])
            known[case] = begun(story, case).passes(minutes=40)
        return known[case]

    yield lived
    for story in known.values():
        story.close()


WHEN = [(case, minutes) for case in CASES for minutes in (0, 4, 16)]
WHEN.remove(("only suggested", 16))  # by then it is told again that the trouble stands


@pytest.mark.parametrize(("case", "minutes"), WHEN)
def test_what_ends_badly_ends_as_badly(
    hand: Hand, undisturbed: Callable[[str], Story], case: str, minutes: int
) -> None:
    known = undisturbed(case)
    story = hand(site(), **CASES[case])
    begun(story, case).passes(minutes=minutes)
    story.hands_over().passes(minutes=40)
    assert (story.endings(), story.changes()) == (known.endings(), known.changes())
    assert len(story.told("oncall")) == len(known.told("oncall"))


def edited(hand: Hand) -> Handed:
    story = hand(site(), autonomy=ASK_FOR_REQUEUES).kernel_says("gpu-7")
    story.says("edit", by="alice", reason="after the demo", delay_s=600)
    return story


def test_what_a_person_changed_is_asked_and_done_as_they_changed_it(hand: Hand) -> None:
    story = edited(hand)
    (asked,) = story.asked()
    story.hands_over().passes(minutes=1)
    assert story.asked() == [asked]
    story.says("approve", by="bob").passes(minutes=15)
    done = [each for each in story.records("intent") if each["action"] == "requeue_gang"]
    assert {each["parameters"]["delay_s"] for each in done} == {600}
    assert story.changes().count(f"patch {LLAMA}") == 2 and len(story.asked_ever()) == 2


def test_an_edit_that_nobody_had_heard_of_is_asked(hand: Hand) -> None:
    story = hand(site(), autonomy=ASK_FOR_REQUEUES).kernel_says("gpu-7")
    story.passes(seconds=30)
    before = story.asked()[0]
    said = Said(before.id, before.digest, "edit", "after the demo", {"delay_s": 600})
    answering = Answering(story.agent.ports.desk, story._settings.directory, story.world.clock)
    answering.answer(said, Claims(door="terminal", account="alice"))
    story.hands_over().passes(minutes=1)
    (asked,) = story.asked()
    assert asked.id != before.id and asked.proposal.parameters["delay_s"] == 600
    assert asked.editors == ("alice",)


@pytest.mark.parametrize("minutes", [1, 14, 16])
def test_the_owner_of_a_notebook_has_the_grace(hand: Hand, minutes: int) -> None:
    told = cluster().nodes("gpu-1", "gpu-2").notebook("anna", on="gpu-1", gpus=1).idle_since_the_night("anna-0")
    story = hand(told, autonomy=ACT)
    story.passes(minutes=minutes).hands_over().passes(minutes=45)
    assert [each["action"] for each in story.records("outcome")].count("reclaim_idle_gpu") == len(
        {each["step"] for each in story.records("outcome") if each["action"] == "reclaim_idle_gpu"}
    )
    assert story.endings() == ["resolved"]


def test_nothing_goes_on_whose_first_was_still_to_show_that_it_is_well() -> None:
    """Who watched over it is gone with the checkpoint: the others are left alone, and a person is called."""
    steps = (Step(verb=Verb.EVICT, target=pod_ref("one")), Step(verb=Verb.EVICT, target=pod_ref("two")))
    asked = proposal(steps)
    allowed = ESCALATED.model_copy(update={"decision": Decision.ALLOW, "obligations": Obligations(canary=True)})
    last = Round(asked, asked.digest, "evict_pod one", allowed, begun=True, done={0})
    found = Diagnosis(
        incident="inc-1", cause="c", statement="s", source="playbook:p", playbook="p", confidence=1.0, evidence=()
    )
    stage, thread = taken_up(Thread(incident="inc-1"), found, [last], "stop")
    assert (stage, thread.ending, thread.proposal) == ("propose", IncidentState.FAILED, None)
    assert "1 of 2 steps are done, and stand as they are" in thread.statement
    last.done = {0, 1}
    assert taken_up(Thread(incident="inc-1"), found, [last], "stop")[0] == "execute"


def pod_ref(name: str) -> ObjectRef:
    return ObjectRef(api_version="v1", kind="Pod", namespace="law", name=name)


def proposal(steps: tuple[Step, ...]) -> Proposal:
    return Proposal(
        id="inc-1/0",
        incident="inc-1",
        action="evict_pod",
        target=pod_ref("one"),
        steps=steps,
        blast_radius=BlastRadius(),
        destructive=True,
        protective=False,
        source="playbook:p",
        confidence=1.0,
        statement="Let them go elsewhere.",
    )


ESCALATED = Verdict(decision_id="dec-1", decision=Decision.ESCALATE, reasons=(Reason(code="c", message="m"),))
