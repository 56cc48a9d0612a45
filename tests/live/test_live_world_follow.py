"""The cluster followed while things go wrong: what is seen is what is so, or it is said that nothing is seen."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from bare_plane import *  # noqa: F403
from control_plane import ControlPlane
from kube import Json, Refused, reference
from live_world import Seen, WallClock, deployment, node, pod, ref
from servers import wait_for

from agent.ports import ClusterUnavailable

READS = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
WRITES = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]


@contextmanager
def seeing(kubeconfig: Path, clock: WallClock | None = None) -> Iterator[Seen]:
    seen = Seen(kubeconfig, clock)
    try:
        yield seen
    finally:
        seen.close()


@pytest.fixture
def seen(plane: ControlPlane) -> Iterator[Seen]:
    with seeing(plane.admin) as made:
        made.views.take()
        yield made


def test_what_others_do_is_seen_soon_and_what_we_do_at_once(plane: ControlPlane, seen: Seen) -> None:
    plane.api.create(pod("default", "others"))
    seen.until("the pod of others", lambda view: ("default", "others") in view.pods)
    seen.cluster.create(pod("default", "ours"))
    assert ("default", "ours") in seen.views.take().pods
    seen.cluster.patch(ref("v1", "Pod", "ours", "default"), {"metadata": {"labels": {"a": "b"}}})
    assert seen.views.take().pods["default", "ours"].labels["a"] == "b"
    plane.api.delete(reference("v1", "Pod", "others", "default"))
    seen.cluster.delete(ref("v1", "Pod", "ours", "default"))
    seen.until("both gone", lambda view: not {("default", "others"), ("default", "ours")} & set(view.pods))


def test_a_scale_is_seen_at_once(plane: ControlPlane, seen: Seen) -> None:
    seen.cluster.create(deployment("default", "scaled"))
    seen.cluster.scale(ref("apps/v1", "Deployment", "scaled", "default"), 3)
    web = ref("apps/v1", "Deployment", "scaled", "default")
    assert seen.views.take().workloads[web].replicas == 3
    seen.cluster.delete(web)


def test_while_the_server_is_away_nothing_is_seen_and_then_everything_that_happened(
    plane: ControlPlane, seen: Seen
) -> None:
    plane.api.create(node("before"))
    seen.until("the node", lambda view: "before" in view.nodes)
    plane.api_server.kill()
    try:
        wait_for("a look that says so", lambda: _blind(seen))
    finally:
        plane.api_server.start()
    plane.api.create(node("after"))
    wait_for("the new node", lambda: not _blind(seen) and "after" in seen.views.take().nodes)
    assert "before" in seen.views.take().nodes


def test_a_history_that_etcd_has_forgotten_is_made_up_for_by_a_list(plane: ControlPlane, seen: Seen) -> None:
    plane.api.create(node("forgotten"))
    seen.until("the node", lambda view: "forgotten" in view.nodes)
    plane.api_server.kill()
    plane.api_server.start()
    plane.api_server.kill()  # before the followers are back: what follows happens behind their backs
    plane.api_server.start()
    plane.api.delete(reference("v1", "Node", "forgotten"))
    plane.compact()
    plane.restart_api_server()
    wait_for("the node is gone", lambda: not _blind(seen) and "forgotten" not in seen.views.take().nodes)


def test_an_etcd_that_was_restored_from_a_backup_is_read_anew(plane: ControlPlane, seen: Seen, tmp_path: Path) -> None:
    """Its versions count on from an earlier one: a watch from ours would wait for what is long past."""
    plane.api.create(node("kept"))
    etcd, backup = plane.folder / "etcd", tmp_path / "backup"
    plane.etcd.stop()
    shutil.copytree(etcd, backup)
    plane.etcd.start()
    plane.restart_api_server()
    plane.api.create(node("lost"))
    for number in range(20):
        plane.api.merge(reference("v1", "Node", "lost"), {"metadata": {"labels": {"a": str(number)}}})
    seen.until("both nodes", lambda view: {"kept", "lost"} <= set(view.nodes))
    plane.api_server.kill()
    plane.etcd.stop()
    shutil.rmtree(etcd)
    shutil.copytree(backup, etcd)
    plane.etcd.start()
    plane.api_server.start()
    wait_for("the lost node is gone", lambda: not _blind(seen) and "lost" not in seen.views.take().nodes)
    assert "kept" in seen.views.take().nodes
    plane.api.create(node("new"))
    seen.until("the new node", lambda view: "new" in view.nodes)


def _blind(seen: Seen) -> bool:
    try:
        seen.views.take()
    except ClusterUnavailable as fault:
        return "not followed now" in str(fault)
    return False


def test_a_frozen_server_ends_a_write_within_its_time(plane: ControlPlane, seen: Seen) -> None:
    plane.api.create(node("frozen"))
    seen.until("the node", lambda view: "frozen" in view.nodes)
    plane.api_server.freeze()
    try:
        begun = time.monotonic()
        with pytest.raises(ClusterUnavailable):
            seen.cluster.patch(ref("v1", "Node", "frozen"), {"spec": {"unschedulable": True}})
        assert time.monotonic() - begun < 7.0
    finally:
        plane.api_server.thaw()
    wait_for("the server answers again", lambda: not _blind(seen))


def test_a_crd_that_comes_is_followed_and_one_that_goes_takes_its_objects_along(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.adapters.kubernetes.live.following.UNSERVED_RETRY_S", 1.0)
    monkeypatch.setattr("agent.adapters.kubernetes.live.discovery.ASK_AGAIN_S", 0.5)
    with seeing(plane.admin) as seen:
        assert not seen.views.take().gangs
        crd = _crd("watchkeeper.dev", "v1alpha1", "Gang", "gangs")
        plane.api.create(crd)
        _established(plane, crd)
        gang = {
            "apiVersion": "watchkeeper.dev/v1alpha1",
            "kind": "Gang",
            "metadata": {"name": "g", "namespace": "default"},
        }
        wait_for("it is served", lambda: _created(plane, {**gang, "spec": {"podSets": [{"name": "main", "count": 2}]}}))
        seen.until("the gang", lambda view: [each.minimum for each in view.gangs.values()] == [2])
        plane.api.delete(crd)
        wait_for("the gang is gone", lambda: not _blind(seen) and not seen.views.take().gangs)


def _created(plane: ControlPlane, thing: Json) -> bool:
    """An API server serves a CRD a little after it says that it does."""
    try:
        plane.api.create(thing)
    except Refused:
        return False
    return True


def _crd(group: str, version: str, kind: str, plural: str) -> dict[str, object]:
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    served = {"name": version, "served": True, "storage": True, "schema": anything}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [served]}
    about = {"name": f"{plural}.{group}"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": about,
        "spec": spec,
    }


def _established(plane: ControlPlane, crd: dict[str, object]) -> None:
    about = crd["metadata"]
    assert isinstance(about, dict)
    plane.api.wait(
        "the CRD", "apiextensions.k8s.io/v1", "CustomResourceDefinition", about["name"],
        until=lambda found: any(
            c["type"] == "Established" and c["status"] == "True"
            for c in (found.get("status") or {}).get("conditions") or ()
        ),
    )  # fmt: skip


def test_an_expired_token_is_read_again_and_nothing_is_lost(plane: ControlPlane) -> None:
    kubeconfig = plane.as_account("short", WRITES, lasts=timedelta(seconds=8))
    with seeing(kubeconfig) as seen:
        seen.views.take()
        old = kubeconfig.read_text()
        fresh = plane.token("short")
        kubeconfig.write_text(old.replace(_token_in(old), fresh))
        time.sleep(10)  # a kubelet writes the new one long before the old one ends
        made = seen.cluster.create(pod("default", "late"))
        assert made["metadata"]["uid"]
        seen.until("the pod", lambda view: ("default", "late") in view.pods)
        seen.cluster.delete(ref("v1", "Pod", "late", "default"))


def _token_in(kubeconfig: str) -> str:
    return next(line.split(": ", 1)[1] for line in kubeconfig.splitlines() if line.strip().startswith("token: "))


def test_a_kind_that_we_may_not_read_leaves_us_blind_and_says_which(plane: ControlPlane) -> None:
    rules = [{"apiGroups": [""], "resources": ["nodes", "namespaces"], "verbs": ["get", "list", "watch"]}]
    with seeing(plane.as_account("half-blind", rules)) as seen, pytest.raises(ClusterUnavailable, match="forbidden"):
        seen.views.take()


def test_an_odd_object_costs_only_itself(plane: ControlPlane, seen: Seen) -> None:
    plane.api.create(pod("default", "fine"))
    odd = pod("default", "odd")
    odd["metadata"]["annotations"] = {"watchkeeper.dev/class": "no-such-class"}
    plane.api.create(deployment("default", "odd") | {"metadata": odd["metadata"]})
    seen.until("the fine pod", lambda view: ("default", "fine") in view.pods)
    wait_for("what was odd", lambda: seen.views.take() and [str(each) for each in seen.malformed])
    assert any("watchkeeper.dev/class" in str(each) for each in seen.malformed)
    plane.api.delete(reference("apps/v1", "Deployment", "odd", "default"))
    plane.api.delete(reference("v1", "Pod", "fine", "default"))


@pytest.mark.parametrize(("ahead", "words"), [(90, "90 s ahead of"), (-300, "300 s behind")])
def test_a_clock_that_is_wrong_is_told_once(plane: ControlPlane, ahead: int, words: str) -> None:
    with seeing(plane.admin, WallClock(timedelta(seconds=ahead))) as seen:
        seen.views.take()
        seen.views.take()
        about = [reason for door, place, reason in seen.told if (door, place) == ("apiserver", "clock")]
        assert len(about) == 1 and words.split()[2] in about[0]
        assert abs(seen.cluster.skew_s - ahead) < 3


def test_a_clock_that_is_right_is_not_told(seen: Seen) -> None:
    assert seen.told == [] and abs(seen.cluster.skew_s) < 3
    assert max(seen.cluster.lag_s().values()) < 120
