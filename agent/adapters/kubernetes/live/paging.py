"""A list in pages, so that neither the server nor we hold a large answer at once."""

from collections.abc import Iterator, Sequence
from typing import Any

from agent.adapters.kubernetes.live.connection import Connection
from agent.adapters.kubernetes.live.discovery import Resource
from agent.ports import JsonObject

PAGE_OBJECTS = 200  # 2 MB of pods: what is parsed and thrown away leaves holes between what is kept


class Pages:
    """Each page's objects; `version` is that of the whole list, and stands once the first page is there.

    Raises Gone where the server has forgotten the list half way.
    """

    def __init__(
        self,
        connection: Connection,
        resource: Resource,
        namespace: str | None = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._connection = connection
        self._resource = resource
        self._path = resource.collection(namespace)
        self._query = query
        self.version = ""

    def __iter__(self) -> Iterator[list[JsonObject]]:
        token = ""
        while True:
            further = [("continue", token)] if token else []
            page = self._connection.read(self._path, [*self._query, ("limit", str(PAGE_OBJECTS)), *further])
            metadata: Any = page.get("metadata") or {}
            self.version = str(metadata.get("resourceVersion") or self.version)
            yield [self._named(each) for each in page.get("items") or ()]
            token = str(metadata.get("continue") or "")
            if not token:
                return

    def _named(self, item: JsonObject) -> JsonObject:
        """The objects of a list do not say what they are."""
        return {"apiVersion": self._resource.api_version, "kind": self._resource.kind, **item}


def newest(connection: Connection, resource: Resource) -> int:
    """The version that the server is at now; 0 where it says none."""
    page = connection.read(resource.collection(), [("limit", "1")])
    version = str((page.get("metadata") or {}).get("resourceVersion") or "")
    return int(version) if version.isdecimal() else 0
