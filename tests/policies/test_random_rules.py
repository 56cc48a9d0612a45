"""deny > escalate > allow over rule sets that nobody thought of: one rule more never weakens a decision.

Guardrails are drawn: conditions over the fields of an input that is drawn too, joined by and, negated, some over
fields that are not there or of another type; heads that allow, escalate or deny; several rules in one package. The
entrypoint and the library are the shipped ones. They run in the interpreter itself rather than through the engine,
which reads a bundle as carefully as it must and as slowly: here a rule set lives for one question.
"""

import json
from typing import Any

import pytest
import regorus
from hypothesis import given, strategies as st

from agent.adapters.rego import EmbeddedPolicyEngine
from agent.adapters.rego.bundle import syntax_tree
from agent.adapters.rego.scan import refuse_unfit, rule_names
from agent.resources import bundled
from tests.policies.conformance.draw import draw_input
from tests.policies.inputs import cordon
from tests.tried import tried

STRENGTH = {"allow": 0, "escalate": 1, "deny": 2}
EXAMPLES = 300
ENTRYPOINT = "data.watchkeeper.main.verdict"
FIELDS = (
    *("proposal.action", "proposal.target.name", "proposal.target.namespace", "proposal.tenant", "proposal.source"),
    *("proposal.confidence", "proposal.destructive", "proposal.undoes", "proposal.notice_s", "phase", "now"),
    *("proposal.blast_radius.pods", "facts.nodes.total", "facts.nodes.eligible", "facts.workload.class"),
    *("facts.idle.idle_s", "facts.notice.given_at", "standing.frozen", "missing", "proposal.missing.deeper"),
)
VALUES = ("true", "false", "null", "0", "1", "7200", '"cordon_node"', '"gpu-7"', '"research"', '"propose"', "[]", "{}")
COMPARED = ("==", "!=", "<", "<=", ">", ">=")
LISTS = ("proposal.blast_radius.nodes", "facts.gangs", "facts.conflicts", "facts.budgets", "history", "facts.missing")

compared = st.builds(
    lambda field, how, value: (f"value := input.{field}", f"value {how} {value}"),
    *(st.sampled_from(FIELDS), st.sampled_from(COMPARED), st.sampled_from(VALUES)),
)
counted = st.builds(
    lambda field, how, number: (f"many := input.{field}", f"count(many) {how} {number}"),
    *(st.sampled_from(LISTS), st.sampled_from(COMPARED), st.integers(0, 2)),
)
stated = st.sampled_from((("true",), ("false",), ("1 > 0",), ('startswith(input.proposal.action, "c")',)))
negated = st.sampled_from(FIELDS).map(lambda field: (f"not input.{field}",))
conditions = st.lists(compared | counted | stated | negated, min_size=1, max_size=3)
heads = st.sampled_from(("deny", "escalate", "allow"))
rules = st.tuples(st.sampled_from(("site", "night", "autonomy")), heads, conditions)
Rule = tuple[str, str, list[tuple[str, ...]]]

SHIPPED = EmbeddedPolicyEngine(bundled("policies"), {"autonomy": {"default": "act"}}).bundle


def _bare() -> Any:
    engine = regorus.Engine()
    for name, text in SHIPPED.policies:
        if not name.startswith("guardrails/"):
            engine.add_policy(name, text)
    engine.add_data_json(json.dumps({"limits": SHIPPED.limits}))
    return engine


BARE = _bare()


def module(package: str, chosen: list[Rule]) -> str:
    written = [f"package watchkeeper.guardrails.{package}"]
    for number, (_, head, bodies) in enumerate(chosen):
        # Each condition binds names of its own.
        lines = [
            f"\t{line}".replace("value", f"value_{at}").replace("many", f"many_{at}")
            for at, body in enumerate(bodies)
            for line in body
        ]
        reason = f'{{"code": "{package}.r{number}", "params": {{}}}}'
        written.append(f"{head} contains {reason} if {{\n" + "\n".join(lines) + "\n}")
    return "\n\n".join(written) + "\n"


def decided(chosen: list[Rule], document: dict[str, Any]) -> dict[str, Any]:
    """By the shipped entrypoint and library with nothing but these guardrails."""
    engine = BARE.clone()
    for package in sorted({rule[0] for rule in chosen}):
        own = [rule for rule in chosen if rule[0] == package]
        engine.add_policy(f"guardrails/{package}/{package}.rego", module(package, own))
    engine.set_input_json(json.dumps(document))
    answer: dict[str, Any] = json.loads(engine.eval_rule_as_json(ENTRYPOINT))
    return answer


ALWAYS: Rule = ("autonomy", "allow", [("true",)])  # of autonomy: it is asked about every action


def codes(answer: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in answer["reasons"]}


def is_whole(document: dict[str, Any]) -> bool:
    try:
        return "main.no_verdict" not in codes(decided([ALWAYS], document))
    except RuntimeError:
        return False


DRAWN = [draw_input(seed) for seed in range(150)]
WHOLE = [document for document in DRAWN if is_whole(document)]
BROKEN = [document for document in DRAWN if document not in WHOLE]
chosen_rules = st.lists(rules, max_size=6)
inputs = st.sampled_from(WHOLE)


@tried(EXAMPLES)
@given(chosen=chosen_rules, more=rules, document=inputs)
def test_one_rule_more_never_weakens(chosen: list[Rule], more: Rule, document: dict[str, Any]) -> None:
    """A deny weakens nothing; neither does an escalate; an allow turns no answer of another rule."""
    package, _, bodies = more
    before = decided(chosen, document)
    with_deny = decided([*chosen, (package, "deny", bodies)], document)
    assert STRENGTH[with_deny["decision"]] >= STRENGTH[before["decision"]]
    with_escalate = decided([*chosen, (package, "escalate", bodies)], document)
    if any(reason["code"] != "main.nothing_allows" for reason in before["reasons"]):
        assert STRENGTH[with_escalate["decision"]] >= STRENGTH[before["decision"]]
    assert (with_escalate["decision"] == "allow") <= (before["decision"] == "allow")
    with_allow = decided([*chosen, (package, "allow", bodies)], document)
    if codes(before) != {"main.nothing_allows"}:
        assert with_allow["decision"] == before["decision"]


@tried(EXAMPLES // 4)
@given(chosen=chosen_rules, data=st.data(), document=inputs)
def test_fewer_denies_and_escalates_are_never_stricter(
    chosen: list[Rule], data: st.DataObject, document: dict[str, Any]
) -> None:
    """The same the other way: of a set and any part of it that has all of its allows, the whole is as strict."""
    part = [rule for rule in chosen if rule[1] == "allow" or data.draw(st.booleans())]
    assert STRENGTH[decided(chosen, document)["decision"]] >= STRENGTH[decided(part, document)["decision"]] or (
        codes(decided(part, document)) == {"main.nothing_allows"}
    )


@tried(EXAMPLES // 4)
@given(chosen=st.lists(rules, min_size=1, max_size=6), document=inputs)
def test_who_gives_a_reason_is_who_decided(chosen: list[Rule], document: dict[str, Any]) -> None:
    """Every reason is of a rule whose head says the decision, so that `explain` names whom to ask."""
    answer = decided(chosen, document)
    for code in codes(answer) - {"main.nothing_allows", "main.no_verdict"}:
        package, number = code.split(".r")
        own = [rule for rule in chosen if rule[0] == package]
        assert own[int(number)][1] == answer["decision"]


@tried(40)
@given(chosen=st.lists(rules, min_size=1, max_size=6))
def test_what_is_drawn_is_what_a_bundle_may_hold(chosen: list[Rule]) -> None:
    """Else these properties would be about policies that the agent never takes."""
    text = module("site", chosen)
    tree = syntax_tree("guardrails/site/site.rego", text)
    refuse_unfit("guardrails/site/site.rego", tree, rule_names(tree))


@pytest.mark.parametrize("head", ["deny", "escalate", "allow"])
def test_every_kind_of_answer_is_drawn(head: str) -> None:
    """The draw reaches all three decisions, by the rules and not by a broken input."""
    always: Rule = ("site", head, [("true",)])
    given = cordon().document
    assert (decided([always], given)["decision"], codes(decided([always], given))) == (head, {"site.r0"})


@tried(EXAMPLES // 4)
@given(chosen=chosen_rules, document=st.sampled_from(BROKEN))
def test_no_rule_lets_a_broken_input_through(chosen: list[Rule], document: dict[str, Any]) -> None:
    try:
        answer = decided([*chosen, ALWAYS], document)
    except RuntimeError:
        return  # which is a deny: policy.error
    assert (answer["decision"], codes(answer)) == ("deny", {"main.no_verdict"})
