"""How long a look ahead takes on a large cluster: the first question about a view, and each one after it.

    python benchmarks/what_if.py --nodes 1000

One line, in CPU seconds: reading the view, the first answer (with what happens anyway), the median of those after it.
"""

import argparse
import time
from datetime import UTC, datetime
from typing import Any

from agent.adapters.kubernetes.translate import view_of
from agent.adapters.scheduler.forecaster import SchedulerForecaster
from agent.domain.cluster import ObjectRef

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
OURS = "watchkeeper.dev/v1alpha1"
GANG_PODS = 8
WAITING_SHARE = 0.1  # gangs that wait, of those that run
QUESTIONS = 10
PRIORITIES = 3
Json = dict[str, Any]


def cluster(nodes: int) -> list[Json]:
    """Every node full: seven eighths of them with gangs of eight nodes, the rest with services of two GPUs a pod."""
    made = [_node(f"gpu-{i}") for i in range(nodes)]
    quota = {"flavor": "default", "resource": "nvidia.com/gpu", "nominal": nodes * 8}
    made.append(_object(OURS, "Queue", "q", None, spec={"quotas": [quota]}))
    gangs = nodes * 7 // 8 // GANG_PODS
    for index in range(gangs + int(gangs * WAITING_SHARE)):
        made.append(_gang(f"gang-{index}", index % PRIORITIES))
        if index < gangs:
            nodes_of = range(index * GANG_PODS, (index + 1) * GANG_PODS)
            made += [_pod(f"gang-{index}-{i}", f"gpu-{i}", "Gang", OURS, f"gang-{index}", 8) for i in nodes_of]
    for index in range(gangs * GANG_PODS, nodes):
        made.append(_object("apps/v1", "Deployment", f"web-{index}", "a", spec={"replicas": 4}))
        made += [_pod(f"web-{index}-{i}", f"gpu-{index}", "Deployment", "apps/v1", f"web-{index}", 2) for i in range(4)]
    return made


def _node(name: str) -> Json:
    status = {"allocatable": {"nvidia.com/gpu": "8"}, "conditions": [{"type": "Ready", "status": "True"}]}
    return _object("v1", "Node", name, None, spec={}, status=status)


def _gang(name: str, priority: int) -> Json:
    sets = [{"name": "worker", "count": GANG_PODS, "template": {"spec": _spec(8)}}]
    return _object(OURS, "Gang", name, "a", spec={"queue": "q", "priority": priority, "podSets": sets})


def _pod(name: str, node: str, kind: str, version: str, owner: str, gpus: int) -> Json:
    by = {"apiVersion": version, "kind": kind, "name": owner, "controller": True}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    spec = {"nodeName": node, **_spec(gpus)}
    return _object("v1", "Pod", name, "a", metadata={"ownerReferences": [by]}, spec=spec, status=status)


def _spec(gpus: int) -> Json:
    return {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}]}


def _object(version: str, kind: str, name: str, namespace: str | None, **parts: Any) -> Json:
    place = {"namespace": namespace} if namespace else {}
    metadata = {"name": name, **place, **parts.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **parts}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--nodes", type=int, default=1000)
    nodes = asked.parse_args().nodes
    begun = time.process_time()
    view = view_of(cluster(nodes), NOW)
    read_s = time.process_time() - begun
    forecaster, times = SchedulerForecaster(), []
    for index in range(QUESTIONS):
        gang = ObjectRef(api_version=OURS, kind="Gang", namespace="a", name=f"gang-{index}")
        begun = time.process_time()
        forecaster.what_if(view, [{"requeue": gang, "exclude_nodes": [f"gpu-{index * GANG_PODS}"]}])
        times.append(time.process_time() - begun)
    further_s = sorted(times[1:])[len(times[1:]) // 2]
    print(
        f"{nodes} nodes, {len(view.pods)} pods, {len(view.gangs)} gangs: "
        f"view {read_s:.2f} s, first answer {times[0]:.2f} s, further answers {further_s:.3f} s (median)"
    )


if __name__ == "__main__":
    main()
