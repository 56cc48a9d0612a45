"""Reads JSON that strangers wrote, one field at a time, and names the field that is wrong.

Missing fields are normal (defaults); a field of the wrong shape is a `MalformedObject` that says which object and
where. What the fields mean is left to nodes.py, pods.py, workloads.py and gangs.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from agent.domain.base import parse_rfc3339
from agent.domain.cluster import ObjectRef

MAX_INTEGER = 2**31 - 1  # int32, as Kubernetes has counts and priorities
NO_TIME = "0001-01-01T00:00:00Z"  # how Go writes a time that is not set


TIMES_KEPT = 10_000  # the conditions of one pod bear one time, and often those of a whole gang


class MalformedObject(ValueError):
    """One Kubernetes object cannot be read. The others can."""

    def __init__(self, raw: object, field: str, reason: str) -> None:
        super().__init__(f"{name_of(raw)}: {field}: {reason}")
        self.raw = raw
        self.object_name = name_of(raw)
        self.field = field
        self.reason = reason


def name_of(raw: object) -> str:
    """Kind/namespace/name as far as the object says it; '?' stands for what is missing."""
    if not isinstance(raw, Mapping):
        return "?"
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    kind, name = raw.get("kind") or "?", metadata.get("name") or "?"
    namespace = metadata.get("namespace")
    return f"{kind}/{namespace}/{name}" if namespace else f"{kind}/{name}"


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object at `path` inside the Kubernetes object `root`."""

    root: Mapping[str, Any]
    path: str
    values: Mapping[str, Any]

    @staticmethod
    def of(raw: object) -> "Fields":
        if not isinstance(raw, Mapping):
            raise MalformedObject(raw, "(object)", f"expected an object, found {_shown(raw)}")
        return Fields(raw, "", raw)

    def wrong(self, field: str, reason: str) -> MalformedObject:
        return MalformedObject(self.root, self._place(field), reason)

    def has(self, field: str) -> bool:
        return self.values.get(field) is not None

    def within(self, *fields: str) -> "Fields":
        """The object at this path of fields; an empty one where there is none."""
        here = self
        for field in fields:
            value = here.values.get(field)
            if value is None:
                value = {}
            if not isinstance(value, Mapping):
                raise here.wrong(field, f"expected an object, found {_shown(value)}")
            here = Fields(here.root, here._place(field), value)
        return here

    def objects(self, field: str) -> "list[Fields]":
        value = self.values.get(field)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(field, f"expected a list, found {_shown(value)}")
        found = []
        for index, item in enumerate(value):
            if not isinstance(item, Mapping):
                raise self.wrong(f"{field}[{index}]", f"expected an object, found {_shown(item)}")
            found.append(Fields(self.root, f"{self._place(field)}[{index}]", item))
        return found

    def text(self, field: str, default: str = "") -> str:
        value = self.values.get(field)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(field, f"expected text, found {_shown(value)}")
        return value

    def required_text(self, field: str) -> str:
        text = self.text(field)
        if not text:
            raise self.wrong(field, "missing")
        return text

    def integer(self, field: str, default: int) -> int:
        value = self.values.get(field)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_INTEGER:
            raise self.wrong(field, f"expected a whole number, found {_shown(value)}")
        return value

    def boolean(self, field: str, default: bool) -> bool:
        value = self.values.get(field)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(field, f"expected true or false, found {_shown(value)}")
        return value

    def moment(self, field: str) -> datetime | None:
        text = self.text(field)
        if not text or text == NO_TIME:
            return None
        try:
            return _moment(text)
        except (ValueError, OverflowError):
            raise self.wrong(field, f"expected an RFC 3339 time with its zone, found {_shown(text)}") from None

    def strings(self, field: str) -> dict[str, str]:
        """A map of text to text (labels, annotations); YAML authors leave out quotes. Never changed in place."""
        inner = self.within(field)
        values = inner.values
        if type(values) is dict and all(type(value) is str for value in values.values()):
            return values  # as it is kept: a cluster has these maps tens of thousands of times
        return {key: inner._as_text(key, value) for key, value in values.items()}

    def _as_text(self, key: str, value: object) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        if value is None:
            return ""
        raise self.wrong(key, f"expected text, found {_shown(value)}")

    def _place(self, field: str) -> str:
        return f"{self.path}.{field}" if self.path else field


def ref_of(root: Fields) -> ObjectRef:
    """The reference of a whole object."""
    metadata = root.within("metadata")
    return ObjectRef(
        api_version=root.required_text("apiVersion"),
        kind=root.required_text("kind"),
        namespace=metadata.text("namespace") or None,
        name=metadata.required_text("name"),
    )


@lru_cache(maxsize=TIMES_KEPT)
def _moment(text: str) -> datetime:
    return parse_rfc3339(text)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
