"""One JSON object read strictly: every value has its type, every key is known, every error names the place."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

from scheduler_core.errors import INT32

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class BadCase(ValueError):
    """A table that cannot be read: where, and why."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where, self.why = where, why


class Fields:
    """Values are taken out one by one; what is left at the `end` was never known."""

    def __init__(self, raw: object, where: str) -> None:
        if not isinstance(raw, dict):
            raise BadCase(where, f"an object is wanted, not {_told(raw)}")
        self._left: dict[str, object] = dict(raw)
        self.where = where

    def at(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def told(self, key: str) -> bool:
        """Is the key there, be it with null?"""
        return key in self._left

    def has(self, key: str) -> bool:
        return self._left.get(key) is not None

    def raw(self, key: str) -> object:
        """None where the key is absent: an absent key and null are the same."""
        return self._left.pop(key, None)

    def end(self) -> None:
        if self._left:
            unknown = ", ".join(repr(key) for key in sorted(self._left))
            raise BadCase(self.where or "case", f"unknown key {unknown}")

    def maybe_text(self, key: str) -> str | None:
        """An empty text is none."""
        value = self.raw(key)
        if value is not None and not isinstance(value, str):
            raise BadCase(self.at(key), f"a text is wanted, not {_told(value)}")
        return value or None

    def text(self, key: str, default: str | None = None) -> str:
        value = self.maybe_text(key)
        if value is None and default is None:
            raise BadCase(self.at(key), "is missing")
        return str(default if value is None else value)

    def maybe_priority(self, key: str) -> int | None:
        value = self.maybe_whole(key, least=None)
        if value is not None and not INT32[0] <= value <= INT32[1]:
            raise BadCase(self.at(key), f"{value} has no room in 32 bits")
        return value

    def maybe_whole(self, key: str, least: int | None = 0) -> int | None:
        value = self.raw(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadCase(self.at(key), f"an integer is wanted, not {_told(value)}")
        if least is not None and value < least:
            raise BadCase(self.at(key), f"{value} is below {least}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.raw(key)
        if value is not None and not isinstance(value, bool):
            raise BadCase(self.at(key), f"true or false is wanted, not {_told(value)}")
        return default if value is None else value

    def choice(self, key: str, kind: type[E], default: E) -> E:
        value = self.maybe_text(key)
        return default if value is None else chosen(kind, value, self.at(key))

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(text_at(value, where) for value, where in self.items(key))

    def items(self, key: str) -> list[tuple[object, str]]:
        """The list under the key, each value with its place."""
        value = self.raw(key)
        if value is not None and not isinstance(value, list):
            raise BadCase(self.at(key), f"a list is wanted, not {_told(value)}")
        return [(each, f"{self.at(key)}[{index}]") for index, each in enumerate(value or [])]

    def entries(self, key: str) -> dict[str, tuple[object, str]]:
        """The object under the key, each value with its place."""
        value = self.raw(key)
        if value is not None and not isinstance(value, dict):
            raise BadCase(self.at(key), f"an object is wanted, not {_told(value)}")
        return {name: (each, f"{self.at(key)}.{name}") for name, each in (value or {}).items()}

    def text_map(self, key: str) -> dict[str, str]:
        return {name: text_at(each, where, empty=True) for name, (each, where) in self.entries(key).items()}

    def each(self, key: str, reader: "Callable[[Fields], T]") -> tuple[T, ...]:
        return tuple(read(value, where, reader) for value, where in self.items(key))

    def one(self, key: str, reader: "Callable[[Fields], T]") -> T:
        """The object under the key; an absent one reads as an empty one."""
        value = self.raw(key)
        return read({} if value is None else value, self.at(key), reader)

    def maybe_one(self, key: str, reader: "Callable[[Fields], T]") -> T | None:
        value = self.raw(key)
        return None if value is None else read(value, self.at(key), reader)


def read(raw: object, where: str, reader: Callable[[Fields], T]) -> T:
    fields = Fields(raw, where)
    result = reader(fields)
    fields.end()
    return result


def chosen(kind: type[E], value: str, where: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise BadCase(where, f"{value!r} is none of {', '.join(kind)}") from None


def text_at(value: object, where: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty):
        raise BadCase(where, f"a text is wanted, not {_told(value)}")
    return value


def no_twice(pairs: list[tuple[str, object]]) -> Mapping[str, object]:
    """For `json.loads`, which would keep the last of two equal keys without a word."""
    result: dict[str, object] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key!r} is given twice in one object")
        result[key] = value
    return result


def _told(value: object) -> str:
    return "null" if value is None else f"{type(value).__name__} {value!r}"[:80]
