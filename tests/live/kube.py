"""What a test does to a cluster as its administrator: objects as plain JSON, by any kubeconfig.

It is no client under test: the agent's own way to the API is `agent/adapters/kubernetes`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kubernetes import config
from servers import READY_TIMEOUT_S, wait_for

Json = dict[str, Any]
OURS = "watchkeeper-tests"  # as field manager
REQUEST_TIMEOUT_S = 30.0
CONTENT = {"apply": "application/apply-patch+yaml", "merge": "application/merge-patch+json"}


class Refused(Exception):
    """What the API server answered instead."""

    def __init__(self, code: int, answer: str) -> None:
        super().__init__(f"{code}: {answer}")
        self.code, self.answer = code, answer


class Api:
    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._client = config.new_client_from_config(config_file=str(kubeconfig), persist_config=False)
        self._kinds: dict[tuple[str, str], tuple[str, bool]] = {}

    def ask(self, verb: str, path: str, body: Any = None, content: str = "application/json", **query: Any) -> Json:
        """The answer's JSON. Raises Refused."""
        text = self.text(verb, path, body, content, **query)
        answer: Json = json.loads(text) if text.startswith("{") else {"text": text}
        return answer

    def text(self, verb: str, path: str, body: Any = None, content: str = "application/json", **query: Any) -> str:
        request = self._client.param_serialize(
            verb, path, query_params=list(query.items()), body=body, auth_settings=["BearerToken"],
            header_params={"Accept": "application/json", "Content-Type": content},
        )  # fmt: skip
        response = self._client.call_api(*request, _request_timeout=REQUEST_TIMEOUT_S)
        said = (response.read() or b"").decode()
        if response.status >= 400:
            raise Refused(response.status, said)
        return said

    def create(self, made: Json) -> Json:
        return self.ask("POST", self.path(made, collection=True), made, fieldManager=OURS)

    def apply(self, made: Json) -> Json:
        """Server-side, whoever else manages these fields."""
        return self.ask("PATCH", self.path(made), made, CONTENT["apply"], fieldManager=OURS, force="true")

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Json:
        return self.ask("GET", self.path(reference(api_version, kind, name, namespace)))

    def find(self, api_version: str, kind: str, name: str, namespace: str = "") -> Json | None:
        try:
            return self.get(api_version, kind, name, namespace)
        except Refused as refused:
            if refused.code != 404:
                raise
            return None

    def list(self, api_version: str, kind: str, namespace: str = "", **query: str) -> list[Json]:
        """All of a namespace, or of all namespaces."""
        wanted = reference(api_version, kind, "", namespace)
        found: list[Json] = self.ask("GET", self.path(wanted, collection=True), **query)["items"]
        return found

    def merge(self, of: Json, change: Json, part: str = "") -> Json:
        """A merge patch of the object, or of a part of it such as its status."""
        return self.ask("PATCH", self.path(of) + (f"/{part}" if part else ""), change, CONTENT["merge"])

    def delete(self, of: Json, **options: Any) -> None:
        self.ask("DELETE", self.path(of), options or None)

    def path(self, of: Json, collection: bool = False) -> str:
        group, kind, about = of["apiVersion"], of["kind"], of["metadata"]
        plural, namespaced = self._kind(group, kind)
        root = f"/api/{group}" if "/" not in group else f"/apis/{group}"
        within = f"/namespaces/{about['namespace']}" if namespaced and about.get("namespace") else ""
        return f"{root}{within}/{plural}" + ("" if collection else f"/{about['name']}")

    def _kind(self, group: str, kind: str) -> tuple[str, bool]:
        if (group, kind) not in self._kinds:
            found = self.ask("GET", f"/api/{group}" if "/" not in group else f"/apis/{group}")["resources"]
            known = {r["kind"]: (r["name"], r["namespaced"]) for r in found if "/" not in r["name"]}
            self._kinds |= {(group, each): place for each, place in known.items()}
        return self._kinds[group, kind]

    def wait(self, what: str, *of: str, until: Any, timeout_s: float = READY_TIMEOUT_S) -> Json:
        """The object (api version, kind, name, namespace) once `until` holds of it."""

        def look() -> Json | None:
            found = self.find(*of)
            return found if found is not None and until(found) else None

        return wait_for(what, look, timeout_s)


def reference(api_version: str, kind: str, name: str, namespace: str = "") -> Json:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def condition(of: Json, kind: str) -> str:
    """True, False, Unknown, or nothing where it is not there."""
    said = of.get("status", {}).get("conditions") or ()  # null of a CRD that was just made
    found = [each["status"] for each in said if each["type"] == kind]
    return str(found[0]) if found else ""
