"""A real Kubernetes control plane on loopback, without containers: etcd, API server, controllers, scheduler, kwok.

Each starts on free ports, with keys and a data folder of its own, and can be killed and started again, as faults are
what many tests are about. There are no kubelets: kwok plays them (`fake_nodes.py`). To try something by hand:

    python tests/live/control_plane.py --keep --kueue --nodes 64
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import signal
import tempfile
import time
import urllib.request
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import yaml
from certificates import Authority, TokenIssuer
from fake_nodes import FAKE, kubelet_stages, make_nodes
from kube import Api, Json
from parts import Part, Ready, binary, lasting_port

HERE = "127.0.0.1"
ISSUER = "https://kubernetes.default.svc.cluster.local"
ACCOUNTS = "watchkeeper-tests"  # the namespace of the service accounts that tests make
FOREVER = timedelta(days=30)
# The workload API and gangs of the scheduler are off by default.
GATES = "GenericWorkload=true"
APIS = "scheduling.k8s.io/v1beta1=true"


class ControlPlane:
    """`admin` is a kubeconfig that may do anything; `as_account` makes one that may do what is named and no more."""

    def __init__(self, folder: Path, *, scheduler: bool = True, kwok: bool = True, audited: bool = False) -> None:
        self.folder, self._audited = folder, audited
        self._authority, self._tokens = Authority("watchkeeper-tests"), TokenIssuer(ISSUER)
        self._ca = self._write("ca.crt", self._authority.certificate)
        self._port, self._etcd_port = lasting_port(), lasting_port()
        self.url = f"https://{HERE}:{self._port}"
        self._admin_token = secrets.token_hex(16)
        self.admin = self.kubeconfig("admin", self._admin_token)
        self.etcd, self.api_server = self._etcd(), self._api_server()
        self.controllers = self._controllers()
        self.scheduler = self._scheduler() if scheduler else None
        self.kwok = self._kwok() if kwok else None
        others = [part for part in (self.controllers, self.scheduler, self.kwok) if part]
        self.parts = [self.etcd, self.api_server, *others]
        try:
            self.etcd.start()
            self.api_server.start()
            self.api = Api(self.admin)
            for part in others:
                part.begin()
            for part in others:
                part.await_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """At once: nothing of it is kept, and an API server that is asked to go takes ten seconds."""
        for part in reversed(self.parts):
            part.kill()

    def also(self, part: Part) -> Part:
        """Starts what belongs to this cluster, and stops it along with it."""
        self.parts.append(part)
        part.start()
        return part

    # --- who may come in

    @property
    def accounts(self) -> str:
        """The namespace of the accounts that `as_account` makes."""
        return ACCOUNTS

    def kubeconfig(self, user: str, token: str = "", certificate: tuple[bytes, bytes] | None = None) -> Path:
        if certificate:
            names = (f"{user}.crt", f"{user}.key")
            files = [str(self._write(name, pem)) for name, pem in zip(names, certificate, strict=True)]
            credentials = dict(zip(("client-certificate", "client-key"), files, strict=True))
        else:
            credentials = {"token": token}
        made = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "plane", "cluster": {"server": self.url, "certificate-authority": str(self._ca)}}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": user}}],
            "current-context": "plane",
        }
        return self._write(f"{user}.kubeconfig", yaml.safe_dump(made).encode())

    def as_account(self, name: str, rules: list[Json], lasts: timedelta = FOREVER) -> Path:
        """A kubeconfig for a service account that has these rules in all namespaces."""
        about = {"name": name, "namespace": ACCOUNTS}
        subject = {"kind": "ServiceAccount", **about}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"tests:{name}"}
        rbac = "rbac.authorization.k8s.io/v1"
        for made in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ACCOUNTS}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about},
            {"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": role["name"]}, "rules": rules},
            {"apiVersion": rbac, "kind": "ClusterRoleBinding", "metadata": {"name": role["name"]},
             "roleRef": role, "subjects": [subject]},
        ):  # fmt: skip
            self.api.apply(made)
        return self.kubeconfig(name, self.token(name, lasts))

    def token(self, account: str, lasts: timedelta = FOREVER, namespace: str = ACCOUNTS) -> str:
        """One of the API server's own kind, for as short as a test wants."""
        uid = self.api.get("v1", "ServiceAccount", account, namespace)["metadata"]["uid"]
        return self._tokens.token(namespace, account, uid, lasts)

    def as_person(self, user: str, groups: tuple[str, ...] = (), lasts: timedelta = FOREVER) -> Path:
        """A kubeconfig by client certificate."""
        return self.kubeconfig(user, certificate=self._authority.client(user, groups, lasts))

    def writes_of(self, user: str) -> list[str]:
        """What the user asked for that is no read, by the audit log of an `audited` API server."""
        lines = (self.folder / "audit.log").read_text(encoding="utf-8").splitlines()
        said = [json.loads(line) for line in lines]
        return [f"{each['verb']} {each['requestURI']}" for each in said if each["user"].get("username") == user]

    # --- faults

    def restart_api_server(self) -> None:
        """Killed, and back on the same port; what it kept in memory of the past is gone."""
        self.api_server.kill()
        self.api_server.start()

    def compact(self) -> None:
        """Makes etcd forget every revision but the newest, as it does by itself every few minutes."""
        now = self._ask_etcd("kv/range", {"key": "AA==", "count_only": True})["header"]["revision"]
        self._ask_etcd("kv/compaction", {"revision": now, "physical": True})

    def backup(self) -> Path:
        """What etcd keeps now, for `restore`."""
        kept = self.folder / "etcd-backup"
        self.etcd.stop()
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.folder / "etcd", kept)
        self.etcd.start()
        return kept

    def restore(self, kept: Path) -> None:
        """What was written since is gone, and revisions are given a second time."""
        for part in reversed(self.parts):
            part.kill()
        shutil.rmtree(self.folder / "etcd")
        shutil.copytree(kept, self.folder / "etcd")
        self.etcd.start()
        self.api_server.start()
        for part in self.parts[2:]:  # else they wait for versions that are far ahead, and miss what happens until then
            part.start()

    def _ask_etcd(self, path: str, body: Json) -> Json:
        request = urllib.request.Request(f"http://{HERE}:{self._etcd_port}/v3/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: Json = json.load(answer)
            return found

    # --- the parts

    def _write(self, name: str, content: bytes) -> Path:
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_bytes(content)
        return file

    def _etcd(self) -> Part:
        own, peers = f"http://{HERE}:{self._etcd_port}", f"http://{HERE}:{lasting_port()}"
        command = [str(binary("etcd")), f"--data-dir={self.folder / 'etcd'}", "--log-level=warn"]
        command += [f"--listen-client-urls={own}", f"--advertise-client-urls={own}", "--name=one"]
        command += [f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"]
        command += [f"--initial-cluster=one={peers}"]
        command += ["--unsafe-no-fsync"]  # what is killed here is a process, never the machine
        return Part("etcd", command, Ready(f"{own}/readyz"), self.folder)

    def _api_server(self) -> Part:
        certificate, key = self._authority.server("localhost", HERE, "kubernetes.default.svc", "10.96.0.1")
        signing = self._write("accounts.key", self._tokens.key)
        proxy = self._authority.client("front-proxy")
        tokens = self._write("tokens.csv", f'{self._admin_token},admin,admin,"system:masters"\n'.encode())
        command = [
            str(binary("kubernetes")),
            "kube-apiserver",
            f"--etcd-servers=http://{HERE}:{self._etcd_port}",
            f"--bind-address={HERE}",
            f"--advertise-address={HERE}",
            f"--secure-port={self._port}",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self.folder}",
            f"--tls-cert-file={self._write('server.crt', certificate)}",
            f"--tls-private-key-file={self._write('server.key', key)}",
            f"--client-ca-file={self._ca}",
            f"--requestheader-client-ca-file={self._ca}",
            "--requestheader-allowed-names=front-proxy",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={self._write('proxy.crt', proxy[0])}",
            f"--proxy-client-key-file={self._write('proxy.key', proxy[1])}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-signing-key-file={signing}",
            f"--service-account-key-file={signing}",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--token-auth-file={tokens}",
            "--anonymous-auth=false",
            "--authorization-mode=Node,RBAC",
            f"--feature-gates={GATES}",
            f"--runtime-config={APIS}",
            "--profiling=false",
            *(self._auditing() if self._audited else ()),
        ]
        return Part("kube-apiserver", command, Ready(f"{self.url}/readyz", self._ca, self._admin_token), self.folder)

    def _auditing(self) -> tuple[str, ...]:
        """Whatever is no read is written down, refused or not."""
        rules = [{"level": "None", "verbs": ["get", "list", "watch"]}, {"level": "Metadata"}]
        policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules}
        file = self._write("audit-policy.yaml", yaml.safe_dump(policy).encode())
        return f"--audit-policy-file={file}", f"--audit-log-path={self.folder / 'audit.log'}"

    def _controllers(self) -> Part:
        return self._client(
            "kube-controller-manager",
            f"--service-account-private-key-file={self.folder / 'accounts.key'}",
            f"--root-ca-file={self._ca}",
            "--use-service-account-credentials",
            "--node-monitor-grace-period=24h",  # nobody renews the nodes' leases every ten seconds
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        )

    def _scheduler(self) -> Part:
        return self._client("kube-scheduler", "--kube-api-qps=200", "--kube-api-burst=400")

    def _client(self, name: str, *more: str) -> Part:
        port = lasting_port()
        command = [str(binary("kubernetes")), name, f"--kubeconfig={self.admin}", f"--bind-address={HERE}"]
        command += [f"--authentication-kubeconfig={self.admin}", f"--authorization-kubeconfig={self.admin}"]
        command += [f"--secure-port={port}", f"--cert-dir={self.folder / name}", "--leader-elect=false"]
        command += [f"--feature-gates={GATES}", "--profiling=false", *more]
        certificate, key = self._authority.server("localhost", HERE)
        command += [f"--tls-cert-file={self._write(f'{name}.crt', certificate)}"]
        command += [f"--tls-private-key-file={self._write(f'{name}.key', key)}"]
        return Part(name, command, Ready(f"https://{HERE}:{port}/healthz", self._ca), self.folder)

    def _kwok(self) -> Part:
        port = lasting_port()
        stages = self._write("stages.yaml", kubelet_stages(binary("kwok")).encode())
        command = [str(binary("kwok")), f"--kubeconfig={self.admin}", f"--config={stages}"]
        chosen = ",".join(f"{key}={value}" for key, value in FAKE.items())
        command += [f"--manage-nodes-with-annotation-selector={chosen}", f"--server-address={HERE}:{port}"]
        command += ["--node-lease-duration-seconds=0", "--cidr=10.128.0.0/9"]
        return Part("kwok", command, Ready(f"http://{HERE}:{port}/healthz"), self.folder)


def main() -> None:
    """Starts what is asked for, prints where it is as JSON, and stays until it is interrupted."""
    from kueue_server import Kueue  # it needs this module

    asks = argparse.ArgumentParser(description=main.__doc__)
    asks.add_argument("--keep", action="store_true", required=True, help="stay up, and take all down at the end")
    asks.add_argument("--kueue", action="store_true", help="with Kueue")
    asks.add_argument("--nodes", type=int, default=0, metavar="N", help="with N fake nodes of 8 GPUs")
    asks.add_argument("--folder", type=Path, help="for keys, logs and data, instead of a new one that is removed")
    told = asks.parse_args()
    folder = told.folder or Path(tempfile.mkdtemp(prefix="watchkeeper-plane-"))
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    plane = ControlPlane(folder.absolute())
    try:
        if told.kueue:
            Kueue(plane)
        if told.nodes:
            make_nodes(plane.api, told.nodes)
        found = {"kubeconfig": str(plane.admin), "url": plane.url, "folder": str(plane.folder)}
        found["pids"] = {part.name: part.pid for part in plane.parts}
        print(json.dumps(found | {"started_in_s": round(time.monotonic() - began, 1)}, indent=2), flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
    finally:
        plane.stop()
        if told.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
