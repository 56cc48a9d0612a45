"""Reads the YAML that a site writes, as strictly as what hangs on it asks for.

PyYAML takes the last of two keys of one name and says nothing: a freeze that was declared above another list of freezes
would be gone. It also reads what no JSON says (a number as a key, `.nan`, a moment as a date), where policies are given
JSON. Whose settings they are, and what is in them, is the reader's business.
"""

import math
from typing import Any

import yaml

VALUES_AT_MOST = 100_000  # written out, wherever an alias repeats them: the shipped limits have about two hundred
_MERGE = "tag:yaml.org,2002:merge"


class NotPlain(ValueError):
    """This is no YAML, or says what JSON does not; the message says where."""


class _Plain(yaml.SafeLoader):
    """Leaves 2026-12-20T00:00:00Z a string, and refuses a key that is given twice."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != _MERGE and str(key.value) in seen:
                line = key.start_mark.line + 1
                raise yaml.constructor.ConstructorError(None, None, f"line {line}: {key.value} is given twice")
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def plain_yaml(text: str) -> Any:
    """The one document of a text. Raises NotPlain."""
    try:
        loader = _Plain(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if _written_out(node, {}) > VALUES_AT_MOST:
            raise NotPlain(f"written out it has more than {VALUES_AT_MOST} values")
        return loader.construct_document(node)
    except NotPlain:
        raise
    except RecursionError:
        raise NotPlain("it nests without end") from None
    except (ValueError, yaml.YAMLError) as error:
        raise NotPlain(" ".join(str(error).split())) from error


def _written_out(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values there are with each alias in full; a few lines of aliases can stand for millions."""
    if id(node) not in known:
        known[id(node)] = VALUES_AT_MOST + 1  # of one that holds itself
        pairs = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = [part for pair in pairs for part in (pair if isinstance(pair, tuple) else (pair,))]
        known[id(node)] = 1 + sum(_written_out(part, known) for part in parts)
    return known[id(node)]


def refuse_unlike_json(value: Any, place: str = "") -> None:
    """Raises NotPlain for a key that is no text, and for a number that is none; `place` is where the value stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise NotPlain(f"{f'{place}.' if place else ''}{key}: a name is a text; put it between quotes")
            refuse_unlike_json(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            refuse_unlike_json(inner, f"{place}.{number}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise NotPlain(f"{place}: {value} is no number")
