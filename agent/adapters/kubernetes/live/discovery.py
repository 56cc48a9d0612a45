"""What the server serves: the path, the scope, the verbs and the subresources of each kind in each version.

By aggregated discovery (Kubernetes 1.30 and newer): two requests, however many CRDs there are. Asked again when a kind
is missing or a path has vanished, since CRDs come and go while we run. A server that is not ready yet is not believed:
it tells of no CRD before it has read them all.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from agent.adapters.kubernetes.live.connection import Connection
from agent.domain.cluster import ObjectRef
from agent.ports import ClusterFault, ClusterUnavailable, Invalid, JsonObject, NotServed

ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
ASK_AGAIN_S = 5.0  # a kind that is not served is asked for by many at once
_LISTED = "APIGroupDiscoveryList"

Served = Mapping[tuple[str, str], "Resource"]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind in one version."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]
    subresources: frozenset[str]

    def collection(self, namespace: str | None = None) -> str:
        """The path of all of them, or of those in a namespace."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        inside = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{inside}/{self.plural}"

    def path(self, ref: ObjectRef, subresource: str = "") -> str:
        """Raises Invalid for an object of a namespace that names none, and for what is no name."""
        if self.namespaced and not ref.namespace:
            raise Invalid(f"{ref}: a {self.kind} lies in a namespace")
        if {ref.name, ref.namespace} & {".", "..", ""}:
            raise Invalid(f"{ref}: no object has that name")  # and the path would lead elsewhere
        path = f"{self.collection(ref.namespace)}/{quote(ref.name, safe='')}"
        return f"{path}/{subresource}" if subresource else path


class Catalogue:
    """Safe for several threads. `clock_s` counts seconds, from whenever."""

    def __init__(self, connection: Connection, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._served: Served = {}
        self._asked_at: float | None = None

    def find(self, api_version: str, kind: str) -> Resource:
        """Raises NotServed for what the server does not serve, and what it raises itself."""
        found = self._served.get((api_version, kind))
        if found is None and self._ask_again():
            found = self._served.get((api_version, kind))
        if found is None:
            raise NotServed(f"{api_version} {kind} is not served")
        return found

    def of(self, ref: ObjectRef) -> Resource:
        return self.find(ref.api_version, ref.kind)

    def kinds(self, group: str) -> dict[str, frozenset[str]]:
        """What is served of a group, by version, as the server said last. Raises what asking it raises."""
        if not self._served:
            self._ask_again()
        found: dict[str, set[str]] = {}
        for api_version, kind in self._served:
            named, _, version = api_version.rpartition("/")
            if named == group:
                found.setdefault(version, set()).add(kind)
        return {version: frozenset(kinds) for version, kinds in found.items()}

    def doubt(self) -> None:
        """A path that was served answers 404 now: the next question is put to the server, not to memory."""
        with self._lock:
            self._asked_at, self._served = None, {}

    def _ask_again(self) -> bool:
        with self._lock:
            now = self._clock_s()
            if self._asked_at is not None and now - self._asked_at < ASK_AGAIN_S:
                return True  # another thread has just asked
            if not self._connection.ready():
                raise ClusterUnavailable("the API server is not ready: what it serves is not known yet")
            served: dict[tuple[str, str], Resource] = {}
            for path in ("/api", "/apis"):
                document = self._connection.read(path, accept=ACCEPT)
                served |= {(each.api_version, each.kind): each for each in resources_in(document)}
            self._served, self._asked_at = served, now
        return True


def resources_in(document: JsonObject) -> Iterator[Resource]:
    """Raises ClusterFault for a server that is too old to tell."""
    if document.get("kind") != _LISTED:
        found = document.get("kind")
        raise ClusterFault(f"discovery: expected {_LISTED}, found {found!r}: Kubernetes 1.30 or newer is needed")
    for group in document.get("items") or ():
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or ():
            served = f"{name}/{version['version']}" if name else str(version["version"])
            yield from (_resource(served, each) for each in version.get("resources") or () if each.get("responseKind"))


def _resource(api_version: str, told: Mapping[str, Any]) -> Resource:
    return Resource(
        api_version=api_version,
        kind=str(told["responseKind"].get("kind") or ""),
        plural=str(told["resource"]),
        namespaced=told.get("scope") == "Namespaced",
        verbs=frozenset(told.get("verbs") or ()),
        subresources=frozenset(str(each.get("subresource")) for each in told.get("subresources") or ()),
    )
