"""deny > escalate > allow, what nobody allows is denied, and over random guardrails more denies never weaken."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, strategies as st

from agent.adapters.rego import EmbeddedPolicyEngine
from agent.resources import bundled
from tests.policies.inputs import cordon
from tests.tried import tried

STRENGTH = {"allow": 0, "escalate": 1, "deny": 2}
RULE = """# METADATA
# title: Rule {index}
# custom:
#   code: site{index}.{kind}
#   message: "{kind} by rule {index}"
#   remedy: None
{kind} contains {{"code": "site{index}.{kind}", "params": {{}}}} if {condition}
"""
CONDITIONS = (
    "true",
    "false",
    'input.proposal.action == "cordon_node"',
    "input.facts.nodes.total > 100",
    "input.missing",
)
rules = st.tuples(st.sampled_from(("deny", "escalate", "allow")), st.sampled_from(CONDITIONS))


def decision(folder: Path, chosen: list[tuple[str, str]]) -> str:
    """Of the shipped main.rego and lib with nothing but the `chosen` guardrails."""
    shutil.rmtree(folder / "guardrails", ignore_errors=True)
    for index, (kind, condition) in enumerate(chosen):
        room = folder / "guardrails" / f"site{index}"
        room.mkdir(parents=True)
        text = f"package watchkeeper.guardrails.site{index}\n\n" + RULE.format(
            index=index, kind=kind, condition=condition
        )
        (room / f"site{index}.rego").write_text(text)
    answer: str = EmbeddedPolicyEngine(folder).decide(cordon().document)["decision"]
    return answer


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    shutil.copytree(bundled("policies"), folder, ignore=shutil.ignore_patterns("guardrails", "*_test.rego"))
    return folder


@tried(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.lists(rules, max_size=4), condition=st.sampled_from(CONDITIONS))
def test_one_more_deny_never_weakens(bare: Path, chosen: list[tuple[str, str]], condition: str) -> None:
    before = decision(bare, chosen)
    after = decision(bare, [*chosen, ("deny", condition)])
    assert STRENGTH[after] >= STRENGTH[before]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ([], "deny"),
        ([("allow", "false")], "deny"),
        ([("allow", "true")], "allow"),
        ([("allow", "true"), ("escalate", "true")], "escalate"),
        ([("escalate", "true")], "escalate"),
        ([("allow", "true"), ("escalate", "true"), ("deny", "true")], "deny"),
        ([("allow", "true"), ("deny", "input.missing")], "allow"),
    ],
)
def test_the_order(bare: Path, chosen: list[tuple[str, str]], expected: str) -> None:
    assert decision(bare, chosen) == expected
