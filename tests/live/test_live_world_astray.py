"""What stands between us and the API server lies, loses and falls silent: what is seen is what is so, or nothing is."""

import json
import time
from pathlib import Path

import pytest
from astray_kit import *  # noqa: F403
from astray_kit import LIVE, NODES, blind, crd_of, create_served, only, retire
from control_plane import ControlPlane
from kube import Json, reference
from live_world import Seen, node, ref
from meddling_proxy import Instead, Proxy, status
from servers import wait_for

from agent.adapters.switch import FreezeSwitch
from agent.ports import ClusterFault, Gone

# --- kinds that are said to be gone -----------------------------------------------------------------------------------


def test_a_404_for_what_every_server_has_is_no_empty_cluster(proxy: Proxy, seen: Seen) -> None:
    proxy.rules = [only(NODES, Instead(404, b"404 page not found", {"Content-Type": "text/plain"}))]
    why = wait_for("it says that it sees nothing", lambda: blind(seen), 30)
    assert "the Nodes are not followed now" in why and "its list is not" in why
    proxy.rules = []
    assert "there" in wait_for("it sees again", lambda: not blind(seen) and seen.views.take().nodes, 30)


def test_a_404_for_the_freeze_is_no_leave_to_act(proxy: Proxy, seen: Seen, tmp_path: Path) -> None:
    switch = FreezeSwitch(tmp_path / "freeze", seen.cluster, "default", "watchkeeper")
    assert switch.frozen() is None, "nobody has set it: the API server itself says that it is not there"
    proxy.rules = [only("/configmaps/", Instead(404, b"404 page not found"))]
    with pytest.raises(ClusterFault):
        switch.frozen()


def test_a_crd_that_a_server_forgets_for_a_moment_does_not_take_its_objects_along(
    plane: ControlPlane, proxy: Proxy, seen: Seen
) -> None:
    """One that starts, or one of several that lags behind: a gang that is not seen looks like loose pods."""
    crd = crd_of("watchkeeper.dev", "Gang", "gangs", "v1alpha1")
    gang = {**reference("watchkeeper.dev/v1alpha1", "Gang", "g", "default"), "spec": {"podSets": _pod_sets(2)}}
    plane.api.create(crd)
    create_served(plane, gang)
    with_gangs = Seen(proxy.kubeconfig)
    try:
        with_gangs.until("the gang", lambda view: view.gangs)
        proxy.rules = [
            only("/apis/watchkeeper.dev", Instead(404, b"404 page not found")),
            lambda method, path: _without(proxy, "watchkeeper.dev") if path == "/apis" else None,
        ]
        why = wait_for("it says so", lambda: blind(with_gangs), 30)
        assert "Gang" in why
        looks = [blind(with_gangs) for _ in range(3)]
        assert all(looks), "while it is not sure it does not look"
        proxy.rules = []
        assert wait_for("it sees", lambda: not blind(with_gangs) and with_gangs.views.take().gangs, 60)
    finally:
        with_gangs.close()
        retire(plane, crd)


def test_a_version_that_is_served_no_more_is_followed_in_the_next_one(plane: ControlPlane, soon: None) -> None:
    group = "kueue.x-k8s.io"
    crd = crd_of(group, "Topology", "topologies", "v1beta2", "v1beta1", namespaced=False)
    plane.api.create(crd)
    create_served(plane, {**reference(f"{group}/v1beta2", "Topology", "racks"), "spec": {"levels": []}})
    seen = Seen(plane.admin)

    def versions() -> list[str]:
        view = seen.views.take()
        return [each.api_version for each in view.objects if each.kind == "Topology"]

    try:
        assert versions() == [f"{group}/v1beta2"]
        older = [{**each, "served": each["name"] == "v1beta1"} for each in crd["spec"]["versions"]]
        plane.api.merge(crd, {"spec": {"versions": older}})
        wait_for("the older version", lambda: not blind(seen) and versions() == [f"{group}/v1beta1"], 60)
    finally:
        seen.close()
        retire(plane, crd)


def test_an_aggregated_api_that_is_away_costs_only_itself(plane: ControlPlane) -> None:
    service = {"name": "nobody", "namespace": "default", "port": 443}
    spec = {"group": "metrics.k8s.io", "version": "v1beta1", "service": service, "insecureSkipTLSVerify": True}
    about = reference("apiregistration.k8s.io/v1", "APIService", "v1beta1.metrics.k8s.io")
    plane.api.create({**about, "spec": {**spec, "groupPriorityMinimum": 100, "versionPriority": 100}})
    seen = Seen(plane.admin)
    try:
        assert "there" in seen.views.take().nodes
        with pytest.raises(ClusterFault):
            seen.cluster.list("metrics.k8s.io/v1beta1", "NodeMetrics")
    finally:
        seen.close()
        plane.api.delete(about)


# --- breaks -----------------------------------------------------------------------------------------------------------


def test_a_line_that_is_dead_without_a_word_is_found_out(plane: ControlPlane, proxy: Proxy, seen: Seen) -> None:
    proxy.mute.set()
    plane.api.create(node("behind-the-silence"))
    wait_for("it says that it hears nothing", lambda: blind(seen), 30)
    proxy.mute.clear()
    wait_for("the node", lambda: not blind(seen) and "behind-the-silence" in seen.views.take().nodes, 60)


def test_after_a_break_the_first_look_shows_what_happened_meanwhile(
    plane: ControlPlane, proxy: Proxy, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch is open again a while before it has told what it missed."""
    monkeypatch.setattr(f"{LIVE}.following.CAUGHT_UP_S", 1.0)
    proxy.rules = [lambda method, path: status(503)]
    wait_for("it is cut off", lambda: "the Nodes" in blind(seen), 30)
    plane.api.create(node("meanwhile"))
    proxy.late_s = 0.5
    proxy.rules = []
    wait_for("it sees", lambda: not blind(seen), 30)
    assert "meanwhile" in seen.views.take().nodes


def test_an_etcd_that_was_restored_and_has_counted_past_us_leaves_no_ghost(
    plane: ControlPlane, proxy: Proxy, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LIVE}.following.RELISTED_AFTER_S", 1.0)  # a server takes longer to come back
    kept = plane.backup()
    plane.restart_api_server()
    plane.api.create(node("ghost"))
    seen.until("the ghost", lambda view: "ghost" in view.nodes)
    proxy.rules = [lambda method, path: status(503)]
    plane.restore(kept)
    for number in range(60):
        plane.api.merge(reference("v1", "Node", "there"), {"metadata": {"labels": {"n": str(number)}}})
    proxy.rules = []
    wait_for("the ghost is gone", lambda: not blind(seen) and "ghost" not in seen.views.take().nodes, 60)


@pytest.mark.parametrize(
    "line",
    [
        b"no json at all\n",
        b'{"type":"MODIFIED"}\n',
        b'{"type":"MODIFIED","object":null}\n',
        b'{"type":"ERROR","object":{"kind":"Status","code":500,"message":"odd"}}\n',
        b'{"type":"ERROR","object":{}}\n',
        b'{"type":"MODIFIED","object":{"kind":"No\xff\xfe"}}\n',
        b"[" * 5_000 + b"\n",
    ],
)
def test_a_watch_that_talks_nonsense_is_no_view(proxy: Proxy, seen: Seen, line: bytes) -> None:
    proxy.rules = [lambda method, path: Instead(200, line) if "watch=1" in path and NODES in path else None]
    wait_for("it says so", lambda: "Node" in blind(seen), 30)
    proxy.rules = []
    wait_for("it sees again", lambda: not blind(seen) and "there" in seen.views.take().nodes, 30)


def test_a_history_that_is_always_forgotten_is_not_listed_without_end(
    proxy: Proxy, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LIVE}.following.LONGEST_PAUSE_S", 1.0)
    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'
    proxy.rules = [lambda method, path: Instead(200, gone) if "watch=1" in path and NODES in path else None]
    wait_for("it says so", lambda: "Node" in blind(seen), 90)  # between two lists it is followed for a moment
    proxy.asked.clear()
    time.sleep(4)
    listed = [path for path in proxy.asked if path.startswith(f"GET {NODES}?limit")]
    assert 1 <= len(listed) <= 10  # pauses of up to a second here, of up to thirty else
    proxy.rules = []
    wait_for("it sees again", lambda: not blind(seen), 30)


def test_a_watch_that_is_always_cut_short_does_not_leave_an_old_view(
    plane: ControlPlane, proxy: Proxy, seen: Seen
) -> None:
    proxy.rules = [lambda method, path: Instead(200, b"") if "watch=1" in path and NODES in path else None]
    proxy.asked.clear()
    wait_for("the watch that was open has ended", lambda: any("watch=1" in p and NODES in p for p in proxy.asked), 30)
    plane.api.create(node("untold"))
    wait_for("it is listed", lambda: not blind(seen) and "untold" in seen.views.take().nodes, 30)


def test_pages_that_expire_half_way_are_begun_again_and_not_for_ever(
    plane: ControlPlane, proxy: Proxy, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LIVE}.paging.PAGE_OBJECTS", 2)
    for number in range(5):
        plane.api.create(node(f"paged-{number}"))
    expired = [status(410, "Expired", "The provided continue parameter is too old")]

    def once(method: str, path: str) -> Instead | None:
        return expired.pop() if expired and "continue=" in path else None

    proxy.rules = [once]
    names = {each["metadata"]["name"] for each in seen.cluster.list("v1", "Node")}
    assert {f"paged-{number}" for number in range(5)} <= names and expired == []
    proxy.rules = [only("continue=", status(410, "Expired"))]
    with pytest.raises(Gone):
        seen.cluster.list("v1", "Node")


@pytest.mark.parametrize(
    "said",
    [
        Instead(200, b"<html>Please log in</html>", {"Content-Type": "text/html"}),
        Instead(200, b"[]"),
        Instead(302, b"", {"Location": "https://127.0.0.1:1/elsewhere"}),
        status(504),
        Instead(502, b"<html>Bad Gateway</html>"),
    ],
)
def test_an_answer_that_is_none_of_the_api_servers_changes_nothing(proxy: Proxy, seen: Seen, said: Instead) -> None:
    proxy.rules = [lambda method, path: said if method == "PATCH" else None]
    with pytest.raises(ClusterFault) as fault:
        seen.cluster.patch(ref("v1", "Node", "there"), {"spec": {"unschedulable": True}})
    assert not 400 <= fault.value.status < 500, "nobody has refused anything"


def test_a_right_to_look_that_is_taken_away_is_blindness_with_a_name_until_it_is_back(
    plane: ControlPlane, soon: None
) -> None:
    reads = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    seen = Seen(plane.as_account("looking", reads))
    try:
        assert "there" in seen.views.take().nodes
        plane.api.delete(plane.api.get("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "tests:looking"))
        why = wait_for("it says so", lambda: blind(seen), 30)
        assert "forbidden" in why and "looking" in why
        plane.as_account("looking", reads)
        wait_for("it sees again", lambda: not blind(seen), 30)
    finally:
        seen.close()


def _pod_sets(count: int) -> list[Json]:
    return [{"name": "main", "count": count}]


def _without(proxy: Proxy, group: str) -> Instead:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    document = json.loads(proxy.raw("GET", "/apis", accept=accept))
    document["items"] = [each for each in document["items"] if each["metadata"]["name"] != group]
    return Instead(200, json.dumps(document).encode(), {"Content-Type": accept})
