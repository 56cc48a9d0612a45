"""Whatever the objects look like: the malformed are named, and the others are translated as if those were not there."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, strategies as st

from agent.adapters.kubernetes.translate import translate
from tests.tried import tried

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def owned_by(kind: str, name: str, api_version: str) -> list[dict[str, str]]:
    return [{"apiVersion": api_version, "kind": kind, "name": name, "uid": "u"}]


TEMPLATE = {"spec": {"containers": [{"image": "i", "resources": {"limits": {"nvidia.com/gpu": "8", "cpu": "1"}}}]}}
CONDITIONS = [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-02T08:00:00Z"}]
WORLD: list[Any] = [
    {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n"},
        "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]},
        "status": {"allocatable": {"nvidia.com/gpu": "8"}, "conditions": CONDITIONS},
    },
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "namespace": "a",
            "labels": {"app": "x"},
            "creationTimestamp": "2026-11-02T08:00:00Z",
            "ownerReferences": owned_by("Job", "j", "batch/v1"),
        },
        "spec": {"nodeName": "n", **TEMPLATE["spec"], "schedulingGroup": {"podGroupName": "g"}},
        "status": {
            "phase": "Running",
            "conditions": CONDITIONS,
            "containerStatuses": [{"state": {"waiting": {"reason": "x"}}}],
        },
    },
    {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "a", "labels": {"kueue.x-k8s.io/queue-name": "q"}},
        "spec": {"parallelism": 2, "completions": 2, "suspend": False, "template": TEMPLATE},
    },
    {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {"name": "w", "namespace": "a", "ownerReferences": owned_by("Job", "j", "batch/v1")},
        "spec": {
            "active": True,
            "priority": 3,
            "queueName": "q",
            "podSets": [{"count": 2, "minCount": 1, "template": TEMPLATE}],
        },
        "status": {"conditions": [{"type": "PodsReady", "status": "False"}]},
    },
    {
        "apiVersion": "scheduling.k8s.io/v1beta1",
        "kind": "PodGroup",
        "metadata": {"name": "g", "namespace": "a"},
        "spec": {"schedulingPolicy": {"gang": {"minCount": 2}}},
    },
    {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": "s", "namespace": "a"},
        "spec": {"replicatedJobs": [{"replicas": 2, "template": {"spec": {"parallelism": 2, "template": TEMPLATE}}}]},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "a", "annotations": {"watchkeeper.dev/class": "serving"}},
        "spec": {"replicas": 2, "template": TEMPLATE},
    },
    {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b", "namespace": "a"},
        "spec": {"minAvailable": "50%", "selector": {"matchLabels": {"app": "x"}}},
    },
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "annotations": {"k": "v"}}},
]

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.builds(list),
    st.builds(dict),
    st.builds(lambda: [1]),
)


@st.composite
def bent_worlds(draw: st.DrawFn) -> list[Any]:
    world = json.loads(json.dumps(WORLD))
    for _ in range(draw(st.integers(1, 3))):
        here = world
        while isinstance(here, dict | list) and here:
            key = draw(st.sampled_from(sorted(here))) if isinstance(here, dict) else draw(st.integers(0, len(here) - 1))
            if not isinstance(here[key], dict | list) or draw(st.integers(0, 3)) == 0:
                here[key] = draw(odd)
                break
            here = here[key]
    return world


@given(world=bent_worlds())
@tried(400, suppress_health_check=[HealthCheck.too_slow])
def test_the_malformed_are_named_and_the_others_stand(world: list[Any]) -> None:
    translation = translate(world, NOW)
    assert all(error.field and error.reason for error in translation.malformed)
    bad = [error.raw for error in translation.malformed]
    good = [raw for raw in world if not any(raw is one for one in bad)]
    assert translate(good, NOW) == type(translation)(translation.view, ())
    assert len(translation.view.objects) == len(good)


def test_the_unbent_world_is_whole() -> None:
    view = translate(WORLD, NOW).view
    assert len(view.objects) == len(WORLD)
    assert sorted(str(ref) for ref in view.gangs) == ["JobSet/a/s", "PodGroup/a/g", "Workload/a/w"]
