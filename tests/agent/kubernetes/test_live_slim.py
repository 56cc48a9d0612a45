"""What is kept of a followed object, and that what is alike is kept once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agent.adapters.kubernetes.live.slim import SHARED_AT_MOST, Shared, slim
from agent.adapters.kubernetes.translate import view_of
from tests.tried import tried

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, 2.5]) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def pod(name: str) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "app:1",
        "env": [{"name": "A", "value": "b"}],
        "command": ["run"],
        "resources": {"limits": {"nvidia.com/gpu": "8"}},
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        "livenessProbe": {"exec": {"command": ["true"]}},
    }
    ready = {"type": "Ready", "status": "True"}
    state = {"name": "main", "ready": True, "restartCount": 1, "imageID": "sha256:0", "state": {"running": {}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "a",
            "uid": f"uid-{name}",
            "resourceVersion": "7",
            "labels": {"app": "x"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes"},
            "managedFields": [{"manager": "kubelet"}],
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u"}],
        },
        "spec": {"nodeName": "n1", "containers": [container], "volumes": [{"name": "v"}], "priority": 5},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [ready], "containerStatuses": [state]},
    }


def test_the_pod_of_a_slim_object_is_the_pod_of_the_whole_one() -> None:
    without = {**pod("p"), "metadata": {**pod("p")["metadata"], "annotations": {"kept": "yes"}}}
    assert view_of([slim(pod("p"))], NOW).pods == view_of([without], NOW).pods


def test_what_nobody_reads_is_gone_and_what_tells_the_template_is_kept() -> None:
    kept = slim(pod("p"))
    assert "managedFields" not in kept["metadata"] and kept["metadata"]["annotations"] == {"kept": "yes"}
    assert set(kept["spec"]) == {"nodeName", "containers", "priority"}
    assert set(kept["spec"]["containers"][0]) == {"name", "image", "env", "command", "resources"}
    assert kept["status"]["containerStatuses"] == [
        {"name": "main", "ready": True, "restartCount": 1, "state": {"running": {}}}
    ]
    assert "podIP" not in kept["status"]


def test_templates_stay_whole_since_they_are_patched_and_rolled_back() -> None:
    template = {"spec": pod("x")["spec"]}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template}}
    assert slim(made)["spec"] == made["spec"]


def test_the_original_is_not_touched() -> None:
    whole = pod("p")
    slim(whole)
    assert whole == pod("p")


@pytest.mark.parametrize("wrong", ["text", 7, None, []])
def test_what_is_malformed_stays_malformed(wrong: Any) -> None:
    for field in ("metadata", "spec", "status"):
        assert slim({**pod("p"), field: wrong})[field] == wrong
    assert slim({**pod("p"), "spec": {"containers": [wrong]}})["spec"]["containers"] == [wrong]


def test_what_is_alike_is_one_object() -> None:
    shared = Shared()
    one, two = shared.of(slim(pod("p"))), shared.of(slim(pod("q")))
    assert one["spec"] is two["spec"] and one["metadata"] is not two["metadata"]
    assert one["metadata"]["labels"] is two["metadata"]["labels"]


@given(st.lists(JSON, max_size=6))
@tried(100)
def test_sharing_changes_nothing(values: list[Any]) -> None:
    shared = Shared()
    found = [shared.of(value) for value in values]
    assert [repr(each) for each in found] == [repr(each) for each in values]  # 1, 1.0 and True are three things


def test_sharing_ends_before_it_costs_more_than_it_saves() -> None:
    shared = Shared()
    for number in range(SHARED_AT_MOST + 10):
        shared.of(number)
    assert len(shared._parts) <= SHARED_AT_MOST + 1
