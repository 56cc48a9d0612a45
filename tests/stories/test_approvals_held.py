"""Between a yes and its deed: it may be taken back, the desk may be forged, and what was agreed to may grow."""

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text
from telling import Story
from test_approvals import LLAMA, asking
from test_idle_notebook import NOTEBOOK, idle_for_hours

from agent.answering import Answering, Decision, Said
from agent.compliance.timeline import sentence
from agent.domain.approval import Person, RequestState
from agent.domain.identity import Claims
from agent.ports import AnswerRefused

Begin = Callable[..., Story]
ONE_IS_MANY = {"workloads": {"absolute": 0, "window": "30m"}}


def withdraws(story: Story, request: str, by: str = "alice") -> None:
    says(story, request, "withdraw", by)


def says(story: Story, request: str, decision: Decision, by: str) -> None:
    desk = story.agent.ports.desk
    standing = desk.get(request)
    assert standing is not None
    said = Said(request, standing.digest, decision, "they have a deadline")
    Answering(desk, story._settings.directory, story.world.clock).answer(said, Claims(door="terminal", account=by))
    story.passes(seconds=0)


def others_touch(story: Story, workload: str) -> None:
    """Another incident's action, as the log has it."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "vision", "name": workload}
    reach = {"nodes": [], "gangs": [], "workloads": [f"Deployment/vision/{workload}"], "gpus": 1}
    about = {"proposal": f"inc-{workload}/0", "incident": f"inc-{workload}", "action": "restart_workload"}
    story.agent.ports.ledger.record("intent", {**about, "target": target, "blast_radius": reach})


def test_a_yes_that_is_taken_back_in_the_notice_is_asked_for_again(begin: Begin) -> None:
    story = idle_for_hours(begin).answers("approve")
    request = story.asked_ever()[0].id
    withdraws(story, request)
    story.passes(minutes=20)
    assert story.changes() == []
    assert [each.id for each in story.asked()] == [request], "the same request waits again"
    assert any(
        "alice took the yes back (they have a deadline): may the agent" in told
        for told in story.told("group:gpu-oncall")
    )
    story.answers("approve", by="bob").passes(minutes=20)
    assert story.changes() == [f"patch {NOTEBOOK}"]


def test_a_yes_that_is_taken_back_and_not_given_again_is_a_no(begin: Begin) -> None:
    story = idle_for_hours(begin).answers("approve")
    withdraws(story, story.asked_ever()[0].id)
    story.passes(hours=2)
    assert story.changes() == []
    assert story.asked_ever()[0].state is RequestState.EXPIRED


def test_a_no_in_the_notice_ends_it_and_the_owner_is_told(begin: Begin) -> None:
    story = idle_for_hours(begin).answers("approve")
    request = story.asked_ever()[0].id
    says(story, request, "reject", by="bob")
    story.passes(hours=2)
    assert story.changes() == [] and story.asked() == [] and len(story.asked_ever()) == 1, "it is not asked anew"
    assert story.asked_ever()[0].state is RequestState.REJECTED
    assert any("will not happen: bob said no: they have a deadline" in told for told in story.told("owner"))
    assert [said["reason"] for said in story.records("cancellation")] == ["bob said no: they have a deadline"]
    assert [said["state"] for said in story.records("incident_closed")] == ["rejected"]


def test_what_has_begun_is_not_taken_back(begin: Begin) -> None:
    story = asking(begin).answers("approve").passes(minutes=1)
    with pytest.raises(AnswerRefused) as late:
        withdraws(story, story.asked_ever()[0].id)
    assert late.value.code == "begun"


def test_agreed_for_one_and_by_now_it_is_two_so_it_is_asked_anew(begin: Begin) -> None:
    story = idle_for_hours(begin, blast_radius=ONE_IS_MANY).answers("approve")
    first = story.asked_ever()[0]
    assert {r.code: r.params.get("touched") for r in first.verdict.reasons}["blast_radius.workload_limit"] == 1
    others_touch(story, "web")
    story.passes(minutes=16)
    assert story.changes() == []
    (again,) = story.asked()
    assert again.id != first.id
    assert {r.code: r.params.get("touched") for r in again.verdict.reasons}["blast_radius.workload_limit"] == 2
    (ended,) = [said for said in story.records("approval") if said["decision"] == "cancelled"]
    assert "more than was approved: blast_radius.workload_limit: 2 workloads" in ended["reason"]
    story.answers("approve").passes(minutes=16)
    assert story.changes() == [f"patch {NOTEBOOK}"], "asked once more, and no more than that"
    assert len(story.asked_ever()) == 2


def test_agreed_for_two_and_by_now_it_is_one_it_is_done(begin: Begin) -> None:
    """What is less is covered: nobody is asked for it."""
    others = {"workloads": {"absolute": 0, "window": "10m"}}
    story = begin_with_another(begin, others).answers("approve").passes(minutes=16)
    assert story.changes() == [f"patch {NOTEBOOK}"]
    assert len(story.asked_ever()) == 1


def begin_with_another(begin: Begin, limits: dict[str, object]) -> Story:
    from telling import cluster

    nodes = [f"gpu-{i}" for i in range(1, 17)]
    told = cluster().nodes(*nodes).notebook("anna", on="gpu-1", gpus=1).idle_since_the_night("anna-0")
    story = begin(told, autonomy={"default": "act_with_approval"}, blast_radius=limits)
    others_touch(story, "web")
    return story.passes(minutes=5)


def test_a_row_that_somebody_forged_lets_nothing_through(begin: Begin) -> None:
    story = asking(begin)
    request = story.asked()[0]
    row = request.model_copy(
        update={"state": RequestState.APPROVED, "decided_at": story.now, "answers": ()}
    ).model_dump_json(by_alias=True)
    engine = create_engine(f"sqlite:///{story.database}")
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE agent_requests SET body = :body, state = 'approved', changes = 99 WHERE id = :id"),
            {"body": row, "id": request.id},
        )
    engine.dispose()
    story.passes(minutes=5)
    assert story.changes() == ["patch Node/gpu-7"]
    assert [said["code"] for said in story.records("refused")] == ["approval.unproven"]
    (again,) = story.asked()
    assert again.id != request.id
    story.answers("approve").passes(minutes=1)
    assert story.changes().count(f"patch {LLAMA}") == 2


def test_who_edited_cannot_approve_by_another_name(begin: Begin) -> None:
    """One hand at a shared login: alice edits, and from the same terminal `--as bob` would approve."""
    people = tuple(Person(name=name, groups=("gpu-oncall",)) for name in ("alice", "bob"))
    story = asking(begin, people=people)
    desk = story.agent.ports.desk
    answering = Answering(desk, story._settings.directory, story.world.clock)
    request = story.asked()[0]
    shared = Claims(door="terminal", account="ops")
    edit = Said(request.id, request.digest, "edit", "later", {"delay_s": 600})
    answering.answer(edit, shared.model_copy(update={"named": "alice"}))
    story.passes(seconds=0)
    edited = story.asked()[0]
    assert edited.editor_accounts == ("terminal:ops",)
    with pytest.raises(AnswerRefused) as refused:
        answering.answer(Said(edited.id, edited.digest, "approve"), shared.model_copy(update={"named": "bob"}))
    assert refused.value.code == "account_of_another"
    answering.answer(Said(edited.id, edited.digest, "approve"), Claims(door="terminal", account="bob"))


def test_a_request_says_whose_work_is_lost_and_how_much(begin: Begin) -> None:
    from agent.cli.request_page import page

    story = asking(begin)
    request = story.asked()[0]
    (stake,) = request.proposal.at_stake
    assert (stake.whose, stake.tenant, stake.pods, stake.gpus) == (LLAMA, "research", 8, 64)
    shown = "\n".join(line.text for line in page(request, story.now))
    (told,) = [sentence("proposal", p) for p in story.records("proposal") if p["action"] == "requeue_gang"]
    assert "At stake: at most" in told
    assert "What is lost" in shown and f"{LLAMA} (research): 8 pods with 64 GPUs stop" in shown
