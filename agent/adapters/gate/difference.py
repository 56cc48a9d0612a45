"""What one bundle has that another lacks: a guardrail that is gone must not go unnoticed while the rest decides.

Named are reasons by their codes, rules by package and name, limits by their dotted names (of lists their members), and
policies by their files: those that came, went, or have another text. Pure; who is told is the business of whoever
reloads.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.adapters.rego.bundle import Bundle, syntax_tree
from agent.adapters.rego.scan import package_of, rule_names
from agent.ports import JsonObject

NAMES_AT_MOST = 100  # of one kind; what is more is counted


def difference(before: Bundle, after: Bundle) -> JsonObject:
    """`lost` and `added` by kind, `changed` policies and limits; what is empty is left out."""
    kinds = {
        "reasons": (set(before.reasons), set(after.reasons)),
        "rules": (_rules(before), _rules(after)),
        "limits": (set(_limits(before)), set(_limits(after))),
        "policies": ({name for name, _ in before.policies}, {name for name, _ in after.policies}),
    }
    found = {
        "lost": {kind: _named(old - new) for kind, (old, new) in kinds.items() if old - new},
        "added": {kind: _named(new - old) for kind, (old, new) in kinds.items() if new - old},
        "changed": _changed(before, after),
    }
    return {part: told for part, told in found.items() if told}


def in_words(found: Mapping[str, Any]) -> str:
    """One line for a terminal: what is lost first, since that is what nobody would look for."""
    parts = []
    for part in ("lost", "added", "changed"):
        kinds = [f"{kind} {', '.join(map(str, names))}" for kind, names in found.get(part, {}).items()]
        parts += [f"{part}: {'; '.join(kinds)}"] if kinds else []
    return "; ".join(parts) or "the same rules and limits"


def _changed(before: Bundle, after: Bundle) -> JsonObject:
    texts, limits = dict(before.policies), _limits(before)
    policies = {name for name, text in after.policies if texts.get(name, text) != text}
    values = {name for name, value in _limits(after).items() if limits.get(name, value) != value}
    changed = {"policies": _named(policies), "limits": _named(values)}
    return {kind: names for kind, names in changed.items() if names}


def _named(names: set[str]) -> list[str]:
    shown = sorted(names)
    return shown if len(shown) <= NAMES_AT_MOST else [*shown[:NAMES_AT_MOST], f"and {len(shown) - NAMES_AT_MOST} more"]


def _rules(bundle: Bundle) -> set[str]:
    trees = [syntax_tree(name, text) for name, text in bundle.policies]
    return {f"{package_of(tree)}.{rule}" for tree in trees for rule in rule_names(tree)}


def _limits(bundle: Bundle) -> dict[str, Any]:
    return dict(_leaves("", bundle.limits))


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A member of a list has no name of its own but itself: `protected.namespaces[kube-system]`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            told = inner.get("name", inner) if isinstance(inner, Mapping) else inner
            yield f"{name}[{told}]", inner
    else:
        yield name, value
