"""That nobody had frozen the agent a second ago will do for a decision, and for nothing else."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from thread_house import House

from agent.adapters.switch import ANNOTATION, LATELY_S, FreezeSwitch
from agent.domain.cluster import ObjectRef
from agent.ports import ClusterUnavailable, JsonObject, NotFound
from agent.trust import standing_now, stopped_by


class ConfigMap:
    """A cluster that has the one object, or not, and counts who asks."""

    def __init__(self) -> None:
        self.annotations: dict[str, str] | None = None
        self.away = False
        self.asked = 0

    def get(self, ref: ObjectRef) -> JsonObject:
        self.asked += 1
        if self.away:
            raise ClusterUnavailable("away")
        if self.annotations is None:
            raise NotFound("it is not there")
        return {"metadata": {"annotations": self.annotations}}


class Steady:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def cluster() -> ConfigMap:
    return ConfigMap()


@pytest.fixture
def clock() -> Steady:
    return Steady()


def switch(file: Path, cluster: ConfigMap, clock: Callable[[], float] | None) -> FreezeSwitch:
    return FreezeSwitch(file, cluster, "watchkeeper", "watchkeeper", steady=clock)  # type: ignore[arg-type]


def test_a_storm_of_decisions_asks_once_a_second(tmp_path: Path, cluster: ConfigMap, clock: Steady) -> None:
    made = switch(tmp_path / "freeze", cluster, clock)
    for _ in range(10):
        assert made.lately() is None
    assert cluster.asked == 1
    clock.now += LATELY_S * 1.01
    assert made.lately() is None
    assert cluster.asked == 2


def test_a_step_is_never_begun_on_an_old_answer(tmp_path: Path, cluster: ConfigMap, clock: Steady) -> None:
    made = switch(tmp_path / "freeze", cluster, clock)
    assert made.lately() is None
    cluster.annotations = {ANNOTATION: "true"}
    assert made.lately() is None
    assert made.frozen() == "annotation"
    assert made.lately() == "annotation", "who has just seen it set believes no older answer"


def test_a_decision_hears_of_it_within_the_second(tmp_path: Path, cluster: ConfigMap, clock: Steady) -> None:
    made = switch(tmp_path / "freeze", cluster, clock)
    assert made.lately() is None
    cluster.annotations = {ANNOTATION: ""}
    clock.now += LATELY_S
    assert made.lately() == "annotation"
    cluster.annotations = {}
    assert made.lately() is None, "and of its end at once"


def test_the_file_stops_decisions_at_once(tmp_path: Path, cluster: ConfigMap, clock: Steady) -> None:
    made = switch(tmp_path / "freeze", cluster, clock)
    assert made.lately() is None
    (tmp_path / "freeze").touch()
    assert made.lately() == "file"


def test_what_could_not_be_read_is_asked_again(tmp_path: Path, cluster: ConfigMap, clock: Steady) -> None:
    made = switch(tmp_path / "freeze", cluster, clock)
    assert made.lately() is None
    cluster.away = True
    with pytest.raises(ClusterUnavailable):
        made.frozen()
    with pytest.raises(ClusterUnavailable):
        made.lately()


def test_without_a_steady_clock_each_look_is_made_anew(tmp_path: Path, cluster: ConfigMap) -> None:
    made = switch(tmp_path / "freeze", cluster, None)
    assert [made.lately() for _ in range(3)] == [None, None, None]
    assert cluster.asked == 3


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_a_simulations_switch_keeps_nothing(house: House) -> None:
    found = house.ports.switch
    assert isinstance(found, FreezeSwitch)
    assert found._steady is None


class SetJustNow:
    """Set since the last decision."""

    def frozen(self) -> str | None:
        return "annotation"

    def lately(self) -> str | None:
        return None


def test_before_a_step_the_switch_itself_is_asked(house: House) -> None:
    ports = replace(house.ports, switch=SetJustNow())
    assert standing_now((), house.world.clock.now(), ports).frozen_at is None
    assert stopped_by(ports) == "a freeze (annotation)"
