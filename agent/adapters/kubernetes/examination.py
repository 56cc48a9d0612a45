"""Questions to an API server that only `watchkeeper doctor` asks: who are we, what may we do, what is installed.

Each is one request with a short time limit, and changes nothing: a SelfSubjectAccessReview is asked, not stored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient
from kubernetes.config.config_exception import ConfigException

from agent.adapters.kubernetes.live.refusals import fault_of
from agent.ports import ClusterUnavailable, JsonObject

TIMEOUT_S = 5.0  # a person waits


@dataclass(frozen=True, slots=True)
class Access:
    """One verb on one resource; `resource` with its subresource after a slash."""

    group: str
    resource: str
    verb: str
    namespace: str | None = None
    name: str = ""

    @property
    def what(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        name = f" {self.name}" if self.name else ""
        return f"{self.resource}{f'.{self.group}' if self.group else ''}{name}{where}"

    def __str__(self) -> str:
        return f"{self.verb} {self.what}"


@dataclass(frozen=True, slots=True)
class Served:
    plural: str
    namespaced: bool


class Examination:
    """All methods raise ClusterFault."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self.server_time: datetime | None = None

    def version(self) -> str:
        return str(self._ask("GET", "/version").get("gitVersion"))

    def whoami(self) -> str:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        said = self._ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        return str(((said.get("status") or {}).get("userInfo") or {}).get("username") or "unknown")

    def may(self, access: Access) -> bool:
        resource, _, sub = access.resource.partition("/")
        asked = {"group": access.group, "resource": resource, "verb": access.verb}
        more = {"subresource": sub, "namespace": access.namespace or "", "name": access.name}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked | {key: value for key, value in more.items() if value}},
        }
        said = self._ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool((said.get("status") or {}).get("allowed"))

    def served(self, group: str) -> Sequence[str]:
        """The versions of an API group, the preferred first; none where it is not served."""
        groups = self._ask("GET", "/apis").get("groups") or ()
        found = next((each for each in groups if each.get("name") == group), None)
        return [str(version["version"]) for version in found.get("versions") or ()] if found else []

    def resources(self, group: str, version: str) -> Sequence[str]:
        listed = self._ask("GET", f"/apis/{group}/{version}").get("resources") or ()
        return [str(each.get("name")) for each in listed]

    def resource_of(self, group: str, version: str, kind: str) -> Served | None:
        """What a kind is called in paths; None where this version has none."""
        listed = self._ask("GET", f"/apis/{group}/{version}").get("resources") or ()
        found = (each for each in listed if each.get("kind") == kind and "/" not in str(each.get("name")))
        return next((Served(str(each["name"]), bool(each.get("namespaced"))) for each in found), None)

    def deployments(self, labels: Mapping[str, str]) -> Sequence[JsonObject]:
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        found = self._ask("GET", f"/apis/apps/v1/deployments?{urlencode({'labelSelector': selector})}")
        return list(found.get("items") or ())

    def get(self, path: str) -> JsonObject:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        asked = f"{method} {path}"
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            answer = self._client.rest_client.pool_manager.request(
                method,
                self._client.configuration.host + path,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=urllib3.Timeout(total=TIMEOUT_S),
                retries=False,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError, ConfigException) as error:
            raise ClusterUnavailable(f"{asked}: {' '.join(str(error).split())[:300]}") from error
        if not 200 <= answer.status < 300:
            raise fault_of(answer.status, answer.data, answer.headers, asked)
        self._note_time(answer.headers.get("Date"))
        return _object(answer.data, asked)

    def _note_time(self, said: str | None) -> None:
        try:
            moment = parsedate_to_datetime(said or "")
        except (ValueError, TypeError):
            return
        self.server_time = moment.replace(tzinfo=moment.tzinfo or UTC)


def _object(data: bytes, asked: str) -> JsonObject:
    try:
        found: Any = json.loads(data)
    except ValueError as error:
        raise ClusterUnavailable(f"{asked}: the answer is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ClusterUnavailable(f"{asked}: the answer is no object")
    return found
