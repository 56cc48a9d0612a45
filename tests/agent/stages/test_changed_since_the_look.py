"""A step that writes a whole list anew is for the object as it was looked at: what a person wrote since stays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from step_field import Field

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
    return Step(verb=Verb.PATCH, target=QUEUE, body=quotas(24), uid="uid-research", version=version, undo=quotas(32))


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
