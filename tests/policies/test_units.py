"""The policies' own tests, each as one test of this suite."""

import pytest

from agent.adapters.rego.bundle import read_bundle
from agent.adapters.rego.unit_tests import TestResult, run_tests
from agent.resources import bundled

BUNDLE = read_bundle(bundled("policies"))
RESULTS = list(run_tests(BUNDLE))


@pytest.mark.parametrize("result", RESULTS, ids=[result.name.removeprefix("data.watchkeeper.") for result in RESULTS])
def test_policy(result: TestResult) -> None:
    assert result.passed, f"{result.file}: {result.detail}"


def test_every_policy_that_gives_reasons_has_its_tests() -> None:
    tested = {name for name, _ in BUNDLE.tests}
    for text in BUNDLE.reasons.values():
        name = text.place.split(":")[0]
        assert name.removesuffix(".rego") + "_test.rego" in tested


def test_every_reason_code_is_expected_by_some_test() -> None:
    tests = "".join(text for _, text in BUNDLE.tests)
    assert [code for code in BUNDLE.reasons if f'"{code}"' not in tests] == []


def test_a_reason_code_begins_with_the_name_of_its_guardrail() -> None:
    for text in BUNDLE.reasons.values():
        folder = text.place.split(":")[0].split("/")
        assert text.code.split(".")[0] == (folder[1] if folder[0] == "guardrails" else folder[0].removesuffix(".rego"))
