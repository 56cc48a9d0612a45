"""A Kueue that is set up otherwise than by default: the forecast that knows its configuration says what it then does.

The real controller transforms GPUs into memory of accelerators, ignores a prefix of resources and shares fairly; the
ConfigMap says so, as an installation has it. Without it the forecast goes by Kueue's defaults, and is wrong here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from control_plane import ControlPlane
from fake_nodes import make_nodes
from gangs_for_real import GPU, KUEUE
from kube import Api, Json, condition, reference
from kueue_server import Kueue
from live_world import Seen, WallClock, ref
from servers import wait_for

from agent.adapters.kueue.configuration import FILE, READ, KueueConfiguration
from agent.adapters.kueue.rules import TO_THE_LETTER
from agent.adapters.scheduler.forecaster import SchedulerForecaster
from scheduler_core.settings import FairStrategy

MEMORY, NIC = "example.org/gpu-memory", "example.com/nic"
SETTINGS: Json = {
    "resources": {
        "excludeResourcePrefixes": ["example.com/"],
        "transformations": [{"input": GPU, "strategy": "Replace", "outputs": {MEMORY: "80Gi"}}],
    },
    "fairSharing": {"preemptionStrategies": ["LessThanInitialShare"]},
}
ROOM, QUEUE = "configured", "configured"
QUEUE_REF = ref(KUEUE, "ClusterQueue", QUEUE)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    running = ControlPlane(tmp_path_factory.mktemp("configured"), scheduler=False)
    running.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ROOM}})
    Kueue(running, **SETTINGS)
    said = {"apiVersion": "config.kueue.x-k8s.io/v1beta2", "kind": "Configuration", **SETTINGS}
    about = {"name": "kueue-manager-config", "namespace": "kueue-system"}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {FILE: yaml.safe_dump(said)}}
    running.api.apply(made)
    for name in make_nodes(running.api, 2, prefix="configured"):
        nics = {"capacity": {NIC: "8"}, "allocatable": {NIC: "8"}}
        running.api.merge(reference("v1", "Node", name), {"status": nics}, "status")
    yield running
    running.stop()


def workload(name: str, **requests: str) -> Json:
    """In the queue, and served by nobody but it."""
    asked = {key.replace("__", "/").replace("_", "."): value for key, value in requests.items()}
    container = {"name": "c", "image": "pause", "resources": {"requests": asked, "limits": asked}}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"queueName": QUEUE, "podSets": [{"name": "main", "count": 1, "template": template}]}
    return {**reference(KUEUE, "Workload", name, ROOM), "spec": spec}


@pytest.fixture(scope="module")
def waiting(plane: ControlPlane) -> list[str]:
    """Before a queue that is shut: room for eight GPUs' memory, and for no GPU."""
    quota = [{"name": MEMORY, "nominalQuota": "640Gi"}, {"name": "cpu", "nominalQuota": "100"}]
    group = {"coveredResources": [MEMORY, "cpu"], "flavors": [{"name": QUEUE, "resources": quota}]}
    spec = {"namespaceSelector": {}, "resourceGroups": [group], "stopPolicy": "Hold"}
    laid = (
        {**reference(KUEUE, "ResourceFlavor", QUEUE), "spec": {}},
        {**reference(KUEUE, "ClusterQueue", QUEUE), "spec": spec},
        {**reference(KUEUE, "LocalQueue", QUEUE, ROOM), "spec": {"clusterQueue": QUEUE}},
        workload("a", nvidia_com__gpu="4", example_com__nic="1", cpu="1"),
        workload("b", nvidia_com__gpu="5", cpu="1"),
        workload("c", nvidia_com__gpu="4", cpu="1"),
        workload("d", cpu="1", memory="1Gi"),
    )
    for each in laid:
        plane.api.apply(each)
        if each["kind"] == "Workload":
            about = (KUEUE, "Workload", each["metadata"]["name"], ROOM)
            plane.api.wait("Kueue has seen it", *about, until=lambda w: (w.get("status") or {}).get("conditions"))
    return [each["metadata"]["name"] for each in laid if each["kind"] == "Workload"]


def foreseen(seen: Seen, kueue: Any) -> set[str]:
    told = SchedulerForecaster(kueue=kueue).what_if(seen.views.take(), [{"stop": QUEUE_REF, "policy": "None"}])
    return {name.rpartition("/")[2] for name in told.gangs_started}


def admitted(api: Api) -> set[str]:
    return {w["metadata"]["name"] for w in api.list(KUEUE, "Workload", ROOM) if condition(w, "QuotaReserved") == "True"}


def test_the_forecast_goes_by_the_configuration_and_so_does_kueue(plane: ControlPlane, waiting: list[str]) -> None:
    seen, told = Seen(plane.admin), list[str]()
    configuration = KueueConfiguration(seen.cluster, WallClock(), lambda door, place, why: told.append(why))
    try:
        seen.until("all are seen", lambda view: {each.name for each in view.gangs} >= set(waiting))
        rules_read = configuration.rules()
        assert configuration.standing()["configuration"] == READ and told == []
        assert rules_read.fair_sharing and rules_read.fair_strategies == (FairStrategy.INITIAL_SHARE,)
        before, by_default = foreseen(seen, configuration.rules), foreseen(seen, lambda: TO_THE_LETTER)
        plane.api.merge(reference(KUEUE, "ClusterQueue", QUEUE), {"spec": {"stopPolicy": "None"}})
        wait_for("Kueue lets in", lambda: len(admitted(plane.api)) >= len(before))
        assert before == admitted(plane.api) == {"a", "c"}
        assert by_default == set()  # nobody would have been foreseen
    finally:
        seen.close()


def test_what_may_not_be_read_is_told_once_and_the_defaults_are_gone_by(plane: ControlPlane) -> None:
    told: list[str] = []
    seen = Seen(plane.as_account("configured-none", []))
    configuration = KueueConfiguration(seen.cluster, WallClock(), lambda door, place, why: told.append(why))
    try:
        assert [configuration.rules() for _ in range(2)] == [TO_THE_LETTER] * 2
    finally:
        seen.close()
    assert len(told) == 1 and "kueue-manager-config" in told[0] and "forbidden" in told[0]
