"""One step at most once, whatever happens in between; and what is not certain is found out, not guessed."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from step_field import BUDGET, NODE, POD, SERVER, START, STEPS, Field

from agent.adapters.kubernetes.views import ClusterViews
from agent.domain.cluster import ClusterView
from agent.domain.proposal import Step, Verb, WaitFor
from agent.effects import GIVE_UP_AFTER_S, UNDO_GIVE_UP_AFTER_S, StepState, waiting_for
from agent.ports import ClusterUnavailable

Make = Callable[..., Field]
DONE, WAITING, FAILED = StepState.DONE, StepState.WAITING, StepState.FAILED


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Make]:
    made: list[Field] = []

    def make(*more: dict[str, Any]) -> Field:
        made.append(Field(tmp_path, *more))
        return made[-1]

    yield make
    for each in made:
        each.close()


# --- once, and found out after a crash ------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", STEPS)
def test_intent_then_effect_then_outcome(field: Make, verb: str) -> None:
    here = field()
    assert here.run(STEPS[verb]).state is DONE
    assert here.kinds() == ["intent", "outcome"]
    assert here.done == {verb: 1}


@pytest.mark.parametrize("verb", STEPS)
def test_killed_after_the_effect_it_is_found_done(field: Make, verb: str) -> None:
    here = field()
    here.killed_after("effect", STEPS[verb])
    here.later(60)
    again = here.run(STEPS[verb])
    assert (again.state, again.detail) == (DONE, "found done after an interruption")
    assert here.done == {verb: 1}
    assert here.outcomes() == ["succeeded"]


@pytest.mark.parametrize("verb", STEPS)
def test_killed_after_the_intent_it_is_done_then(field: Make, verb: str) -> None:
    here = field()
    here.killed_after("intent", STEPS[verb])
    assert here.done == {}
    assert here.run(STEPS[verb]).state is DONE
    assert here.done == {verb: 1}
    assert here.kinds() == ["intent", "outcome"]


@pytest.mark.parametrize("verb", STEPS)
def test_killed_after_the_outcome_it_is_recalled(field: Make, verb: str) -> None:
    here = field()
    here.killed_after("outcome", STEPS[verb])
    here.later(60)
    assert here.run(STEPS[verb]).state is DONE
    assert here.done == {verb: 1}


def test_an_intent_that_is_too_old_is_given_up_not_carried_out(field: Make) -> None:
    here = field()
    here.killed_after("intent", STEPS["patch"])
    here.later(GIVE_UP_AFTER_S + 1)
    result = here.run(STEPS["patch"])
    assert result.state is FAILED and "given up" in result.detail
    assert here.done == {}
    assert here.outcomes() == ["failed"]


def test_an_old_intent_whose_effect_is_there_was_carried_out(field: Make) -> None:
    here = field()
    here.killed_after("effect", STEPS["patch"])
    here.later(GIVE_UP_AFTER_S + 1)
    assert here.run(STEPS["patch"]).state is DONE
    assert here.outcomes() == ["succeeded"]


def test_a_fault_that_leaves_it_open_is_raised_and_found_out_at_the_next_try(field: Make) -> None:
    here = field()
    here.breaks("down", 30)
    with pytest.raises(ClusterUnavailable):
        here.run(STEPS["patch"], dry_run=False)
    assert here.kinds() == ["intent"]
    here.later(31)
    assert here.run(STEPS["patch"], dry_run=False).state is DONE
    assert here.done == {"patch": 1}


def test_a_server_without_an_answer_has_refused_nothing(field: Make) -> None:
    """Not even in a dry run: the step is neither begun nor failed."""
    here = field()
    here.breaks("down", 30)
    with pytest.raises(ClusterUnavailable):
        here.run(STEPS["patch"])
    assert here.kinds() == []
    here.later(31)
    assert here.run(STEPS["patch"]).state is DONE


def test_a_server_that_fails_at_a_dry_run_is_asked_again_for_as_long_as_one_that_holds_it_off(field: Make) -> None:
    """A webhook that is away, two budgets over one pod: the server answers 500, and may do so for ever."""
    here = field()
    here.breaks("error", GIVE_UP_AFTER_S + 60)
    assert here.run(STEPS["patch"]).state is WAITING
    here.later(GIVE_UP_AFTER_S + 1)
    result = here.run(STEPS["patch"])
    assert result.state is FAILED and "answers 500" in result.detail
    assert here.kinds() == []


# --- what the server says -------------------------------------------------------------------------------------------

WRONG = Step(verb=Verb.SCALE, target=SERVER, body={"replicas": -1})


def test_a_dry_run_that_is_refused_leaves_no_intent(field: Make) -> None:
    here = field()
    result = here.run(WRONG)
    assert result.state is FAILED and "dry run" in result.detail
    assert here.kinds() == []
    assert here.done == {}


def test_without_a_dry_run_the_refusal_is_an_outcome(field: Make) -> None:
    here = field()
    assert here.run(WRONG, dry_run=False).state is FAILED
    assert here.kinds() == ["intent", "outcome"]
    assert here.done == {}


def test_a_disruption_budget_makes_it_wait_and_nothing_is_begun(field: Make) -> None:
    here = field(BUDGET)
    result = here.run(STEPS["evict"])
    assert result.state is WAITING and "budget keep" in result.detail
    assert here.kinds() == []


def test_held_off_for_too_long_before_anything_began_it_fails(field: Make) -> None:
    here = field(BUDGET)
    here.later(GIVE_UP_AFTER_S)
    assert here.run(STEPS["evict"]).state is WAITING
    here.later(1)
    result = here.run(STEPS["evict"])
    assert result.state is FAILED and f"held off for {GIVE_UP_AFTER_S} s" in result.detail
    assert here.kinds() == []


def test_held_off_after_its_intent_it_is_tried_again_and_then_recorded_as_failed(field: Make) -> None:
    here = field(BUDGET)
    assert here.run(STEPS["evict"], dry_run=False).state is WAITING
    assert here.kinds() == ["intent"]
    here.later(GIVE_UP_AFTER_S + 1)
    assert here.run(STEPS["evict"], dry_run=False).state is FAILED
    assert here.outcomes() == ["failed"]


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_conflict_on_the_same_object_is_tried_again(field: Make, dry_run: bool) -> None:
    here = field()
    here.breaks("conflict", 30)
    assert here.run(STEPS["patch"], dry_run=dry_run).state is WAITING
    here.later(31)
    assert here.run(STEPS["patch"], dry_run=dry_run).state is DONE
    assert here.done == {"patch": 1}


@pytest.mark.parametrize("dry_run", [True, False])
def test_another_object_of_that_name_is_never_touched(field: Make, dry_run: bool) -> None:
    here = field()
    gone = STEPS["patch"].model_copy(update={"uid": "uid-of-the-old-machine"})
    result = here.run(gone, dry_run=dry_run)
    assert result.state is FAILED and "another one by now" in result.detail
    assert here.done == {}


def test_an_object_that_is_gone_fails(field: Make) -> None:
    here = field()
    here.world.delete(NODE)
    assert here.run(STEPS["patch"], dry_run=False).state is FAILED


def test_a_pod_that_is_gone_by_itself_after_the_intent_counts_as_evicted(field: Make) -> None:
    here = field()
    here.killed_after("intent", STEPS["evict"])
    here.world.delete(POD)
    assert here.run(STEPS["evict"]).state is DONE
    assert here.done == {}


@pytest.mark.parametrize("uid", ["uid-loner", "uid-of-the-one-before"])
def test_a_pod_that_has_left_by_itself_needs_no_eviction_and_keeps_no_drain_from_going_on(
    field: Make, uid: str
) -> None:
    """Whether nobody or somebody else bears its name now."""
    here = field()
    if uid == "uid-loner":
        here.world.delete(POD)
    result = here.run(STEPS["evict"].model_copy(update={"uid": uid}))
    assert (result.state, result.detail) == (DONE, "it had left by itself")
    assert here.done == {} and here.outcomes() == ["succeeded"]


def test_no_repair_is_asked_for_a_machine_that_has_taken_the_others_name(field: Make) -> None:
    here = field()
    gone = STEPS["request_repair"].model_copy(update={"uid": "uid-of-the-old-machine"})
    result = here.run(gone)
    assert result.state is FAILED and "another one by now" in result.detail
    assert here.done == {}


def test_an_intent_that_is_given_up_says_what_the_server_says_to_it(field: Make) -> None:
    here = field(BUDGET)
    here.killed_after("intent", STEPS["evict"], dry_run=False)
    here.later(GIVE_UP_AFTER_S + 1)
    result = here.run(STEPS["evict"])
    assert result.state is FAILED and "given up" in result.detail and "budget keep" in result.detail


def test_the_number_of_another_object_of_that_name_is_not_our_doing(field: Make) -> None:
    here = field()
    step = STEPS["scale"].model_copy(update={"uid": "uid-of-the-one-before", "body": {"replicas": 2}})
    here.killed_after("intent", step, dry_run=False)
    result = here.run(step)
    assert result.state is FAILED and "another one by now" in result.detail


# --- and back -------------------------------------------------------------------------------------------------------


def unschedulable(here: Field) -> bool:
    return bool((here.world.object(NODE) or {}).get("spec", {}).get("unschedulable"))


def test_undo_has_an_intent_and_an_outcome_of_its_own(field: Make) -> None:
    here = field()
    here.run(STEPS["patch"])
    assert unschedulable(here)
    assert here.run(STEPS["patch"], undo=True).state is DONE
    assert not unschedulable(here)
    assert here.kinds() == ["intent", "outcome", "intent", "outcome"]
    assert here.outcomes() == ["succeeded", "undone"]


def test_killed_within_the_undo_it_is_undone_once(field: Make) -> None:
    here = field()
    here.run(STEPS["scale"])
    here.killed_after("effect", STEPS["scale"], undo=True)
    assert here.run(STEPS["scale"], undo=True).state is DONE
    assert here.done == {"scale": 2}


def test_an_undo_is_not_given_up_for_an_outage_but_for_a_person_who_has_taken_over(field: Make) -> None:
    here = field()
    here.run(STEPS["patch"])
    here.killed_after("intent", STEPS["patch"], undo=True)
    here.later(GIVE_UP_AFTER_S + 1)
    assert here.run(STEPS["patch"], undo=True).state is DONE
    assert not unschedulable(here)


def test_an_undo_of_yesterday_is_left_to_a_person(field: Make) -> None:
    here = field()
    here.run(STEPS["patch"])
    here.killed_after("intent", STEPS["patch"], undo=True)
    here.later(UNDO_GIVE_UP_AFTER_S + 1)
    assert here.run(STEPS["patch"], undo=True).state is FAILED
    assert unschedulable(here)
    assert here.outcomes() == ["succeeded", "undo_failed"]


# --- waiting for the turn -------------------------------------------------------------------------------------------


def look(here: Field) -> ClusterView:
    return ClusterViews(here.world.cluster, here.world.clock).take()


@pytest.mark.parametrize(
    ("wait", "after_s", "state"),
    [
        (None, 0, DONE),
        (WaitFor(condition="delay", delay_s=60), 59, WAITING),
        (WaitFor(condition="delay", delay_s=60), 60, DONE),
        (WaitFor(condition="pods_gone", pods=("uid-loner",), timeout_s=600), 599, WAITING),
        (WaitFor(condition="pods_gone", pods=("uid-loner",), timeout_s=600), 600, FAILED),
        (WaitFor(condition="pods_gone", pods=("uid-loner",), delay_s=60, timeout_s=600), 659, WAITING),
        (WaitFor(condition="pods_gone", pods=("uid-gone",), timeout_s=600), 0, DONE),
        (WaitFor(condition="pods_gone", pods=("uid-gone",), delay_s=60), 59, WAITING),
    ],
)
def test_a_step_begins_when_what_it_waits_for_holds(
    field: Make, wait: WaitFor | None, after_s: int, state: StepState
) -> None:
    step = STEPS["patch"].model_copy(update={"wait_for": wait})
    assert waiting_for(step, look(field()), START, START + timedelta(seconds=after_s)).state is state
