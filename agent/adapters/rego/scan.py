"""Refuses, before anything is evaluated, what a policy must not contain.

A policy is pure: it may call only built-in functions on the list below (no clock, no chance, no network, no keys), so
that every decision can be replayed. The list is short because the same policies must mean the same in a real OPA.

And a policy keeps clear of forms by which a deny rule silently falls away, here or in OPA. In this engine, a value
reached through an imported name can be undefined, and an undefined term in the head of one `contains` rule can empty
the whole set: so nothing is imported, and such a head names only what its body has bound. In OPA, `not f(input.a.b)` is
undefined where input.a.b is: so what is negated is a name, or rests on names that the body has bound. All this is found
in the engine's own syntax tree, not by looking at the text.
"""

from collections.abc import Iterator, Mapping, Set
from typing import Any

from agent.adapters.rego.faults import BundleRefused

Tree = Mapping[str, Any]

PURE_BUILTINS = frozenset(
    {
        *("abs", "array.concat", "ceil", "concat", "contains", "count", "endswith", "floor", "format_int", "indexof"),
        *("intersection", "is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string"),
        *("lower", "max", "min", "numbers.range", "object.get", "object.keys", "object.remove", "object.union"),
        *("product", "replace", "round", "sort", "split", "sprintf", "startswith", "substring", "sum"),
        *("time.parse_duration_ns", "time.parse_rfc3339_ns", "to_number", "trim", "trim_prefix", "trim_suffix"),
        *("union", "upper"),
    }
)


NESTING_AT_MOST = 64  # of brackets; the shipped policies nest five deep, and a parser's stack ends somewhere


def refuse_too_deep(name: str, text: str) -> None:
    """Before the engine's parser sees it, which would take the whole process along."""
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        for character in line:
            depth += (character in "([{") - (character in ")]}")
            if depth > NESTING_AT_MOST:
                raise BundleRefused(f"{name}:{number}: more than {NESTING_AT_MOST} brackets are open")


def refuse_unfit(name: str, ast: Tree, own: Set[str]) -> None:
    """Raises BundleRefused with the place of the first thing that a policy must not contain.

    `own` is what the package defines, in whichever of its files.
    """
    if ast["imports"]:
        raise BundleRefused(
            f"{name}:{ast['imports'][0]['span']['line']}: a policy imports nothing; write data.… in full"
        )
    rules: list[Tree] = ast["rules"]
    for changed in _with(rules):
        line = changed["span"]["line"]
        raise BundleRefused(f"{name}:{line}: a policy decides on what it is given; `with` is for its tests")
    for kind, node in _nodes(rules):
        if kind == "Call" and not _may_call(called := dotted(node["fcn"]), own):
            line = node["span"]["line"]
            raise BundleRefused(f"{name}:{line}: {called} is not on the list of pure functions that a policy may call")
        if kind == "NotExpr" and not _is_name(node["expr"]) and _has_ref(node["expr"]):
            line = node["span"]["line"]
            raise BundleRefused(f"{name}:{line}: bind what is asked about first, and negate that")
    for rule in rules:
        _refuse_head(name, rule.get("Spec", {}), own)


def _with(tree: Any) -> Iterator[Tree]:
    """Every `with`: it can put another function in the place of one on the list."""
    waiting = [tree]
    while waiting:
        branch = waiting.pop()
        if isinstance(branch, dict):
            yield from branch.get("with_mods") or ()
            waiting.extend(reversed(branch.values()))
        elif isinstance(branch, list):
            waiting.extend(reversed(branch))


def _refuse_head(name: str, spec: Tree, own: Set[str]) -> None:
    """Of the forms that this engine evaluates wrongly or, at the moment of decision, not at all."""
    key = spec.get("head", {}).get("Set", {}).get("key")
    for kind, node in _nodes(key):
        if kind in ("RefDot", "RefBrack", "Call") or (kind == "Var" and node["value"] in own):
            line = node["span"]["line"]
            raise BundleRefused(f"{name}:{line}: bind this value in the body of the rule, and name it in the head")
    for kind, node in _nodes(spec["head"]) if spec.get("bodies") else ():
        if kind.endswith("Compr") and kind != "Compr":
            line = node["span"]["line"]
            raise BundleRefused(
                f"{name}:{line}: bind this comprehension in the body of the rule, and name it in the head"
            )


def _is_name(expression: Tree) -> bool:
    return "?" not in dotted(expression)


def _has_ref(expression: Any) -> bool:
    """Does it look anything up, other than the function that it calls?"""
    if isinstance(expression, Mapping):
        inner = (branch for key, branch in expression.items() if key != "fcn")
        return bool({"RefDot", "RefBrack"} & expression.keys()) or any(_has_ref(branch) for branch in inner)
    return isinstance(expression, list) and any(_has_ref(branch) for branch in expression)


def dotted(ref: Tree) -> str:
    """'time.now_ns' of the tree of a reference; '?' for what is no plain name."""
    if "Var" in ref:
        return str(ref["Var"]["value"])
    if "RefDot" in ref:
        return f"{dotted(ref['RefDot']['refr'])}.{ref['RefDot']['field'][1]}"
    return "?"


def package_of(ast: Tree) -> str:
    return dotted(ast["package"]["refr"])


def rule_names(ast: Tree) -> set[str]:
    return {dotted(_ref(rule)) for rule in ast["rules"]}


def _may_call(called: str, own: Set[str]) -> bool:
    """A rule that names itself like a namespaced built-in (`http.send`) does not make it its own."""
    return called.startswith("data.") or (called in own and "." not in called) or called in PURE_BUILTINS


def _ref(rule: Tree) -> Tree:
    """What a rule defines."""
    kind, body = next(iter(rule.items()))
    ref: Tree = body["refr"] if kind == "Default" else next(iter(body["head"].values()))["refr"]
    return ref


def _nodes(tree: Any) -> Iterator[tuple[str, Tree]]:
    """Every (kind, node) of a syntax tree, from the top.

    By a stack: where generators nest as deep as the tree, each node is handed up through all of them.
    """
    waiting: list[tuple[str, Any]] = [("", tree)]
    while waiting:
        kind, branch = waiting.pop()
        if isinstance(branch, dict):
            if kind and "span" in branch:
                yield kind, branch
            waiting.extend(reversed(branch.items()))
        elif isinstance(branch, list):
            waiting.extend(("", each) for each in reversed(branch))
