"""What a rule looks at: the parts of the input and of the limits that it, and whatever it calls, can read.

Read from the engine's own syntax tree. A place ends where a name is computed: `input.facts.gangs[i].touched` reads
facts.gangs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.adapters.rego.bundle import Bundle, syntax_tree
from agent.adapters.rego.scan import package_of, rule_names

Place = tuple[str, ...]
Tree = Mapping[str, Any]
_WORDS_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Reads:
    """`facts` below input, `limits` below data.limits; `words` and `numbers` are what they are compared with."""

    facts: frozenset[Place]
    limits: frozenset[Place]
    words: frozenset[str]
    numbers: frozenset[float]


class Readers:
    """Knows every rule of a bundle; made once for many questions."""

    def __init__(self, bundle: Bundle) -> None:
        self._rules: dict[tuple[str, str], list[Tree]] = {}  # by package and name
        self._by_place: dict[str, tuple[str, Tree]] = {}  # by file:line
        for name, text in bundle.policies:
            tree = syntax_tree(name, text)
            package = package_of(tree)
            for rule in tree["rules"]:
                (defined,) = rule_names({"rules": [rule]})
                self._rules.setdefault((package, defined), []).append(rule)
                line = next(iter(rule.values()))["span"]["line"]
                self._by_place[f"{name}:{line}"] = (package, rule)

    def of(self, places: Iterable[str]) -> Reads:
        """Of the rules at these places (file:line, as a reason's text has it) and of all that they call."""
        waiting = [self._by_place[place] for place in places if place in self._by_place]
        seen: set[int] = set()
        found: list[Place] = []
        words: set[str] = set()
        numbers: set[float] = set()
        while waiting:
            package, rule = waiting.pop()
            if id(rule) in seen:
                continue
            seen.add(id(rule))
            for place in _references(rule):
                waiting += self._called(package, place)
                found.append(place)
            words.update(_literals(rule, "String"))
            numbers.update(_literals(rule, "Number"))
        written = [tuple(step for step in place if step != "?") for place in found]
        facts = frozenset(place[1:] for place in written if place[:1] == ("input",) and len(place) > 1)
        limits = frozenset(place[2:] for place in written if place[:2] == ("data", "limits") and len(place) > 2)
        return Reads(facts, limits, frozenset(sorted(words)[:_WORDS_AT_MOST]), frozenset(numbers))

    def _called(self, package: str, place: Place) -> list[tuple[str, Tree]]:
        """Rules that a reference can mean: of the same package by name, of another in full."""
        if place[0] != "data":
            return [(package, rule) for rule in self._rules.get((package, place[0]), ())]
        for length in range(2, len(place)):
            other, name = ".".join(place[1:length]), place[length]
            if (other, name) in self._rules:
                return [(other, rule) for rule in self._rules[other, name]]
        return []


def _references(tree: Any) -> Iterator[Place]:
    """Each longest reference in a tree, and those in its computed parts."""
    if isinstance(tree, Mapping):
        for kind, branch in tree.items():
            if kind in ("Var", "RefDot", "RefBrack"):
                yield _place({kind: branch})
                yield from _computed({kind: branch})
            elif kind == "head":  # what is defined is not looked at
                for parts in branch.values():
                    yield from _references({part: inner for part, inner in parts.items() if part != "refr"})
            elif kind != "span":
                yield from _references(branch)
    elif isinstance(tree, list):
        for branch in tree:
            yield from _references(branch)


def _place(ref: Tree) -> Place:
    """As far as its names are written down."""
    if "Var" in ref:
        return (str(ref["Var"]["value"]),)
    if "RefDot" in ref:
        inner, name = ref["RefDot"]["refr"], str(ref["RefDot"]["field"][1])
    elif "RefBrack" in ref:
        inner, index = ref["RefBrack"]["refr"], ref["RefBrack"]["index"]
        name = str(index["String"]["value"]) if "String" in index else "?"
    else:
        return ("?",)
    before = _place(inner)
    return before if before[-1] == "?" else (*before, name)


def _computed(ref: Tree) -> Iterator[Place]:
    if "RefDot" in ref:
        yield from _computed(ref["RefDot"]["refr"])
    elif "RefBrack" in ref:
        yield from _computed(ref["RefBrack"]["refr"])
        yield from _references(ref["RefBrack"]["index"])
    elif "Var" not in ref:
        yield from _references(ref)


def _literals(tree: Any, kind: str) -> Iterator[Any]:
    if isinstance(tree, Mapping):
        if kind in tree and isinstance(tree[kind], Mapping) and "value" in tree[kind]:
            yield tree[kind]["value"]
        for branch in tree.values():
            yield from _literals(branch, kind)
    elif isinstance(tree, list):
        for branch in tree:
            yield from _literals(branch, kind)
