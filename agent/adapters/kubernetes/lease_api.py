"""One Lease on the API server: read, create, replace. What a lease means is left to leasing.py.

JSON as the server has it: the client's own model writes a MicroTime without its fraction where that is nought, which
the server refuses. A connection of its own, so that a renewal waits behind nobody's list; each request is made once,
since the next round is the second try. Credentials that are no longer accepted are read again.
"""

import json
from collections.abc import Callable
from typing import Any, Protocol

from kubernetes.client import ApiClient, CoordinationV1Api
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from agent.adapters.kubernetes.live.refusals import fault_of
from agent.ports import ClusterUnavailable, JsonObject, Unauthorized

TIMEOUT_S = 3.0  # three tries have to fit into a renew deadline of 10 s


class LeaseApi(Protocol):
    """All may raise ClusterFault."""

    def get(self) -> JsonObject:
        """Raises NotFound."""
        ...

    def create(self, lease: JsonObject) -> JsonObject: ...

    def replace(self, lease: JsonObject) -> JsonObject:
        """Raises Conflict where it is another version by now than `lease` was made from."""
        ...


class KubernetesLease:
    """Used by one thread. `connect` makes a client of its own, by what the files say now."""

    def __init__(self, connect: Callable[[], ApiClient], namespace: str, name: str) -> None:
        self._connect = connect
        self._namespace, self._name = namespace, name
        self._api: CoordinationV1Api | None = None

    def get(self) -> JsonObject:
        return self._asked(lambda api, more: api.read_namespaced_lease(self._name, self._namespace, **more))

    def create(self, lease: JsonObject) -> JsonObject:
        body: Any = lease
        return self._asked(lambda api, more: api.create_namespaced_lease(self._namespace, body, **more))

    def replace(self, lease: JsonObject) -> JsonObject:
        body: Any = lease
        return self._asked(lambda api, more: api.replace_namespaced_lease(self._name, self._namespace, body, **more))

    def _asked(self, call: Callable[[CoordinationV1Api, dict[str, Any]], Any]) -> JsonObject:
        try:
            return self._once(call)
        except Unauthorized:
            self._api = None
            return self._once(call)

    def _once(self, call: Callable[[CoordinationV1Api, dict[str, Any]], Any]) -> JsonObject:
        api = self._api = self._api or CoordinationV1Api(self._connect())
        asked = f"lease {self._namespace}/{self._name}"
        try:
            found: Any = json.loads(call(api, {"_preload_content": False, "_request_timeout": TIMEOUT_S}).data)
        except ApiException as error:
            if not error.status:  # nobody answered: the client wraps a handshake that failed so
                raise self._away(asked, error.reason) from error
            body = error.body if isinstance(error.body, bytes) else str(error.body or "").encode()
            raise fault_of(error.status or 0, body, dict(error.headers or {}), asked) from error
        except (HTTPError, OSError, ValueError) as error:
            raise self._away(asked, error) from error
        if not isinstance(found, dict):
            raise ClusterUnavailable(f"{asked}: the answer is no object")
        return found

    def _away(self, asked: str, error: object) -> ClusterUnavailable:
        """The client is made anew: the server may show a certificate that only the files of now know."""
        self._api = None
        return ClusterUnavailable(f"{asked}: {' '.join(str(error).split())}")
