"""YAML text as plain data, strictly: no duplicate keys, times stay as written, and every place has a line number.

What the data means is format.py's business.
"""

from collections.abc import Sequence
from typing import Any

import yaml

LONGEST_FILE_MIB = 16  # a whole day with its telemetry written out is about 1 MiB

Path = Sequence[str | int]


class Unreadable(ValueError):
    """The text is no YAML document; `line` (from 1) says where."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader that refuses a key given twice and leaves `2026-11-02` a string."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key.value!r} given twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def load(text: str) -> Any:
    """The one document in `text`. Raises Unreadable."""
    if len(text.encode()) > LONGEST_FILE_MIB * 2**20:
        raise Unreadable(f"longer than {LONGEST_FILE_MIB} MiB", None)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(error.problem or str(error), mark.line + 1 if mark else None) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(str(error) or "nested too deeply", None) from error


def outline(text: str) -> yaml.Node | None:
    """The document's structure with line numbers, for `line_of`."""
    return yaml.compose(text, Loader=_Loader)


def line_of(node: yaml.Node | None, path: Path) -> int | None:
    """The line (from 1) where `path` is written, or the nearest thing above it that is."""
    line = None
    for segment in path:
        found = _child(node, segment)
        if found is None:
            break
        line, node = found
    return line


def _child(node: yaml.Node | None, segment: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(segment):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(segment, int) and segment < len(node.value):
        return node.value[segment].start_mark.line + 1, node.value[segment]
    return None


def dotted(path: Path) -> str:
    """`spec.timeline[3].at`"""
    text = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path)
    return text.removeprefix(".") or "the document"
