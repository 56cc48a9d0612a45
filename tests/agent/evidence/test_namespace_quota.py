"""What a ResourceQuota leaves to a namespace, and that a service is not grown past it."""

from typing import Any

import pytest

from agent.evidence.namespace_quota import replicas_left
from evidence.field import Cluster, cluster


def site(hard: dict[str, Any], used: dict[str, Any] | None = None, **spec: Any) -> Cluster:
    where = cluster().nodes("gpu-1").deployment("chat", on=["gpu-1", "gpu-1"], gpus=2)
    status = {"status": {"hard": hard, "used": used}} if used is not None else {}
    return where._add("v1", "ResourceQuota", "gpus", "lab", {"spec": {"hard": hard, **spec}, **status})


GPUS = "requests.nvidia.com/gpu"


@pytest.mark.parametrize(
    ("where", "left"),
    [
        (cluster().nodes("gpu-1"), None),
        (site({"cpu": "10"}, {"cpu": "10"}), None),
        (site({GPUS: "8"}, {GPUS: "4"}), 2),
        (site({GPUS: "5"}, {GPUS: "4"}), 0),
        (site({GPUS: "4"}, {GPUS: "9"}), 0),
        (site({GPUS: "8"}), 2),
        (site({GPUS: "100", "pods": "3"}, {GPUS: "4", "pods": "2"}), 1),
        (site({GPUS: "1k"}, {GPUS: "4"}), 498),
        (site({GPUS: "4"}, {GPUS: "4"}, scopes=["Terminating"]), None),
    ],
)
def test_how_many_replicas_a_quota_leaves(where: Cluster, left: int | None) -> None:
    assert replicas_left(where.view(), "lab", 2)[0] == left


def test_another_namespace_is_not_held_by_it_and_the_tightest_is_named() -> None:
    where = site({GPUS: "4", "pods": "9"}, {GPUS: "4", "pods": "2"})
    assert replicas_left(where.view(), "media", 2) == (None, "")
    assert replicas_left(where.view(), "lab", 2) == (0, f"ResourceQuota/lab/gpus leaves 0 of {GPUS}")
