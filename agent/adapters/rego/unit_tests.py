"""Runs the policies' own tests, in OPA's form: each rule `test_*` of a `*_test.rego` file must be true.

The tests get no data: each says with `with data.limits as …` what it rests on, so that it means the same in `opa test`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from agent.adapters.rego.bundle import Bundle
from agent.adapters.rego.faults import engine_words
from agent.adapters.rego.scan import package_of, rule_names


@dataclass(frozen=True, slots=True)
class TestResult:
    name: str  # data.watchkeeper.guardrails.gang_test.test_part_of_a_gang_is_denied
    file: str
    passed: bool
    detail: str = ""

    __test__ = False  # not one of pytest's


def run_tests(bundle: Bundle) -> Iterator[TestResult]:
    engine = bundle.engine_with_tests()
    files = dict(bundle.tests)
    for entry in json.loads(engine.get_ast_as_json()):
        file = entry["source"]["file"]
        if file not in files:
            continue
        package = package_of(entry["ast"])
        for rule in sorted(name for name in rule_names(entry["ast"]) if name.startswith("test_")):
            name = f"data.{package}.{rule}"
            try:
                value = json.loads(engine.eval_rule_as_json(name))
            except RuntimeError as fault:
                yield TestResult(name, file, passed=False, detail=engine_words(fault))
            else:
                yield TestResult(name, file, passed=value is True, detail="" if value is True else f"it is {value}")
