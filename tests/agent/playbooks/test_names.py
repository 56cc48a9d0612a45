"""Facts are put into the language's form once for all expressions over them: each reads what it would read alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agent.adapters.playbooks.cases import CASES_FILE_NAME, merged
from agent.adapters.playbooks.expressions import Names, PlaybookFault, compiled
from agent.adapters.playbooks.form import CasesForm
from agent.adapters.playbooks.library import load_playbooks, read_form
from agent.adapters.playbooks.playbook import FACT_NAMES, Playbook, names_of
from agent.resources import bundled

NODE = {"name": "a", "free": 3, "sick": True, "part": 0.5, "gpus": [1, 2, 3], "none": None}
FACTS: Mapping[str, Any] = {"node": NODE, "nodes": [NODE, {**NODE, "name": "b"}], "incident": {"id": "i-1"}}
SOURCES = (
    "facts.node.sick && facts.node.free > 2",
    "facts.nodes.filter(n, n.free > 1).map(n, n.name)",
    "facts.node",
    "facts.node.gpus.all(incident, incident > 0)",  # a name that is hidden within
    "incident.id",
    "facts.node.none == null ? facts.node.part : 1.5",
    "facts.nodes.exists(n, n.name == 'b')",
    "facts.node.missing",  # fails
    "size(facts.nodes)",
)
EXPRESSIONS = tuple(compiled(source, "here", FACT_NAMES) for source in SOURCES)


def told(number: int, names: Names) -> Any:
    try:
        value = EXPRESSIONS[number].value(names)
    except PlaybookFault as fault:
        return str(fault)
    return type(value), value


@given(st.lists(st.integers(0, len(SOURCES) - 1), min_size=2, max_size=20))
def test_in_any_order_each_says_what_it_says_alone(order: list[int]) -> None:
    together = names_of(FACTS)
    assert [told(number, together) for number in order] == [told(number, names_of(FACTS)) for number in order]


def test_what_is_added_is_for_who_added_it_alone() -> None:
    names = names_of(FACTS)
    first, second = names & {"item": {"n": 1}}, names & {"item": {"n": 2}}
    number = compiled("item.n", "here", FACT_NAMES | {"item"})
    assert (number.value(first), number.value(second), number.value(first)) == (1, 2, 1)
    with pytest.raises(PlaybookFault, match="Undefined variable or function"):
        number.value(names)


def test_what_the_language_has_no_form_for_is_a_fault_that_names_the_expression() -> None:
    with pytest.raises(PlaybookFault, match=r"here: `facts\.node\.free > 2` failed: "):
        compiled("facts.node.free > 2", "here", FACT_NAMES).value(names_of({"node": {"free": 3, "odd": object()}}))


@pytest.mark.parametrize("playbook", load_playbooks(bundled("playbooks")).playbooks, ids=lambda p: p.name)
def test_to_have_asked_whether_a_playbook_matches_changes_nothing_about_what_it_asks_for(playbook: Playbook) -> None:
    table = read_form(Path(playbook.file).parent / CASES_FILE_NAME, CasesForm)
    for change in [case.facts for case in table.cases] + [case.facts for case in table.later]:
        facts = merged(table.base, change)
        together = names_of(facts)
        assert _said(playbook.match, together) == _said(playbook.match, names_of(facts))
        assert _said(playbook.asks_for, together) == _said(playbook.asks_for, names_of(facts))


def _said(ask: Any, names: Names) -> Any:
    try:
        return ask(names)
    except PlaybookFault as fault:
        return str(fault)
