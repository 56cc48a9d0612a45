"""The agent as a pod: by the service account that a kubelet mounts, with tokens that are rolled over; no kubeconfig."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from control_plane import ControlPlane
from fake_nodes import make_nodes
from kube import Api, Json, Refused
from running_agent import WIDE, Running
from servers import free_port, wait_for

from agent.adapters.kubernetes.rbac import manifests

DRIVER = Path(__file__).with_name("in_a_pod.py")
TOKEN_LASTS = timedelta(seconds=40)
ROLLED_OVER_EVERY_S = 10.0  # what is mounted lasts for half a minute more, on a machine that does much else, too
FIRST_ENDS_WITHIN_S = 90.0  # a server that has just seen a token takes it for ten seconds more


class Mount:
    """A projected volume: what is read are links into a folder that is swapped at once, as a kubelet does it."""

    def __init__(self, folder: Path, plane: ControlPlane) -> None:
        self.folder, self._plane, self._turn = folder, plane, 0
        folder.mkdir()
        for name in ("token", "ca.crt", "namespace"):
            (folder / name).symlink_to(f"..data/{name}")

    def project(self, token: str) -> None:
        self._turn += 1
        version = self.folder / f"..{self._turn}"
        version.mkdir()
        (version / "token").write_text(token, encoding="utf-8")
        (version / "ca.crt").write_bytes((self._plane.folder / "ca.crt").read_bytes())
        (version / "namespace").write_text("watchkeeper", encoding="utf-8")
        (self.folder / "..data_tmp").symlink_to(version.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")

    def environment(self) -> dict[str, str]:
        """As of a pod, of a cluster that has a Service of our name besides."""
        where = urlsplit(self._plane.url)
        known = {"KUBERNETES_SERVICE_HOST": str(where.hostname), "KUBERNETES_SERVICE_PORT": str(where.port)}
        others = {"WATCHKEEPER_SERVICE_HOST": "10.96.3.4", "WATCHKEEPER_PORT": "tcp://10.96.3.4:9710"}
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder.parent), **known, **others}


class Pod(Running):
    """`watchkeeper run` in there."""

    def __init__(self, mount: Mount, settings: Json) -> None:
        self.port = free_port()
        self.url, self.folder = f"http://127.0.0.1:{self.port}", mount.folder.parent
        self.settings, self.log = self.folder / "watchkeeper.yaml", self.folder / "log"
        given = {"world": "live", "listen": f"127.0.0.1:{self.port}", "look_every_s": 5, **settings}
        self.settings.write_text(yaml.safe_dump(given), encoding="utf-8")
        command = [sys.executable, str(DRIVER), str(mount.folder), "run", "--log-format", "json"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder, env=mount.environment()
            )


@pytest.fixture(scope="module")
def site(plane: ControlPlane) -> ControlPlane:
    """With the account and the rights of deploy/kubernetes."""
    for made in manifests("observing", "acting"):
        plane.api.apply(made)
    return plane


@pytest.fixture
def mount(site: ControlPlane, tmp_path: Path) -> Mount:
    return Mount(tmp_path / "serviceaccount", site)


@pytest.fixture
def nodes(site: ControlPlane) -> Iterator[list[str]]:
    names = make_nodes(site.api, 2, prefix="podded")
    yield names
    for name in names:
        site.api.delete({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})


def ask(mount: Mount, *words: str) -> tuple[int, list[Json]]:
    command = [sys.executable, str(DRIVER), str(mount.folder), *words, "--json"]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=mount.folder.parent,
        env=mount.environment(),
    )
    return ran.returncode, json.loads(ran.stdout)["findings"]


def test_the_mounted_account_is_who_it_is(site: ControlPlane, mount: Mount) -> None:
    mount.project(site.token("watchkeeper", namespace="watchkeeper"))
    status, found = ask(mount, "doctor")
    server = next(each for each in found if each["check"] == "API server")
    assert server["said"].endswith("as system:serviceaccount:watchkeeper:watchkeeper")
    assert (status, [each for each in found if each["state"] == "fail"]) == (0, [])


def test_what_is_missing_of_it_is_named(site: ControlPlane, mount: Mount) -> None:
    """A pod without a mounted token is told apart from a machine without a kubeconfig."""
    status, found = ask(mount, "doctor")
    server = next(each for each in found if each["check"] == "API server")
    assert status == 1 and "token file does not exist" in server["said"]


@contextmanager
def kubelet(site: ControlPlane, mount: Mount) -> Iterator[str]:
    """Rolls the token over long before it ends, again and again. Yields the first one."""
    over = threading.Event()

    def fresh() -> str:
        token = site.token("watchkeeper", TOKEN_LASTS, namespace="watchkeeper")
        mount.project(token)
        return token

    def work() -> None:
        while not over.wait(ROLLED_OVER_EVERY_S):
            fresh()

    first = fresh()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield first
    finally:
        over.set()
        thread.join()


def test_a_token_that_the_kubelet_rolls_over_is_picked_up(site: ControlPlane, mount: Mount, nodes: list[str]) -> None:
    """It leads and acts when the token that it began with has long ended."""
    with kubelet(site, mount) as first:
        pod = Pod(mount, {"policy_data": WIDE})
        try:
            pod.leads()
            begun = Api(site.kubeconfig("begun-with", first))
            wait_for("the first token has ended", lambda: _refused(begun), FIRST_ENDS_WITHIN_S)
            assert pod.post_xid(nodes[0]).status_code == 202
            cordoned = ("v1", "Node", nodes[0])
            site.api.wait("it is cordoned", *cordoned, until=lambda node: node["spec"].get("unschedulable"))
            assert pod.ready()["leadership"]["role"] == "leading"
        finally:
            assert pod.stop() == 0, pod.said()
    lease = site.api.get("coordination.k8s.io/v1", "Lease", "watchkeeper", "watchkeeper")
    assert lease["spec"]["holderIdentity"] == "", "given back with a later token, too"


def _refused(account: Api) -> bool:
    try:
        account.list("v1", "Node")
    except Refused as refused:
        return refused.code == 401
    return False
