"""The contract of the Cluster port, held by a real API server: the same tests as the simulated one's, and some more.

On a control plane of our own nobody else works: no controllers, no scheduler. At somebody else's (`--kubeconfig`) they
do, and are waited for.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from cluster_contract import *  # noqa: F403 - the contract's tests and their fixtures
from control_plane import ControlPlane
from kube import reference
from servers import wait_for
from theirs import Theirs

from agent.adapters.kubernetes.live.access import Access
from agent.adapters.kubernetes.live.cluster import LiveCluster
from agent.adapters.kubernetes.rbac import rules
from agent.domain.cluster import ObjectRef
from agent.ports import Conflict, FieldConflict, Invalid, NotFound

_numbers = itertools.count(1)
QUIET_S = 1.0  # controllers answer a change within some hundred milliseconds


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    running = ControlPlane(tmp_path_factory.mktemp("bare"), scheduler=False, kwok=False)
    running.controllers.stop()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def cluster(anywhere: ControlPlane) -> Iterator[LiveCluster]:
    made = LiveCluster(Access(anywhere.admin), WallClock())
    yield made
    made.close()


@pytest.fixture
def namespace(anywhere: ControlPlane) -> Iterator[str]:
    """With the account that pods run as, which the controllers make where there are any."""
    about = {"generateName": f"watchkeeper-contract-{next(_numbers)}-"}
    name = anywhere.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": about})["metadata"]["name"]
    account = ("v1", "ServiceAccount", "default", name)
    if isinstance(anywhere, Theirs):
        anywhere.api.wait("the account of pods", *account, until=lambda found: True)
    else:
        anywhere.api.create(reference(*account))
    yield name
    if isinstance(anywhere, Theirs):  # what the agent's client made there besides
        for found in anywhere.api.list("v1", "Node"):
            if found["metadata"]["name"].startswith(f"{name}-"):
                anywhere.api.adopt(("v1", "Node", found["metadata"]["name"], ""))


@pytest.fixture
def settle(anywhere: ControlPlane) -> Callable[[ObjectRef], None]:
    """At somebody else's cluster: until the controllers have nothing more to write on it."""

    def wait(ref: ObjectRef) -> None:
        if not isinstance(anywhere, Theirs):
            return
        seen: list[tuple[str, float]] = [("", 0.0)]

        def quiet() -> bool:
            version = anywhere.api.get(ref.api_version, ref.kind, ref.name, ref.namespace or "")["metadata"]
            if version["resourceVersion"] != seen[0][0]:
                seen[0] = (version["resourceVersion"], time.monotonic())
            return time.monotonic() - seen[0][1] > QUIET_S

        wait_for(f"nobody writes on {ref} any more", quiet)

    return wait


def _map(namespace: str, **data: str) -> dict[str, object]:
    metadata = {"name": "settings", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _ref(namespace: str) -> ObjectRef:
    return ObjectRef(api_version="v1", kind="ConfigMap", namespace=namespace, name="settings")


def test_an_apply_makes_changes_and_takes_away_what_it_no_longer_names(cluster: LiveCluster, namespace: str) -> None:
    cluster.apply(_map(namespace, a="1", b="2"))
    cluster.apply(_map(namespace, a="3"))
    assert cluster.get(_ref(namespace))["data"] == {"a": "3"}
    managers = cluster.get(_ref(namespace))["metadata"]["managedFields"]
    assert [(each["manager"], each["operation"]) for each in managers] == [("watchkeeper", "Apply")]


def test_an_apply_over_anothers_field_is_refused_by_name_unless_forced(cluster: LiveCluster, namespace: str) -> None:
    cluster.apply(_map(namespace, a="1"), field_manager="somebody")
    with pytest.raises(FieldConflict) as refused:
        cluster.apply(_map(namespace, a="2"))
    assert list(refused.value.owners) == [".data.a"] and "somebody" in refused.value.owners[".data.a"]
    assert cluster.get(_ref(namespace))["data"] == {"a": "1"}
    assert cluster.apply(_map(namespace, a="2"), dry_run=True, force=True)["data"] == {"a": "2"}
    assert cluster.get(_ref(namespace))["data"] == {"a": "1"}
    cluster.apply(_map(namespace, a="2"), force=True)
    assert cluster.get(_ref(namespace))["data"] == {"a": "2"}


def test_a_delete_is_of_the_very_object_that_was_judged(cluster: LiveCluster, namespace: str) -> None:
    uid = cluster.create(_map(namespace, a="1"))["metadata"]["uid"]
    with pytest.raises(Conflict):
        cluster.delete(_ref(namespace), uid="00000000-0000-0000-0000-000000000000")
    cluster.delete(_ref(namespace), uid=uid, dry_run=True)
    assert cluster.get(_ref(namespace))["metadata"]["uid"] == uid
    cluster.delete(_ref(namespace), uid=uid)
    with pytest.raises(NotFound):
        cluster.delete(_ref(namespace), uid=uid)


def test_lists_longer_than_a_page_are_whole(
    cluster: LiveCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.adapters.kubernetes.live.paging.PAGE_OBJECTS", 3)
    for number in range(10):
        manifest = _map(namespace)
        cluster.create({**manifest, "metadata": {"name": f"m-{number}", "namespace": namespace}})
    found = cluster.list("v1", "ConfigMap", namespace=namespace)
    found = [each for each in found if each["metadata"]["name"] != "kube-root-ca.crt"]  # of the controllers
    assert [each["metadata"]["name"] for each in found] == [f"m-{number}" for number in range(10)]
    assert all((each["apiVersion"], each["kind"]) == ("v1", "ConfigMap") for each in found)


def test_what_is_not_served_is_not_found(cluster: LiveCluster) -> None:
    with pytest.raises(NotFound, match="is not served"):
        cluster.list("nobody.example/v1", "Thing")
    with pytest.raises(NotFound, match="is not served"):
        cluster.get(ObjectRef(api_version="batch/v1beta1", kind="CronJob", namespace="default", name="x"))


@pytest.mark.parametrize("manifest", [{}, {"apiVersion": "v1", "kind": "Pod"}, {"apiVersion": 1, "kind": "Pod"}])
def test_what_is_no_manifest_is_invalid(cluster: LiveCluster, manifest: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        cluster.create(manifest)


def test_every_right_of_ours_is_on_a_resource_that_this_server_knows_by_that_name(anywhere: ControlPlane) -> None:
    """CRDs are somebody else's to install; what Kubernetes serves itself must be spelled as it spells it."""
    served = set()
    for path in ("api/v1", *(f"apis/{group}" for group in _versions(anywhere))):
        group = "" if path == "api/v1" else path.split("/")[1]
        served |= {(group, each["name"]) for each in anywhere.api.ask("GET", f"/{path}")["resources"]}
    groups = {group for group, _ in served}
    ours = {(rule.right.group, rule.right.resource) for rule in rules() if rule.right.group in groups}
    assert len(ours) > 15 and ours - served == set()


def _versions(plane: ControlPlane) -> list[str]:
    return [v["groupVersion"] for g in plane.api.ask("GET", "/apis")["groups"] for v in g["versions"]]
