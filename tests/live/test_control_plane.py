"""The servers that the other live tests stand on are what they are taken for: a real API server, its controllers, a
scheduler, kwok in place of kubelets, and a real Kueue."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from control_plane import ControlPlane
from fake_nodes import STAYS, make_nodes, say, silence
from gangs_for_real import GPU, KUEUE, job, queue
from go_tools import release
from kube import Api, Json, Refused, condition, reference
from kueue_server import Kueue
from servers import wait_for

NODES, GPUS = 64, 8
OWN = "default"  # a namespace of our own control plane, wherever `cluster` is


@pytest.fixture(scope="module")
def nodes(cluster: Api) -> Iterator[list[str]]:
    names = make_nodes(cluster, NODES, GPUS, prefix="fleet")
    yield names
    for name in names:
        cluster.delete(reference("v1", "Node", name))


@pytest.fixture
def queued(cluster: Api, namespace: str) -> Iterator[str]:
    """A queue with a quota of 32 GPUs, which has the namespace's name."""
    made = queue(namespace, namespace, 32)
    for each in made:
        cluster.apply(each)
    kept = (KUEUE, "ClusterQueue", namespace)
    cluster.wait("the queue is active", *kept, until=lambda found: condition(found, "Active") == "True")
    yield namespace
    for each in reversed(made[:2]):
        cluster.delete(each)


def pods(cluster: Api, namespace: str, phase: str) -> list[Json]:
    return [pod for pod in cluster.list("v1", "Pod", namespace) if pod["status"].get("phase") == phase]


def run(cluster: Api, made: Json, count: int) -> list[Json]:
    """Its pods, once so many run."""
    cluster.create(made)
    namespace = made["metadata"]["namespace"]

    def running() -> list[Json] | None:
        found = pods(cluster, namespace, "Running")
        return found if len(found) == count else None

    return wait_for(f"{count} pods run", running)


def test_each_server_is_the_release_that_is_pinned(plane: ControlPlane) -> None:
    assert plane.api.ask("GET", "/version")["gitVersion"] == release("kubernetes")


def test_the_fleet_has_its_gpus(cluster: Api, nodes: list[str]) -> None:
    found = [node for node in cluster.list("v1", "Node") if node["metadata"]["name"] in nodes]
    assert sum(int(node["status"]["allocatable"][GPU]) for node in found) == NODES * GPUS


def test_a_job_runs_on_gpus_completes_and_goes(cluster: Api, nodes: list[str], namespace: str) -> None:
    running = run(cluster, job("train", namespace, pods=4, gpus=8, lasts="3s"), 4)
    assert len({pod["spec"]["nodeName"] for pod in running}) == 4  # no two of them fit one node
    assert {condition(pod, "Ready") for pod in running} == {"True"}
    at = ("batch/v1", "Job", "train", namespace)
    cluster.wait("the job is complete", *at, until=lambda found: condition(found, "Complete") == "True")
    assert {condition(pod, "Ready") for pod in pods(cluster, namespace, "Succeeded")} == {"False"}
    cluster.delete(reference(*at), propagationPolicy="Background")
    wait_for("its pods are gone", lambda: not cluster.list("v1", "Pod", namespace))


def test_a_pod_on_its_way_out_may_hang(cluster: Api, nodes: list[str], namespace: str) -> None:
    hangs = job("hangs", namespace, pods=1, gpus=1)
    hangs["spec"]["template"]["metadata"]["annotations"][STAYS] = "terminating"
    pod = run(cluster, hangs, 1)[0]
    about = reference("v1", "Pod", pod["metadata"]["name"], namespace)
    cluster.delete(reference("batch/v1", "Job", "hangs", namespace), propagationPolicy="Background")
    cluster.delete(about)
    time.sleep(2)  # longer than kwok takes for the others
    assert "deletionTimestamp" in cluster.ask("GET", cluster.path(about))["metadata"]
    cluster.delete(about, gracePeriodSeconds=0)
    wait_for("it is gone by force", lambda: not cluster.list("v1", "Pod", namespace))


def test_a_node_says_what_it_is_told_to(cluster: Api, nodes: list[str]) -> None:
    say(cluster, nodes[0], "GpuXid", "True", "Xid79", "GPU has fallen off the bus")
    silence(cluster, nodes[1])
    time.sleep(2)  # kwok would have made it ready again
    told, silent = (cluster.get("v1", "Node", name) for name in nodes[:2])
    assert (condition(told, "GpuXid"), condition(told, "Ready")) == ("True", "True")
    assert condition(silent, "Ready") == "Unknown"
    wait_for("the silent node is tainted", lambda: cluster.get("v1", "Node", nodes[1])["spec"].get("taints"))


def test_kueue_lets_in_what_its_quota_holds(cluster: Api, nodes: list[str], queued: str) -> None:
    run(cluster, job("first", queued, pods=3, gpus=8, queue=queued), 3)
    cluster.create(job("second", queued, pods=2, gpus=8, queue=queued))  # 16 more where 8 are left

    def workloads() -> dict[str, Json] | None:
        found = {w["metadata"]["ownerReferences"][0]["name"]: w for w in cluster.list(KUEUE, "Workload", queued)}
        return found if "second" in found and condition(found["second"], "QuotaReserved") == "False" else None

    found = wait_for("Kueue has looked at both", workloads)
    assert condition(found["first"], "Admitted") == "True"
    assert "insufficient unused quota" in str(found["second"]["status"]["conditions"])
    assert cluster.get("batch/v1", "Job", "second", queued)["spec"]["suspend"] is True
    cluster.delete(reference("batch/v1", "Job", "first", queued), propagationPolicy="Background")
    wait_for("the second runs in its place", lambda: len(pods(cluster, queued, "Running")) == 2)


def test_kueue_converts_between_its_versions(cluster: Api, queued: str) -> None:
    older = cluster.get("kueue.x-k8s.io/v1beta1", "ClusterQueue", queued)
    assert older["apiVersion"] == "kueue.x-k8s.io/v1beta1"
    assert older["spec"]["resourceGroups"][0]["flavors"][0]["resources"][0]["nominalQuota"] == "32"


def test_kueue_refuses_what_its_webhooks_know_to_be_wrong(cluster: Api, queued: str) -> None:
    made = job("moves", queued, pods=1, gpus=8, queue=queued)
    run(cluster, made, 1)
    with pytest.raises(Refused, match="field is immutable") as refused:
        cluster.merge(made, {"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "another"}}})
    assert refused.value.code == 403


def test_an_account_may_do_what_it_is_told_and_for_as_long(plane: ControlPlane) -> None:
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]
    account = Api(plane.as_account("looks", rules))
    account.list("v1", "Node")
    with pytest.raises(Refused, match="cannot list resource") as refused:
        account.list("v1", "Pod")
    assert refused.value.code == 403
    short = Api(plane.kubeconfig("short", plane.token("looks", timedelta(seconds=3))))
    short.list("v1", "Node")

    def expired() -> bool:
        try:
            short.list("v1", "Node")
        except Refused as no:
            return no.code == 401
        return False

    wait_for("its token has run out", expired, timeout_s=90)  # 13 s, and what is remembered


def test_the_api_server_comes_back_with_what_there_was(plane: ControlPlane) -> None:
    plane.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "namespace": OWN}})
    before = plane.api.ask("GET", "/api/v1/configmaps")["metadata"]["resourceVersion"]
    plane.restart_api_server()
    for number in range(3):
        about = {"name": f"later-{number}", "namespace": OWN}
        plane.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about})
    assert plane.api.find("v1", "ConfigMap", "kept", OWN)
    plane.compact()
    said = plane.api.text("GET", "/api/v1/configmaps", watch="true", resourceVersion="1", timeoutSeconds="5")
    assert '"code":410' in said, "a watch from before the memory of the server is told to list again"
    assert int(before) > 1
    plane.etcd.kill()
    plane.etcd.start()
    wait_for("it is ready again", lambda: _ready(plane.api))


def test_a_server_may_hang(plane: ControlPlane) -> None:
    plane.api_server.freeze()
    hung = not plane.api_server.answers()
    plane.api_server.thaw()
    assert hung
    wait_for("it answers again", plane.api_server.answers)


def test_a_cluster_may_be_set_back_to_an_earlier_moment(plane: ControlPlane) -> None:
    kept = plane.backup()
    wait_for("it is ready again", lambda: _ready(plane.api))
    plane.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later", "namespace": OWN}})
    plane.restore(kept)
    assert plane.api.find("v1", "ConfigMap", "later", OWN) is None


def test_while_kueue_is_down_no_job_gets_past_its_webhooks(plane: ControlPlane, kueue: Kueue) -> None:
    kueue.part.kill()
    made = job("early", OWN, pods=1, gpus=1, queue="nobodys")
    with pytest.raises(Refused, match="failed calling webhook"):
        plane.api.create(made)
    kueue.part.start()
    plane.api.create(made)
    plane.api.delete(made, propagationPolicy="Background")


def test_all_of_them_go_on_after_that(cluster: Api, nodes: list[str], queued: str) -> None:
    """Controllers, scheduler, kwok and Kueue, each by its own watches."""
    run(cluster, job("after", queued, pods=2, gpus=8, queue=queued), 2)


def _ready(api: Api) -> bool:
    try:
        return api.text("GET", "/readyz") == "ok"
    except Refused:
        return False
