"""A lever that nobody would act on is not proposed; the rest is, and what takes something back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from step_field import NODE
from thread_house import House

from agent.domain.cluster import ObjectRef
from agent.domain.diagnosis import Diagnosis
from agent.domain.proposal import Proposal, Refusal
from agent.look import look_at, proposals
from agent.ports import Remedy

QUEUE = ObjectRef(api_version="kueue.x-k8s.io/v1beta2", kind="ClusterQueue", name="research")
MARKS = {"watchkeeper.dev/held-by": "watchkeeper"}
DIAGNOSIS = Diagnosis(
    incident="inc-1", cause="x", statement="x", source="playbook:x", playbook="x", confidence=0.9, evidence=()
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def made(house: House, action: str, target: ObjectRef, why: str, undoes: str | None = None) -> Proposal | Refusal:
    ports = replace(house.ports, unheeded=lambda ref: why if ref.group == QUEUE.group else "")
    remedy = Remedy(action=action, target=target, parameters={}, statement="x", on_refusal="stop", undoes=undoes)
    ((_, found),) = proposals([remedy], DIAGNOSIS, look_at("inc-1", ports), 0, ports)
    return found


def queue(house: House, **spec: str) -> None:
    about = {"name": QUEUE.name, "uid": "uid-research", "annotations": MARKS if spec else {}}
    house.world.apply({"apiVersion": QUEUE.api_version, "kind": QUEUE.kind, "metadata": about, "spec": spec})


def test_it_is_refused_with_the_reason_and_anything_else_is_not(house: House) -> None:
    queue(house)
    refused = made(house, "hold_queue", QUEUE, "Kueue is not at work: nobody answers")
    assert isinstance(refused, Refusal) and refused.code == "precondition.unheeded"
    assert refused.message == "hold_queue would do nothing: Kueue is not at work: nobody answers"
    assert isinstance(made(house, "cordon_node", NODE, "Kueue is not at work"), Proposal)
    assert isinstance(made(house, "hold_queue", QUEUE, ""), Proposal)


def test_what_takes_something_back_is_written_all_the_same(house: House) -> None:
    queue(house, stopPolicy="Hold")
    back = made(house, "hold_queue", QUEUE, "Kueue is not at work", undoes="inc-0/1")
    assert isinstance(back, Proposal)
