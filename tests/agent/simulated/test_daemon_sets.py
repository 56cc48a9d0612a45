"""DaemonSets, and what depends on the one that brings the exporters: the GPUs' series come and go with its pods."""

from typing import Any

import pytest
from test_behaviours import behaves, marked, playing
from world_builders import at, node, owned_by, pod, pod_ref, ref, running

from agent.adapters.simulated.world import World

Json = dict[str, Any]
LABELS = {"app.kubernetes.io/name": "dcgm-exporter"}
EXPORTERS = ref("apps/v1", "DaemonSet", "dcgm")


def exporters(**spec: Any) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "dcgm", "namespace": "a", "uid": "uid-dcgm"},
        "spec": {
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "exporter"}], **spec}},
        },
    }


def exporter(on: str) -> Json:
    made = pod(f"dcgm-{on}", on, exporters(), gpus=0, **LABELS)
    made["metadata"]["ownerReferences"] = owned_by(exporters())
    return made


def site(*more: Json) -> World:
    return playing(node("n1"), node("n2"), exporters(), pod("p", "n1", gpus=1), pod("q", "n2", gpus=1), *more)


def later(made: World, *seconds: int) -> None:
    for each in seconds:
        made.advance_to(at(each))


def seen(made: World, metric: str = "DCGM_FI_DEV_GPU_UTIL") -> dict[str, float]:
    """By pod, the highest that any of its GPUs shows."""
    found: dict[str, float] = {}
    for series in made.metrics.instant(f'{metric}{{pod=~".+"}}', made.clock.now()):
        name = series.labels["pod"]
        found[name] = max(found.get(name, 0), series.points[-1][1])
    return found


def test_a_pod_on_each_node_that_it_is_meant_for() -> None:
    tainted = node("n3")
    tainted["spec"] = {"taints": [{"key": "reserved", "value": "yes", "effect": "NoSchedule"}]}
    closed = node("n4")
    closed["spec"] = {"unschedulable": True}
    made = playing(node("n1"), tainted, closed, exporters(), until_s=10)
    assert sorted(running(made).values()) == ["n1", "n4"]
    made.apply(node("n5"))
    later(made, 20, 40)
    assert sorted(running(made).values()) == ["n1", "n4", "n5"]
    assert made.cluster.get(EXPORTERS)["status"]["desiredNumberScheduled"] == 3
    assert made.cluster.get(EXPORTERS)["status"]["numberReady"] == 3


def test_only_where_its_selector_points() -> None:
    chosen = node("n2")
    chosen["metadata"]["labels"]["gpu"] = "yes"
    made = playing(node("n1"), chosen, exporters(nodeSelector={"gpu": "yes"}), until_s=10)
    assert list(running(made).values()) == ["n2"]


def test_an_evicted_pod_comes_back_on_its_node() -> None:
    made = site(exporter("n1"), exporter("n2"))
    made.cluster.evict(pod_ref("dcgm-n1"))
    later(made, 15, 30)
    assert "dcgm-n1" not in running(made)
    assert sorted(node for name, node in running(made).items() if name.startswith("dcgm")) == ["n1", "n2"]


def test_a_restart_goes_from_node_to_node() -> None:
    made = site(exporter("n1"), exporter("n2"))
    template = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}
    made.cluster.patch(EXPORTERS, {"spec": {"template": template}})
    later(made, 3)
    assert len([name for name in running(made) if name.startswith("dcgm")]) == 1
    later(made, 60)
    there = [name for name in running(made) if name.startswith("dcgm")]
    assert len(there) == 2 and not {"dcgm-n1", "dcgm-n2"} & set(there)
    assert [each["revision"] for each in made.cluster.list("apps/v1", "ControllerRevision")] in ([1, 2], [2, 1])


def test_without_its_exporter_a_node_is_silent_until_it_is_back() -> None:
    made = site(exporter("n1"), exporter("n2"))
    assert seen(made).keys() == {"p", "q"}
    behaves(made, "Pod", "dcgm-n1", "crashes")
    later(made, 0, 5, 6, 120)
    assert seen(made).keys() == {"q"}
    made.cluster.evict(pod_ref("dcgm-n1"))
    later(made, 121, 140, 150)
    assert seen(made).keys() == {"p", "q"}


def test_a_stuck_exporter_repeats_what_was() -> None:
    made = site(exporter("n1"), exporter("n2"))
    was = seen(made)
    behaves(made, "Pod", "dcgm-n1", "repeats")
    later(made, 0)
    behaves(made, "Pod", "p", "idle")
    behaves(made, "Pod", "q", "idle")
    later(made, 15, 30)
    assert seen(made) == {"p": was["p"], "q": 0}
    made.cluster.evict(pod_ref("dcgm-n1"))
    later(made, 31, 45, 60)
    assert seen(made) == {"p": 0, "q": 0}


def test_a_counter_stuck_at_zero_contradicts_the_others() -> None:
    made = site(exporter("n1"), exporter("n2"))
    behaves(made, "Pod", "dcgm-n1", "reads-zero: DCGM_FI_PROF_GR_ENGINE_ACTIVE")
    later(made, 15, 30)
    assert seen(made, "DCGM_FI_PROF_GR_ENGINE_ACTIVE")["p"] == 0
    assert seen(made, "DCGM_FI_PROF_GR_ENGINE_ACTIVE")["q"] > 0.8
    assert seen(made)["p"] > 80


@pytest.mark.parametrize("status", [{}, {"numberReady": 2}])
def test_an_exporter_that_is_only_mentioned_silences_nobody(status: Json) -> None:
    said = {**exporters(), "status": status} if status else exporters()
    assert seen(playing(node("n1"), said, pod("p", "n1", gpus=1), until_s=60)).keys() == {"p"}


def test_what_the_timeline_tells_goes_on_without_any_exporter() -> None:
    made = site(marked(exporter("n1"), "crashes"), exporter("n2"))
    made.set_metrics('DCGM_FI_DEV_GPU_UTIL{gpu="0",Hostname="n1",namespace="a",pod="p"} 3\n')
    later(made, 0, 30)
    assert seen(made)["p"] == 3
