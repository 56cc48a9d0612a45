"""One object that the scheduler cannot make sense of is told and left out; everything else is foreseen as before."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "simulated"))

from world_builders import Json, node, pod

from agent.adapters.kubernetes.translate import translate
from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.adapters.scheduler.mapping import mapped
from agent.domain.cluster import ClusterView

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def view(*objects: Json) -> ClusterView:
    return translate(objects, NOW).view


def near(operator: str) -> Json:
    term = {"matchExpressions": [{"key": "zone", "operator": operator, "values": ["x"]}]}
    required = {"nodeSelectorTerms": [term]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}


ODD: list[dict[str, Any]] = [
    near("Near"),
    near("Gt"),
    {"affinity": "close to the window"},
    {"nodeSelector": ["gpu"]},
    {"tolerations": ["all"]},
]


def odd_pod(spec: dict[str, Any], on: str | None = None) -> Json:
    made = pod("odd", on)
    return {**made, "spec": {**made["spec"], **spec}}


@pytest.mark.parametrize("spec", ODD, ids=str)
def test_a_waiting_pod_with_odd_wishes_is_told_and_the_others_wait_on(spec: dict[str, Any]) -> None:
    told = mapped(view(node("n1"), odd_pod(spec), pod("fine")))
    assert [str(ref) for ref in told.left_out] == ["Pod/a/odd"]
    assert list(told.snapshot.waiting_pods) == ["a/fine"]


@pytest.mark.parametrize("spec", ODD, ids=str)
def test_a_running_pod_with_odd_wishes_keeps_its_gpus(spec: dict[str, Any]) -> None:
    """Else its node would look free, and somebody would be sent there."""
    told = mapped(view(node("n1"), odd_pod(spec, "n1"), pod("fine")))
    assert [str(ref) for ref in told.left_out] == ["Pod/a/odd"]
    forecast = SchedulerForecaster().what_if(view(node("n1"), odd_pod(spec, "n1")), [])
    assert forecast.gpus_free_before == 0


def test_it_is_told_once_and_again_when_it_changes() -> None:
    said: list[str] = []
    forecaster = SchedulerForecaster(odd=lambda ref, why: said.append(f"{ref}: {why}"))
    forecaster.what_if(view(node("n1"), odd_pod(near("Near"))), [])
    forecaster.what_if(view(node("n1"), odd_pod(near("Near"))), [])
    assert said == ["Pod/a/odd: Requirement 'zone': operator: 'Near' is unknown"]
    forecaster.what_if(view(node("n1"), odd_pod(near("Far"))), [])
    assert len(said) == 2
    forecaster.what_if(view(node("n1")), [])
    forecaster.what_if(view(node("n1"), odd_pod(near("Far"))), [])
    assert len(said) == 3


def test_two_nodes_by_one_hostname_are_two_nodes() -> None:
    one, two = node("n1"), node("n2")
    two["metadata"]["labels"]["kubernetes.io/hostname"] = "n1"
    told = mapped(view(one, two, pod("fine")))
    assert not told.left_out and sorted(told.snapshot.nodes) == ["n1", "n2"]
