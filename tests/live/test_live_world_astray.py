"""What stands between us and the API server lies, loses and falls silent: what is seen is what is so, or nothing is.

The API server is real; before it stands a proxy that the tests meddle with.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from certificates import Authority
from control_plane import ControlPlane
from kube import Json, Refused, reference
from live_world import Seen, node, pod, ref
from meddling_proxy import Instead, Proxy, Rule, proxied, status
from servers import wait_for

from agent.adapters.gated import ClockAstray
from agent.adapters.kubernetes.lease_api import KubernetesLease
from agent.adapters.kubernetes.live.access import Access
from agent.adapters.switch import FreezeSwitch
from agent.cli.post import post_of
from agent.config import Settings
from agent.ports import ClusterFault, ClusterUnavailable, Gone

LIVE = "agent.adapters.kubernetes.live"
NODES = "/api/v1/nodes"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    running = ControlPlane(tmp_path_factory.mktemp("astray"), scheduler=False, kwok=False)
    running.api.wait("the account of pods", "v1", "ServiceAccount", "default", "default", until=lambda found: True)
    running.api.create(node("there"))
    yield running
    running.stop()


@pytest.fixture
def proxy(plane: ControlPlane, tmp_path: Path) -> Iterator[Proxy]:
    with proxied(plane, tmp_path) as made:
        yield made


@pytest.fixture
def seen(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """With watches of three seconds, so that what goes wrong shows soon."""
    monkeypatch.setattr(f"{LIVE}.following.WATCH_S", 3)
    monkeypatch.setattr(f"{LIVE}.watching.SILENCE_S", 2.0)
    monkeypatch.setattr(f"{LIVE}.following.LONGEST_PAUSE_S", 1.0)
    made = Seen(proxy.kubeconfig)
    made.views.take()
    yield made
    made.close()


def _blind(seen: Seen) -> str:
    """Why; empty where it sees."""
    try:
        seen.views.take()
    except ClusterUnavailable as fault:
        return str(fault)
    return ""


def _only(part: str, said: Instead) -> Rule:
    return lambda method, path: said if part in path else None


# --- kinds that are said to be gone -----------------------------------------------------------------------------------


def test_a_404_for_what_every_server_has_is_no_empty_cluster(proxy: Proxy, seen: Seen) -> None:
    proxy.rules = [_only(NODES, Instead(404, b"404 page not found", {"Content-Type": "text/plain"}))]
    why = wait_for("it says that it sees nothing", lambda: _blind(seen), 30)
    assert "the Nodes are not followed now" in why and "its list is not" in why
    proxy.rules = []
    assert "there" in wait_for("it sees again", lambda: not _blind(seen) and seen.views.take().nodes, 30)


def test_a_404_for_the_freeze_is_no_leave_to_act(proxy: Proxy, seen: Seen, tmp_path: Path) -> None:
    switch = FreezeSwitch(tmp_path / "freeze", seen.cluster, "default", "watchkeeper")
    assert switch.frozen() is None, "nobody has set it: the API server itself says that it is not there"
    proxy.rules = [_only("/configmaps/", Instead(404, b"404 page not found"))]
    with pytest.raises(ClusterFault):
        switch.frozen()


def test_a_crd_that_a_server_forgets_for_a_moment_does_not_take_its_objects_along(
    plane: ControlPlane, proxy: Proxy, seen: Seen
) -> None:
    """One that starts, or one of several that lags behind: a gang that is not seen looks like loose pods."""
    crd = _crd("watchkeeper.dev", "Gang", "gangs", "v1alpha1")
    gang = {**reference("watchkeeper.dev/v1alpha1", "Gang", "g", "default"), "spec": {"podSets": _pod_sets(2)}}
    plane.api.create(crd)
    _made(plane, gang)
    with_gangs = Seen(proxy.kubeconfig)
    try:
        with_gangs.until("the gang", lambda view: view.gangs)
        proxy.rules = [
            _only("/apis/watchkeeper.dev", Instead(404, b"404 page not found")),
            lambda method, path: _without(proxy, "watchkeeper.dev") if path == "/apis" else None,
        ]
        why = wait_for("it says so", lambda: _blind(with_gangs), 30)
        assert "Gang" in why
        looks = [_blind(with_gangs) for _ in range(3)]
        assert all(looks), "while it is not sure it does not look"
        proxy.rules = []
        assert wait_for("it sees", lambda: not _blind(with_gangs) and with_gangs.views.take().gangs, 60)
    finally:
        with_gangs.close()
        plane.api.delete(crd)


def test_a_version_that_is_served_no_more_is_followed_in_the_next_one(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LIVE}.following.WATCH_S", 3)
    group = "kueue.x-k8s.io"
    crd = _crd(group, "Topology", "topologies", "v1beta2", "v1beta1", namespaced=False)
    plane.api.create(crd)
    _made(plane, {**reference(f"{group}/v1beta2", "Topology", "racks"), "spec": {"levels": []}})
    seen = Seen(plane.admin)

    def versions() -> list[str]:
        view = seen.views.take()
        return [each.api_version for each in view.objects if each.kind == "Topology"]

    try:
        assert versions() == [f"{group}/v1beta2"]
        older = [{**each, "served": each["name"] == "v1beta1"} for each in crd["spec"]["versions"]]
        plane.api.merge(crd, {"spec": {"versions": older}})
        wait_for("the older version", lambda: not _blind(seen) and versions() == [f"{group}/v1beta1"], 60)
    finally:
        seen.close()
        plane.api.delete(crd)


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
    wait_for("it says that it hears nothing", lambda: _blind(seen), 30)
    proxy.mute.clear()
    wait_for("the node", lambda: not _blind(seen) and "behind-the-silence" in seen.views.take().nodes, 60)


def test_after_a_break_the_first_look_shows_what_happened_meanwhile(
    plane: ControlPlane, proxy: Proxy, seen: Seen
) -> None:
    """The watch is open again a while before it has told what it missed."""
    proxy.rules = [lambda method, path: status(503)]
    wait_for("it is cut off", lambda: "the Nodes" in _blind(seen), 30)
    plane.api.create(node("meanwhile"))
    proxy.late_s = 0.5
    proxy.rules = []
    wait_for("it sees", lambda: not _blind(seen), 30)
    assert "meanwhile" in seen.views.take().nodes


def test_an_etcd_that_was_restored_and_has_counted_past_us_leaves_no_ghost(
    plane: ControlPlane, proxy: Proxy, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LIVE}.following.RELISTED_AFTER_S", 3.0)
    kept = plane.backup()
    plane.restart_api_server()
    plane.api.create(node("ghost"))
    seen.until("the ghost", lambda view: "ghost" in view.nodes)
    proxy.rules = [lambda method, path: status(503)]
    plane.restore(kept)
    for number in range(60):
        plane.api.merge(reference("v1", "Node", "there"), {"metadata": {"labels": {"n": str(number)}}})
    proxy.rules = []
    wait_for("the ghost is gone", lambda: not _blind(seen) and "ghost" not in seen.views.take().nodes, 60)


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
    wait_for("it says so", lambda: "Node" in _blind(seen), 30)
    proxy.rules = []
    wait_for("it sees again", lambda: not _blind(seen) and "there" in seen.views.take().nodes, 30)


def test_a_history_that_is_always_forgotten_is_not_listed_without_end(proxy: Proxy, seen: Seen) -> None:
    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'
    proxy.rules = [lambda method, path: Instead(200, gone) if "watch=1" in path and NODES in path else None]
    wait_for("it says so", lambda: "Node" in _blind(seen), 90)  # between two lists it is followed for a moment
    proxy.asked.clear()
    time.sleep(5)
    listed = [path for path in proxy.asked if path.startswith(f"GET {NODES}?limit")]
    assert 1 <= len(listed) <= 12  # pauses of up to a second here, of up to thirty else
    proxy.rules = []
    wait_for("it sees again", lambda: not _blind(seen), 30)


def test_a_watch_that_is_always_cut_short_does_not_leave_an_old_view(
    plane: ControlPlane, proxy: Proxy, seen: Seen
) -> None:
    proxy.rules = [lambda method, path: Instead(200, b"") if "watch=1" in path and NODES in path else None]
    time.sleep(4)  # the watch that is open now has ended
    plane.api.create(node("untold"))
    wait_for("it is listed", lambda: not _blind(seen) and "untold" in seen.views.take().nodes, 30)


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
    proxy.rules = [_only("continue=", status(410, "Expired"))]
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
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LIVE}.following.WATCH_S", 3)
    monkeypatch.setattr(f"{LIVE}.following.LONGEST_PAUSE_S", 1.0)
    reads = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    seen = Seen(plane.as_account("looking", reads))
    try:
        assert "there" in seen.views.take().nodes
        plane.api.delete(plane.api.get("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "tests:looking"))
        why = wait_for("it says so", lambda: _blind(seen), 30)
        assert "forbidden" in why and "looking" in why
        plane.as_account("looking", reads)
        wait_for("it sees again", lambda: not _blind(seen), 30)
    finally:
        seen.close()


# --- objects ----------------------------------------------------------------------------------------------------------


def test_what_nests_without_end_hides_nobody(plane: ControlPlane, proxy: Proxy, seen: Seen) -> None:
    """Whoever may make a pod may nest its managedFields as deep as the server lets him."""
    deep = pod("default", "deep")
    entry = {"manager": "mallory", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    deep["metadata"]["managedFields"] = [{**entry, "fieldsV1": "FIELDS"}]
    fields = '{"f:metadata":' + '{"f:x":' * 3_000 + "{}" + "}" * 3_000 + "}"
    text = json.dumps(deep).replace('"FIELDS"', fields)
    made = proxy.raw("POST", "/api/v1/namespaces/default/pods", text.encode())
    assert made.count(b"f:x") >= 2_000, "the server keeps it"
    seen.until("the deep pod", lambda view: ("default", "deep") in view.pods)
    fresh = Seen(plane.admin)
    try:
        assert ("default", "deep") in fresh.views.take().pods
        assert fresh.cluster.get(ref("v1", "Pod", "deep", "default"))["metadata"]["name"] == "deep"
    finally:
        fresh.close()
        proxy.raw("DELETE", "/api/v1/namespaces/default/pods/deep")  # too deep for the tests' own client


def test_a_custom_object_that_nests_too_deep_hides_no_other(plane: ControlPlane, proxy: Proxy) -> None:
    crd = _crd("ray.io", "RayCluster", "rayclusters", "v1")
    plane.api.create(crd)
    _made(plane, {**reference("ray.io/v1", "RayCluster", "flat", "default"), "spec": {}})
    about = json.dumps(reference("ray.io/v1", "RayCluster", "deep", "default"))
    spec = '{"x":[' * 450 + "]}" * 450  # read without a word, and more than whoever walks through it can bear
    proxy.raw("POST", "/apis/ray.io/v1/namespaces/default/rayclusters", f'{about[:-1]},"spec":{spec}}}'.encode())
    fresh = Seen(plane.admin)
    try:
        names = {each.name for each in fresh.views.take().objects if each.kind == "RayCluster"}
        assert names == {"deep", "flat"}
    finally:
        fresh.close()
        plane.api.delete(crd)


# --- clocks and certificates ------------------------------------------------------------------------------------------


def test_a_server_that_shows_the_certificate_of_a_new_authority_is_believed_once_we_are_told_of_it(
    plane: ControlPlane, proxy: Proxy, seen: Seen
) -> None:
    renewed = Authority("renewed")
    proxy.show(renewed)
    why = wait_for("it says so", lambda: _blind(seen), 30)
    assert "certificate verify failed" in why
    proxy.trust(renewed)
    wait_for("it sees again", lambda: not _blind(seen), 30)
    seen.cluster.patch(ref("v1", "Node", "there"), {"metadata": {"labels": {"after": "renewal"}}})


def test_nor_is_the_lease_lost_for_ever(plane: ControlPlane, proxy: Proxy) -> None:
    plane.api.create(reference("coordination.k8s.io/v1", "Lease", "held", "default"))
    lease = KubernetesLease(Access(proxy.kubeconfig).api_client, "default", "held")
    assert lease.get()["metadata"]["name"] == "held"
    renewed = Authority("renewed")
    proxy.show(renewed)
    with pytest.raises(ClusterUnavailable, match="certificate verify failed"):
        lease.get()
    proxy.trust(renewed)
    assert lease.get()["metadata"]["name"] == "held"


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 0000 99:99:99 GMT"])
def test_a_date_that_makes_no_sense_says_nothing(proxy: Proxy, seen: Seen, date: str) -> None:
    proxy.rules = [lambda method, path: Instead(real=True, headers={"Date": date})]
    seen.cluster.get(ref("v1", "Node", "there"))
    assert abs(seen.cluster.skew_s) < 3


def test_a_clock_that_is_set_while_we_run_is_told(proxy: Proxy, seen: Seen) -> None:
    wrong = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    proxy.rules = [lambda method, path: Instead(real=True, headers={"Date": wrong})]
    seen.cluster.get(ref("v1", "Node", "there"))
    assert 590 < seen.cluster.skew_s < 610
    assert any(place == "clock" and "ahead of" in reason for _, place, reason in seen.told)
    post = post_of(Settings(world="live", kubeconfig=proxy.kubeconfig, leader_election=False))
    post.gate.observing = False
    gated = post.interpose("cluster", seen.cluster)
    before = len(proxy.asked)
    with pytest.raises(ClockAstray, match="ahead of the API server's: nothing is changed"):
        gated.patch(ref("v1", "Node", "there"), {"spec": {"unschedulable": True}})
    assert not any(asked.startswith("PATCH") for asked in proxy.asked[before:])
    proxy.rules = []
    seen.cluster.get(ref("v1", "Node", "there"))
    gated.patch(ref("v1", "Node", "there"), {"metadata": {"labels": {"clock": "right"}}})


def _crd(group: str, kind: str, plural: str, *versions: str, namespaced: bool = True) -> Json:
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    served = [{"name": each, "served": True, "storage": each == versions[-1], "schema": anything} for each in versions]
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    spec = {"group": group, "scope": "Namespaced" if namespaced else "Cluster", "names": names, "versions": served}
    about = reference("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.{group}")
    return {**about, "spec": spec}


def _made(plane: ControlPlane, thing: Json) -> None:
    def tried() -> bool:
        try:
            plane.api.create(thing)
        except (Refused, KeyError):
            return False
        return True

    wait_for("its CRD", tried)


def _pod_sets(count: int) -> list[Json]:
    return [{"name": "main", "count": count}]


def _without(proxy: Proxy, group: str) -> Instead:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    document = json.loads(proxy.raw("GET", "/apis", accept=accept))
    document["items"] = [each for each in document["items"] if each["metadata"]["name"] != group]
    return Instead(200, json.dumps(document).encode(), {"Content-Type": accept})
