"""What stands between an agent and its API server: a proxy to meddle with, and a view that sees through it.

The API server is real. Watches are short, and so are the pauses between tries, so that what goes wrong shows soon.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bare_plane import bare_plane
from control_plane import ControlPlane
from kube import Json, Refused, reference
from live_world import Seen, node
from meddling_proxy import Instead, Proxy, Rule, proxied
from servers import wait_for

from agent.ports import ClusterUnavailable

LIVE = "agent.adapters.kubernetes.live"
NODES = "/api/v1/nodes"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with bare_plane(tmp_path_factory.mktemp("astray")) as running:
        running.api.create(node("there"))
        yield running


@pytest.fixture
def proxy(plane: ControlPlane, tmp_path: Path) -> Iterator[Proxy]:
    with proxied(plane, tmp_path) as made:
        yield made


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each a part of what it is in the product, and a watch still outlasts what is waited for at its beginning."""
    monkeypatch.setattr(f"{LIVE}.following.WATCH_S", 2)
    monkeypatch.setattr(f"{LIVE}.following.CAUGHT_UP_S", 0.5)
    monkeypatch.setattr(f"{LIVE}.following.SHORTEST_WATCH_S", 0.5)
    monkeypatch.setattr(f"{LIVE}.following.HEALED_WITHIN_S", 0.5)
    monkeypatch.setattr(f"{LIVE}.following.LONGEST_PAUSE_S", 0.5)
    monkeypatch.setattr(f"{LIVE}.watching.SILENCE_S", 2.0)


@pytest.fixture
def seen(proxy: Proxy, soon: None) -> Iterator[Seen]:
    made = Seen(proxy.kubeconfig)
    made.views.take()
    yield made
    made.close()


def blind(seen: Seen) -> str:
    """Why; empty where it sees."""
    try:
        seen.views.take()
    except ClusterUnavailable as fault:
        return str(fault)
    return ""


def only(part: str, said: Instead) -> Rule:
    return lambda method, path: said if part in path else None


def crd_of(group: str, kind: str, plural: str, *versions: str, namespaced: bool = True) -> Json:
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    served = [{"name": each, "served": True, "storage": each == versions[-1], "schema": anything} for each in versions]
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    spec = {"group": group, "scope": "Namespaced" if namespaced else "Cluster", "names": names, "versions": served}
    about = reference("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.{group}")
    return {**about, "spec": spec}


def create_served(plane: ControlPlane, thing: Json) -> None:
    def tried() -> bool:
        try:
            plane.api.create(thing)
        except (Refused, KeyError):
            return False
        return True

    wait_for("its CRD", tried)


def retire(plane: ControlPlane, crd: Json) -> None:
    """An API server tells of a CRD for a moment after it has gone, and whoever looks then misses it afterwards."""
    plane.api.delete(crd)
    group = crd["spec"]["group"]
    wait_for("it is told of no more", lambda: group not in [g["name"] for g in plane.api.ask("GET", "/apis")["groups"]])
