"""A playbook's own table of cases: facts in, match and remedies out. Run by the tests and by `playbooks check`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.adapters.playbooks.expressions import PlaybookFault
from agent.adapters.playbooks.form import CaseExpect, CaseRemedy, CasesForm
from agent.adapters.playbooks.library import read_form
from agent.adapters.playbooks.playbook import Playbook, names_of
from agent.ports import Remedy

CASES_FILE_NAME = "cases.yaml"


@dataclass(frozen=True, slots=True)
class CaseResult:
    case: str
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def run_cases(playbook: Playbook) -> list[CaseResult]:
    """Raises PlaybookError when the table is missing or malformed: a playbook without cases is not checked."""
    table = read_form(Path(playbook.file).parent / CASES_FILE_NAME, CasesForm)
    first = [CaseResult(c.name, _first_look(playbook, c.expect, merged(table.base, c.facts))) for c in table.cases]
    later = [CaseResult(c.name, _later_look(playbook, c.remedies, merged(table.base, c.facts))) for c in table.later]
    return first + later


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`change` over `base`, key by key; unlike a merge patch, null is a value here."""
    out = dict(base)
    for key, value in change.items():
        known = out.get(key)
        out[key] = merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return out


def _first_look(playbook: Playbook, expect: CaseExpect, facts: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        match = playbook.match(names_of(facts))
    except PlaybookFault as fault:
        return (str(fault),)
    if (match is not None) != expect.match:
        return (f"match: wanted {expect.match}, got {match is not None}",)
    if match is None:
        return ()
    wrong_cause = expect.cause is not None and match.cause != expect.cause
    cause = (f"cause: wanted {expect.cause}, got {match.cause}",) if wrong_cause else ()
    return (*cause, *_later_look(playbook, expect.remedies, facts))


def _later_look(playbook: Playbook, wanted: Sequence[CaseRemedy], facts: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        remedies = playbook.asks_for(names_of(facts))
    except PlaybookFault as fault:
        return (str(fault),)
    if [r.action for r in remedies] != [r.action for r in wanted]:
        got = [f"{r.action} {r.target}" for r in remedies]
        return (f"remedies: wanted {[r.action for r in wanted]}, got {got}",)
    pairs = enumerate(zip(wanted, remedies, strict=True))
    return tuple(f"remedies[{n}].{text}" for n, (want, have) in pairs for text in _unlike(want, have))


def _unlike(want: CaseRemedy, have: Remedy) -> list[str]:
    found = _missing("target", want.target, have.target.json_object())
    found += _missing("parameters", want.parameters, have.parameters)
    if want.undoes is not None and want.undoes != have.undoes:
        found.append(f"undoes: wanted {want.undoes}, got {have.undoes}")
    return found


def _missing(name: str, want: Mapping[str, Any], have: Mapping[str, Any]) -> list[str]:
    return [f"{name}.{k}: wanted {v!r}, got {have.get(k)!r}" for k, v in want.items() if have.get(k) != v]
