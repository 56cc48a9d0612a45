"""The admission check within `watchkeeper run`: what /readyz and /metrics tell of it, and that nothing of it ends the
agent or keeps it from being ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.adapters.kueue.check_controller import AdmissionCheckController
from agent.adapters.simulated.world import World
from agent.cli.post import post_of
from agent.cli.turn import Turn, begin
from agent.config import Settings
from agent.ports import LedgerUnavailable

SCENARIO = Path(__file__).parents[3] / "scenarios" / "xid-79-under-a-gang.yaml"
NEW, GPU = "kueue.x-k8s.io/v1beta2", "nvidia.com/gpu"
ACTING = {"autonomy": {"default": "act"}}
Json = dict[str, Any]


def made(kind: str, name: str, spec: Json, **more: Any) -> Json:
    namespace = {"namespace": more.pop("namespace")} if "namespace" in more else {}
    return {"apiVersion": NEW, "kind": kind, "metadata": {"name": name, "uid": name, **namespace}, "spec": spec, **more}


def check() -> Json:
    return made("AdmissionCheck", "slo", {"controllerName": "watchkeeper.dev/gpu-slo"})


def waits(name: str = "waits", **admission: Any) -> Json:
    """Holds quota of a flavor of which no node is in trouble, and waits for the check."""
    since = {"lastTransitionTime": "2026-11-02T08:50:00Z", "reason": "x", "message": ""}
    container = {"name": "c", "image": "x", "resources": {"requests": {GPU: "1"}}}
    assigned = {"name": "main", "count": 1, "flavors": {GPU: "none-there"}, **admission}
    status = {
        "conditions": [{"type": "QuotaReserved", "status": "True", **since}],
        "admission": {"clusterQueue": "q", "podSetAssignments": [assigned]},
        "admissionChecks": [{"name": "slo", "state": "Pending", "message": "", **since}],
    }
    pod_set = {"name": "main", "count": 1, "template": {"spec": {"containers": [container]}}}
    return made("Workload", name, {"queueName": "q", "podSets": [pod_set]}, namespace="lab", status=status)


class House:
    def __init__(self, folder: Path, **settings: Any) -> None:
        given = {"policy_data": ACTING, "simulated_cluster": SCENARIO, "database": folder / "w.db"}
        self.post = post_of(Settings(world="simulated", **{**given, **settings}))
        self.turn: Turn = begin(self.post)
        self.turn.begun = True

    def there_are(self, *objects: Json) -> None:
        world = self.turn.ground.world
        assert isinstance(world, World)
        for each in objects:
            world.apply(each)

    def step(self) -> Json:
        self.turn.admission.step()
        return self.said

    @property
    def said(self) -> Json:
        assert self.turn.not_ready() is None
        return dict(self.turn.details()["admission_check"])  # type: ignore[call-overload, no-any-return]

    def measured(self, name: str, **labels: str) -> float:
        families = text_string_to_metric_families(self.post.telemetry.instruments.text().decode())
        return sum(
            s.value for f in families for s in f.samples if s.name == name and labels.items() <= s.labels.items()
        )

    def refused(self) -> list[Json]:
        return [dict(each.payload) for each in self.turn.agent.log.query(kind="refused")]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    begun: list[House] = []

    def make(**settings: Any) -> House:
        begun.append(House(tmp_path, **settings))
        return begun[-1]

    yield make
    for each in begun:
        each.turn.close()


def test_without_a_check_of_ours_there_is_nothing_to_do_and_the_agent_is_ready(house: Callable[..., House]) -> None:
    here = house()
    assert here.said == {"state": "not looked yet"}
    assert here.step() == {"state": "nothing to do", "why": "no AdmissionCheck names watchkeeper.dev/gpu-slo"}


def test_each_answer_is_counted_by_its_decision(house: Callable[..., House]) -> None:
    here = house()
    assert here.measured("watchkeeper_admission_checks_total", decision="reject") == 0  # each is there from the start
    flavor = made("ResourceFlavor", "none-there", {"nodeLabels": {"gpu": "none"}})
    here.there_are(check(), flavor, waits(), waits("lost", flavors={GPU: "gone"}))
    assert here.step() == {"state": "answers", "checks": ["slo"], "waiting": 1, "unread": 0}
    assert here.measured("watchkeeper_admission_checks_total", decision="allow") == 1
    assert here.measured("watchkeeper_admission_checks_total", decision="hold") == 1  # its flavor cannot be read
    assert here.measured("watchkeeper_admission_waiting_workloads") == 1


def test_by_setting_it_is_off(house: Callable[..., House]) -> None:
    here = house(admission_check=False)
    here.there_are(check(), waits())
    assert here.step() == {"state": "off", "why": "admission_check is false"}
    assert list(here.turn.agent.log.query(kind="admission_check")) == []


def test_who_observes_says_so(house: Callable[..., House]) -> None:
    assert house(observe=True).step()["state"] == "observes"


@pytest.mark.parametrize("fault", [LedgerUnavailable("the disk is full"), RuntimeError("nobody foresaw it")])
def test_what_goes_wrong_is_told_and_counted_and_looked_at_again(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    here = house()
    here.there_are(check())

    def fails(_: Any) -> None:
        raise fault

    with monkeypatch.context() as broken:
        broken.setattr(AdmissionCheckController, "step", fails)
        said = here.step()
    assert said["state"] == "fails" and str(fault) in said["why"]
    assert here.measured("watchkeeper_faults_total", place="admission_check") == 1
    assert [each["place"] for each in here.refused()] == (
        [] if isinstance(fault, LedgerUnavailable) else ["admission_check"]
    )
    assert here.step()["state"] == "answers"


def test_an_object_that_nobody_can_read_is_counted_and_the_others_are_answered(house: Callable[..., House]) -> None:
    here = house()
    here.there_are(check(), waits("odd", count="many"), waits("other", flavors={GPU: "gone"}))
    assert here.step() == {"state": "answers", "checks": ["slo"], "waiting": 2, "unread": 1}
    assert [each["place"] for each in here.refused()] == ["Workload/lab/odd"]
    assert here.step()["unread"] == 1 and len(here.refused()) == 1  # told once
