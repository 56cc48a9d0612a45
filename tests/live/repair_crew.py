"""The site's repair system: a custom resource per request, and a controller that reboots what it is asked to."""

from __future__ import annotations

import threading
from typing import Any

from kube import Api, Json, Refused, condition
from servers import wait_for
from site_telemetry import SiteTelemetry

GROUP, VERSION, KIND, PLURAL = "janitor.dgxc.nvidia.com", "v1alpha1", "RebootNode", "rebootnodes"
API_VERSION = f"{GROUP}/{VERSION}"
SETTINGS = {
    "operations": {"reboot": {"apiVersion": API_VERSION, "kind": KIND, "spec": {"nodeName": "{node}"}}},
    "done": ["NodeReady"],
}
RULES: list[Json] = [{"apiGroups": [GROUP], "resources": [PLURAL], "verbs": ["get", "create", "patch"]}]
LOOKS_EVERY_S = 0.5


def install_crd(api: Api) -> None:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": VERSION, "served": True, "storage": True, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}},
    }  # fmt: skip
    names = {"kind": KIND, "plural": PLURAL, "singular": KIND.lower()}
    spec = {"group": GROUP, "scope": "Cluster", "names": names, "versions": [version]}
    about = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{PLURAL}.{GROUP}")
    api.apply({"apiVersion": about[0], "kind": about[1], "metadata": {"name": about[2]}, "spec": spec})
    wait_for("the repair system's CRD is established", lambda: condition(api.get(*about), "Established") == "True")


class RepairCrew:
    """`rebooted` are nodes; `ran_on`: pods with GPUs that a reboot would have taken along."""

    def __init__(self, api: Api, telemetry: SiteTelemetry) -> None:
        self._api, self._telemetry = api, telemetry
        self.rebooted: list[str] = []
        self.ran_on: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(LOOKS_EVERY_S):
            try:
                asked = self._api.list(API_VERSION, KIND)
            except (Refused, KeyError):
                continue  # its kind is not served yet
            for request in asked:
                if not condition(request, "NodeReady"):
                    self._reboot({"apiVersion": API_VERSION, "kind": KIND, **request})

    def _reboot(self, request: Json) -> None:
        node = str(request["spec"]["nodeName"])
        self.ran_on += [pod["metadata"]["name"] for pod in self._api.list("v1", "Pod") if _lives_on(pod, node)]
        self.rebooted.append(node)
        self._telemetry.mended(node)
        done: dict[str, Any] = {"type": "NodeReady", "status": "True", "reason": "Rebooted"}
        self._api.merge(request, {"status": {"conditions": [done]}}, "status")


def _lives_on(pod: Json, node: str) -> bool:
    return pod["spec"].get("nodeName") == node and pod["status"].get("phase") in ("Pending", "Running")
