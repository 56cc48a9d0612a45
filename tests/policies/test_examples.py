"""The worked examples of docs/policies.md do what the page says; tests/live asks a real OPA server the same."""

import re
from pathlib import Path

import pytest

from agent.adapters.rego import BundleRefused, EmbeddedPolicyEngine
from agent.adapters.rego.bundle import read_bundle
from agent.adapters.rego.unit_tests import run_tests
from agent.config import load_settings
from agent.evidence.windows import windows_at
from tests.policies.examples import EXAMPLES, ROOM, STORIES, Story, put_together, settings_of
from tests.policies.inputs import NOW


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_an_example_decides_as_its_page_says(story: Story, tmp_path: Path) -> None:
    engine = EmbeddedPolicyEngine(put_together(story.example, tmp_path), settings_of(story.example)["policy_data"])
    verdict = engine.decide(story.given.document)
    assert (verdict["decision"], {reason["code"] for reason in verdict["reasons"]}) == (story.decision, story.codes)
    approval = verdict["approval"] or {"groups": []}
    assert tuple((group["name"], group["count"]) for group in approval["groups"]) == story.asked


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_examples_own_tests_pass_and_expect_each_of_its_codes(name: str, tmp_path: Path) -> None:
    bundle = read_bundle(put_together(name, tmp_path), settings_of(name)["policy_data"])
    results = [result for result in run_tests(bundle) if f"guardrails/{name}/" in result.file]
    assert [result for result in results if not result.passed] == []
    assert len(results) >= 4
    own = {code for code in bundle.reasons if code.startswith(f"{name}.")}
    tests = "".join(text for file, text in bundle.tests if f"guardrails/{name}/" in file)
    assert own
    assert [code for code in own if f'"{code}"' not in tests] == []
    assert {code for story in STORIES if story.example == name for code in story.codes} >= own


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_misspelled_limit_of_an_example_is_refused(name: str, tmp_path: Path) -> None:
    folder = put_together(name, tmp_path)
    with pytest.raises(BundleRefused, match=f"{name}: Additional properties"):
        EmbeddedPolicyEngine(folder, {name: {"misspelled": 1}})


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_settings_of_an_example_are_settings(name: str) -> None:
    assert load_settings(ROOM / name / "watchkeeper.yaml").policy_data == settings_of(name)["policy_data"]


def test_business_hours_are_those_of_the_place() -> None:
    """Monday 2026-11-02, 09:00 UTC is 10:00 in Berlin; the window names no action, so it closes nothing by itself."""
    (seen,) = windows_at(settings_of("inference_hours")["policy_data"]["windows"], NOW)
    assert (seen["name"], seen["open"]) == ("business-hours", True)


def test_the_page_shows_the_rule_as_it_is() -> None:
    page = (ROOM.parents[1] / "policies.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```rego\n(.*?)```", page, re.DOTALL)
    assert shown in (ROOM / "warranty/policies/guardrails/warranty/warranty.rego").read_text(encoding="utf-8")
