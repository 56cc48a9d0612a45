"""What the tests of the live world share: a clock that a test may set wrong, and the agent's own way to the API."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kube import Api
from servers import wait_for

from agent.adapters.kubernetes.fields import MalformedObject
from agent.adapters.kubernetes.live.access import Access
from agent.adapters.kubernetes.live.cluster import LiveCluster
from agent.adapters.kubernetes.views import ClusterViews
from agent.domain.cluster import ClusterView, ObjectRef

Json = dict[str, Any]
NOBODY = "tests.watchkeeper.dev"  # as a scheduler


class WallClock:
    """`ahead` of the true time."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Seen:
    """A live cluster with a view of it, and what either said that somebody should know."""

    def __init__(self, kubeconfig: Path, clock: WallClock | None = None) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.malformed: list[MalformedObject] = []
        self.clock = clock or WallClock()
        self.cluster = LiveCluster(Access(kubeconfig), self.clock, told=lambda *said: self.told.append(said))
        self.views = ClusterViews(self.cluster, self.clock, on_malformed=self.malformed.append)

    def until(self, what: str, look: Callable[[ClusterView], object]) -> ClusterView:
        """The first view of which that is so."""
        return wait_for(what, lambda: (view if look(view) else None) if (view := self.views.take()) else None)

    def close(self) -> None:
        self.cluster.close()


def ref(api_version: str, kind: str, name: str, namespace: str | None = None) -> ObjectRef:
    return ObjectRef(api_version=api_version, kind=kind, namespace=namespace, name=name)


def pod(namespace: str, name: str, **spec: Any) -> Json:
    """No scheduler knows it for its own: on no cluster is anything pulled or started."""
    container = {"name": "main", "image": "registry.internal/app:1"}
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    spec = {"containers": [container], "schedulerName": NOBODY, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def settled(api: Api, name: str, replicas: int, namespace: str = "default") -> None:
    """Its controller has written what it makes of it, and no write of ours meets that one."""
    api.wait(
        "it has settled", "apps/v1", "Deployment", name, namespace,
        until=lambda d: d.get("status", {}).get("unavailableReplicas") == replicas,
    )  # fmt: skip


def deployment(namespace: str, name: str, replicas: int = 1) -> Json:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod(namespace, name)["spec"]}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def node(name: str, **spec: Any) -> Json:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}
