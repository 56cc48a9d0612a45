"""What is meant as a reason is one in every engine, and none is taken for the agent's own."""

from pathlib import Path

import pytest

from agent.adapters.rego import BundleRefused, EmbeddedPolicyEngine
from tests.agent.rego.bundles import GUARDRAIL, RULE, shipped, with_guardrail

PACKAGE = "package watchkeeper.guardrails.site\n\n"
ONE = '{"code": "site.rule", "params": {}}'


@pytest.mark.parametrize(
    "rule",
    [
        'deny := "not now" if input.proposal.action == "requeue_gang"',
        'deny if input.proposal.action == "requeue_gang"',
        "default deny := false",
        f'deny := [{ONE}] if input.proposal.action == "requeue_gang"',
        f'deny := {{"a": {ONE}}}',
        f"deny[action] := {ONE} if action := input.proposal.action",
        "deny(action) := action",
        f"deny.site contains {ONE} if input.phase",
        "deny.site contains reason if reason := input.phase",
        "escalate := 7",
        "allow if input.proposal.destructive == false",
    ],
)
def test_an_answer_of_another_form_is_refused_because_a_server_would_not_hear_it(tmp_path: Path, rule: str) -> None:
    """OPA takes nothing out of a text, a number or true: such a deny was an allow there."""
    with pytest.raises(BundleRefused, match=r"site\.rego:\d+: "):
        EmbeddedPolicyEngine(with_guardrail(tmp_path, f"{PACKAGE}{rule}\n"))


@pytest.mark.parametrize("code", ["policy.timeout", "policy.mine", "obligation.unknown"])
def test_the_agents_own_codes_are_nobody_elses(tmp_path: Path, code: str) -> None:
    """Of such a decision it would be thought that there was none: asked again, and left out of every replay."""
    text = (GUARDRAIL + RULE + "input.phase\n").replace("site.rule", code)
    with pytest.raises(BundleRefused, match=f"{code}: what begins so is said by the agent itself"):
        EmbeddedPolicyEngine(with_guardrail(tmp_path, text))


@pytest.mark.parametrize("rule", ["gives_back", "is_undo", "well_formed"])
def test_nobody_adds_to_what_the_guardrails_ask(tmp_path: Path, rule: str) -> None:
    """One more `gives_back` beside the library's and no cooldown holds: no allow was written, and all is allowed."""
    folder = shipped(tmp_path)
    (folder / "lib" / "site.rego").write_text(f"package watchkeeper.lib\n\n{rule} if input.phase\n")
    with pytest.raises(BundleRefused, match=rf"{rule} is defined in another file of its package"):
        EmbeddedPolicyEngine(folder)


def test_a_helper_of_the_sites_own_lies_in_the_library(tmp_path: Path) -> None:
    folder = shipped(tmp_path)
    (folder / "lib" / "site.rego").write_text("package watchkeeper.lib\n\nat_night if input.phase\n")
    EmbeddedPolicyEngine(folder)
