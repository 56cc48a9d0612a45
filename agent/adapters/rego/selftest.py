"""Asks the engine, when a bundle is loaded, for the language facts that the policies lean on.

Engines have been seen to skip a rule that calls an unknown function, and to read false as true. A gate that rests on
such an engine would open silently, so an engine that fails one line of this table decides nothing.
"""

import json
import os
from typing import Any

import regorus

from agent.adapters.rego.faults import BundleRefused, engine_words

BACK_TRACES = "RUST_LIB_BACKTRACE"  # where RUST_BACKTRACE asks for them, an error's costs 60 MiB, and we leave it out
RAISES = object()  # evaluation must fail, not be undefined
UNDEFINED = "<undefined>"
INPUT = {"yes": True, "no": False, "three": 3, "list": [{"u": False, "n": 1}, {"u": True, "n": 2}]}
DATA = {"limits": {"off": False, "by": {"a": 1}}}

# What must hold, the rules of a module, and the value of `x` in it.
TRUTH_TABLE: tuple[tuple[str, str, Any], ...] = (
    ("a false condition fails", "x := 1 if input.no", UNDEFINED),
    ("a false datum fails", "x := 1 if data.limits.off", UNDEFINED),
    ("not of false holds", "x := 1 if not input.no", 1),
    ("not of undefined holds", "x := 1 if not input.missing.deeper", 1),
    ("a comparison with undefined fails", "x := 1 if input.missing > 0", UNDEFINED),
    ("a default stands in for undefined", "default x := 7\n\nx := 1 if input.missing", 7),
    ("else is tried in order", "x := 1 if {\n\tinput.no\n} else := 2 if {\n\tinput.yes\n} else := 3", 2),
    ("every is true of nothing", "x if {\n\tevery n in [] {\n\t\tn > 1\n\t}\n}", True),
    ("every fails by one", "x if {\n\tevery n in input.list {\n\t\tn.u\n\t}\n}", UNDEFINED),
    ("a partial set unites its rules", "s contains 1\n\ns contains 2 if input.yes\n\nx := count(s)", 2),
    ("a comprehension keeps what holds", "x := [e.n | some e in input.list; not e.u]", [1]),
    ("one missing key leaves one out", "x contains v if {\n\tsome k in [`z`, `a`]\n\tv := data.limits.by[k]\n}", [1]),
    ("numbers divide exactly", "x := floor((10 * 39) / 100)", 3),
    ("moments have nanoseconds", 'x := time.parse_rfc3339_ns("1970-01-01T00:00:01.25Z")', 1250000000),
    ("null is a value", "y := null\n\nx := {`a`: y}", {"a": None}),
    ("two values are a conflict", "x := 1 if input.yes\n\nx := 2 if input.three == 3", RAISES),
    ("an error in a built-in raises", "x := 1 if to_number(`a`) > 0", RAISES),
    ("an unknown function raises", "x := 1 if nobody.knows(1)", RAISES),
)


def refuse_foreign_dialect() -> None:
    """Raises BundleRefused with the first line of the table that this engine gets wrong."""
    os.environ.setdefault(BACK_TRACES, "0")
    for fact, rules, expected in TRUTH_TABLE:
        got = _evaluate(rules)
        if got is not expected and got != expected:
            raise BundleRefused(
                f"the embedded Rego engine is not fit to decide: {fact!r} does not hold, it says {got!r}"
            )


def _evaluate(rules: str) -> Any:
    engine = regorus.Engine()
    try:
        engine.add_policy("fact.rego", f"package fact\n\n{rules}\n")
    except RuntimeError as fault:
        raise BundleRefused(f"the embedded Rego engine cannot read Rego: {engine_words(fault)}") from fault
    engine.add_data_json(json.dumps(DATA))
    engine.set_input_json(json.dumps(INPUT))
    try:
        return json.loads(engine.eval_rule_as_json("data.fact.x"))
    except RuntimeError:
        return RAISES
