"""A step that writes a whole list anew is for the object as it was looked at: what a person wrote since stays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from step_field import SERVER, Field, proposal

from agent.domain.cluster import ObjectRef
from agent.domain.proposal import Step, Verb
from agent.effects import StepState
from agent.ports import Boundaries

QUEUE = ObjectRef(api_version="watchkeeper.dev/v1alpha1", kind="Queue", namespace=None, name="research")
MANIFEST = {
    "apiVersion": QUEUE.api_version,
    "kind": QUEUE.kind,
    "metadata": {"name": QUEUE.name, "uid": "uid-research"},
    "spec": {"quotas": [{"flavor": "h200", "resource": "nvidia.com/gpu", "nominal": 32}]},
}


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    made = Field(tmp_path, MANIFEST)
    yield made
    made.close()


def quotas(nominal: int) -> dict[str, Any]:
    return {"spec": {"quotas": [{"flavor": "h200", "resource": "nvidia.com/gpu", "nominal": nominal}]}}


def step(field: Field) -> Step:
    version = field.world.cluster.get(QUEUE)["metadata"]["resourceVersion"]
    body, undo = quotas(24), quotas(32)
    return Step(
        verb=Verb.PATCH, target=QUEUE, body=body, uid="uid-research", version=version, seen=quotas(32), undo=undo
    )


def a_person_writes(field: Field) -> None:
    field.world.cluster.patch(QUEUE, quotas(48), field_manager="kubectl-edit")


def there(field: Field) -> Any:
    return field.world.cluster.get(QUEUE)["spec"]["quotas"][0]["nominal"]


class BetweenIntentAndEffect(Boundaries):
    def __init__(self, field: Field) -> None:
        self._field = field

    def reached(self, name: str) -> None:
        if name == "intent":
            a_person_writes(self._field)


def test_nothing_between_it_is_done_and_taken_back(field: Field) -> None:
    looked_at = step(field)
    assert field.run(looked_at).state is StepState.DONE
    assert there(field) == 24
    assert field.run(looked_at, undo=True).state is StepState.DONE
    assert there(field) == 32


def test_changed_before_the_dry_run_it_waits_for_a_fresh_look(field: Field) -> None:
    looked_at = step(field)
    a_person_writes(field)
    assert field.run(looked_at).state is StepState.WAITING
    assert there(field) == 48
    assert field.kinds() == []
    assert field.run(step(field)).state is StepState.DONE


def test_changed_after_the_intent_it_has_failed_on_the_record(field: Field) -> None:
    failed = field.run(step(field), boundaries=BetweenIntentAndEffect(field))
    assert failed.state is StepState.FAILED and "changed since the look" in failed.detail
    assert there(field) == 48
    assert field.outcomes() == ["failed"]


def test_what_a_person_wrote_since_is_not_taken_back(field: Field) -> None:
    looked_at = step(field)
    assert field.run(looked_at).state is StepState.DONE
    a_person_writes(field)
    back = field.run(looked_at, undo=True)
    assert back.state is StepState.FAILED and "spec.quotas[0].nominal reads 48 now, not 24" in back.detail
    assert there(field) == 48 and field.outcomes() == ["succeeded", "undo_failed"]


def test_what_a_person_wrote_beside_it_stays_when_it_is_taken_back(field: Field) -> None:
    looked_at = step(field)
    assert field.run(looked_at).state is StepState.DONE
    field.world.cluster.patch(QUEUE, {"spec": {"cohort": "all"}}, field_manager="kubectl-edit")
    assert field.run(looked_at, undo=True).state is StepState.DONE
    after = field.world.cluster.get(QUEUE)["spec"]
    assert there(field) == 32 and after["cohort"] == "all"


# -- numbers -----------------------------------------------------------------------------------------------------------

SCALE = Step(verb=Verb.SCALE, target=SERVER, body={"replicas": 0}, seen={"replicas": 2}, undo={"replicas": 2})


def replicas(field: Field) -> Any:
    return field.world.cluster.get(SERVER)["spec"]["replicas"]


def test_a_number_that_is_another_by_now_is_left_alone(field: Field) -> None:
    field.world.cluster.scale(SERVER, 5)
    assert field.run(SCALE).state is StepState.WAITING  # and is judged anew before its first step
    assert replicas(field) == 5 and field.kinds() == []


def test_a_number_that_changes_after_the_intent_fails_on_the_record(field: Field) -> None:
    class Between(Boundaries):
        def reached(self, name: str) -> None:
            if name == "intent":
                field.world.cluster.scale(SERVER, 5)

    failed = field.run(SCALE, boundaries=Between())
    assert failed.state is StepState.FAILED and "is to have 5 replicas now, not 2" in failed.detail
    assert replicas(field) == 5 and field.outcomes() == ["failed"]


def test_a_number_is_only_taken_back_while_it_stands(field: Field) -> None:
    assert field.run(SCALE).state is StepState.DONE
    field.world.cluster.scale(SERVER, 5)
    back = field.run(SCALE, undo=True)
    assert back.state is StepState.FAILED and "5 replicas now, not 0" in back.detail
    assert replicas(field) == 5


def test_which_look_it_was_made_from_is_no_part_of_what_people_approve(field: Field) -> None:
    bare = SCALE.model_copy(update={"seen": None})
    assert proposal(SCALE).digest == proposal(bare).digest
