"""The real Kueue beside a control plane of ours: its CRDs, its webhooks and its controller, on loopback.

What it is installed with comes from its own module (config/components, Apache-2.0), as `kustomize` would put it
together, except that the API server finds the webhooks by address, as no Service leads out of this cluster. Its
visibility API is off: it can only keep its certificate in a folder under the root of the machine.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from certificates import Authority
from control_plane import HERE, ControlPlane
from go_tools import files_beside
from kube import Api, Json, condition
from parts import Part, Ready, binary, lasting_port
from servers import wait_for

NAMESPACE = "kueue-system"
PREFIX = "kueue-"
SERVICE = "kueue-webhook-service"
SECRET = "kueue-webhook-server-cert"
CA = "kueue-ca"  # by another name Kueue would make certificates of its own, and nobody would lay them where it serves
ACCOUNT = "kueue-controller-manager"
BEYOND_JOBS = ("kube-system", NAMESPACE)  # whose jobs and pods Kueue's webhooks leave alone
GROUP = "kueue.x-k8s.io"
# What a test may make here: whatever else Kueue knows needs CRDs of its own.
FRAMEWORKS = ["batch/job", "pod", "deployment", "statefulset"]


def install_crds(api: Api, converter: Json | None = None) -> None:
    """Waits until they are established. Without a `converter`, who calls it, objects are kept as they were written."""
    files = sorted((_files() / "crd" / "bases").glob("*.yaml"))
    patched = {_read(file)[0]["metadata"]["name"]: _read(file)[0] for file in _conversions()}
    made = [_read(file)[0] for file in files]
    for crd in made:
        if converter and crd["metadata"]["name"] in patched:
            crd["spec"]["conversion"] = patched[crd["metadata"]["name"]]["spec"]["conversion"]
            crd["spec"]["conversion"]["webhook"]["clientConfig"] = converter
    _apply(api, made)
    kind = "CustomResourceDefinition"
    names = {crd["metadata"]["name"] for crd in made}

    def established() -> bool:
        found = api.list("apiextensions.k8s.io/v1", kind)
        return names <= {crd["metadata"]["name"] for crd in found if condition(crd, "Established") == "True"}

    wait_for("Kueue's CRDs are established", established)


class Kueue:
    """`part` is the controller, to be killed and started; `settings` go over its Configuration (v1beta2)."""

    def __init__(self, plane: ControlPlane, **settings: Any) -> None:
        self._plane, self._folder = plane, plane.folder / "kueue"
        self._authority = Authority(CA, like_kueue=True)
        self._folder.mkdir()
        self._ports = {name: lasting_port() for name in ("webhook", "health", "metrics")}
        plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        self._keep_certificates()
        install_crds(plane.api, self._called("/convert"))
        _apply(plane.api, list(self._roles()))
        config = self._folder / "config.yaml"
        config.write_text(yaml.safe_dump(self._configuration() | settings))
        command = [str(binary("kueue")), f"--config={config}", "--zap-log-level=2"]
        command += ["--feature-gates=VisibilityOnDemand=false"]
        kubeconfig = plane.kubeconfig(ACCOUNT, plane.token(ACCOUNT, namespace=NAMESPACE))
        env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        ready = Ready(f"http://{HERE}:{self._ports['health']}/readyz")
        self.part = plane.also(Part("kueue", command, ready, self._folder, env))
        _apply(plane.api, list(self._admission()))  # last: until it answers, every pod would be refused

    def _called(self, path: str) -> Json:
        trusted = base64.b64encode(self._authority.certificate).decode()
        return {"url": f"https://{HERE}:{self._ports['webhook']}{path}", "caBundle": trusted}

    def _configuration(self) -> Json:
        certificates = {"enable": True, "webhookServiceName": SERVICE, "webhookSecretName": SECRET}
        return {
            "apiVersion": f"config.{GROUP}/v1beta2",
            "kind": "Configuration",
            "namespace": NAMESPACE,
            "health": {"healthProbeBindAddress": f"{HERE}:{self._ports['health']}"},
            "metrics": {"bindAddress": f"{HERE}:{self._ports['metrics']}"},
            "webhook": {"host": HERE, "port": self._ports["webhook"], "certDir": str(self._folder)},
            "leaderElection": {"leaderElect": False},
            "clientConnection": {"qps": 300, "burst": 500},
            "internalCertManagement": certificates,
            "integrations": {"frameworks": FRAMEWORKS},
        }

    def _keep_certificates(self) -> None:
        """Where Kueue looks for them, and in the Secret out of which a kubelet would have laid them there."""
        name = f"{SERVICE}.{NAMESPACE}.svc"
        certificate, key = self._authority.server(name, HERE, common_name=name)
        kept = {"ca.crt": self._authority.certificate, "ca.key": self._authority.key}
        kept |= {"tls.crt": certificate, "tls.key": key}
        for file, pem in kept.items():
            (self._folder / file).write_bytes(pem)
        data = {name: base64.b64encode(pem).decode() for name, pem in kept.items()}
        about = {"name": SECRET, "namespace": NAMESPACE}
        self._plane.api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": about, "data": data})

    def _roles(self) -> Iterator[Json]:
        """The rules that Kueue asks for itself, for the account it runs as."""
        for file in sorted((_files() / "rbac").glob("*.yaml")):
            for made in _read(file):
                if made.get("kind") in ("ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"):
                    yield _named(made)

    def _admission(self) -> Iterator[Json]:
        beyond = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": list(BEYOND_JOBS)}
        for made in _read(_files() / "webhook" / "manifests.yaml"):
            made["metadata"]["name"] = PREFIX + made["metadata"]["name"]
            for webhook in made["webhooks"]:
                path = webhook["clientConfig"]["service"]["path"]
                webhook["clientConfig"] = self._called(path)
                if not any(GROUP in rule["apiGroups"] for rule in webhook["rules"]):
                    webhook["namespaceSelector"] = {"matchExpressions": [beyond]}
            yield made


def _named(made: Json) -> Json:
    """With kustomize's prefix and namespace, wherever one of them is named."""
    for about in (made["metadata"], made.get("roleRef"), *made.get("subjects", ())):
        if about is None:
            continue
        about["name"] = PREFIX + about["name"]
        if "namespace" in about:
            about["namespace"] = NAMESPACE
    if made["kind"] in ("Role", "RoleBinding", "ServiceAccount"):
        made["metadata"]["namespace"] = NAMESPACE
    for rule in made.get("rules", ()):
        if "admissionregistration.k8s.io" in rule.get("apiGroups", ()) and "resourceNames" in rule:
            rule["resourceNames"] = [PREFIX + name for name in rule["resourceNames"]]
    return made


def _apply(api: Api, made: list[Json]) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(api.apply, made))


def _files() -> Path:
    return files_beside(binary("kueue")) / "config" / "components"


def _conversions() -> list[Path]:
    """The patches that its kustomization takes; the others are for installations with cert-manager."""
    taken = _read(_files() / "crd" / "kustomization.yaml")[0]["patches"]
    return [_files() / "crd" / each["path"] for each in taken]


def _read(file: Path) -> list[Json]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a megabyte of schemas: 20 times as fast where it is there
    return [document for document in yaml.load_all(file.read_text(), loader) if document]
