"""What a person sees of the story's cluster, by the API server's word alone."""

from __future__ import annotations

from collections.abc import Callable

from kube import Api, Json, condition
from servers import wait_for
from site_telemetry import KUEUE

from agent.evidence.nodes import CORDON_INCIDENT

PATIENCE_S = 180.0  # of a machine that does much else


class Seen:
    def __init__(self, api: Api) -> None:
        self.api = api

    def pods(self, job: str, namespace: str) -> list[Json]:
        """Of this job, those that nobody has deleted."""
        found = self.api.list("v1", "Pod", namespace, labelSelector=f"job-name={job}")
        alive = [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]
        return [{"apiVersion": "v1", "kind": "Pod", **pod} for pod in alive]

    def nodes_of(self, job: str, namespace: str) -> list[str]:
        """Where its pods run, a node for each pod."""
        running = [pod for pod in self.pods(job, namespace) if pod["status"].get("phase") == "Running"]
        return sorted(pod["spec"]["nodeName"] for pod in running)

    def waiting(self, job: str, namespace: str) -> list[Json]:
        """Its pods for which the scheduler has no node."""
        return [pod for pod in self.pods(job, namespace) if condition(pod, "PodScheduled") == "False"]

    def until_runs(self, job: str, namespace: str, pods: int, but_not_on: tuple[str, ...] = ()) -> list[str]:
        """Its nodes, once just so many pods of it run."""

        def runs() -> list[str] | None:
            found = self.nodes_of(job, namespace)
            return found if len(found) == pods and not set(found) & set(but_not_on) else None

        return wait_for(f"{pods} pods of {job} run", runs, PATIENCE_S)

    def until_waits(self, job: str, namespace: str, pods: int) -> list[Json]:
        def wait() -> list[Json] | None:
            found = self.waiting(job, namespace)
            return found if len(found) == pods else None

        return wait_for(f"{pods} pods of {job} wait for a node", wait, PATIENCE_S)

    def workload(self, job: str, namespace: str) -> Json:
        """Kueue's object for it."""

        def made() -> Json | None:
            for each in self.api.list(KUEUE, "Workload", namespace):
                if any(owner["name"] == job for owner in each["metadata"].get("ownerReferences", ())):
                    return {"apiVersion": KUEUE, "kind": "Workload", **each}
            return None

        return wait_for(f"Kueue knows {job}", made, PATIENCE_S)

    def until_workload(self, what: str, job: str, namespace: str, so: Callable[[Json], bool]) -> Json:
        def found() -> Json | None:
            workload = self.workload(job, namespace)
            return workload if so(workload) else None

        return wait_for(f"{job} {what}", found, PATIENCE_S)

    def until_node(self, what: str, name: str, so: Callable[[Json], bool]) -> Json:
        def found() -> Json | None:
            node = self.api.get("v1", "Node", name)
            return node if so(node) else None

        return wait_for(f"{name} {what}", found, PATIENCE_S)

    def until_gone(self, name: str, namespace: str) -> None:
        wait_for(f"{name} is gone", lambda: self.api.find("v1", "Pod", name, namespace) is None, PATIENCE_S)

    def replicas(self, stateful_set: str, namespace: str) -> int:
        return int(self.api.get("apps/v1", "StatefulSet", stateful_set, namespace)["spec"]["replicas"])


def cordoned(node: Json) -> bool:
    return bool(node["spec"].get("unschedulable"))


def holds_quota(workload: Json) -> bool:
    return condition(workload, "QuotaReserved") == "True"


def cordoned_for(node: Json) -> str:
    """The incident for which the agent has cordoned it, by its mark on the node."""
    return str(node["metadata"].get("annotations", {}).get(CORDON_INCIDENT, "")) if cordoned(node) else ""
