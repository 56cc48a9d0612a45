"""A playbook's own table of cases: facts in, match and remedies out. Run by the tests and by `playbooks check`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.adapters.playbooks.expressions import PlaybookFault
from agent.adapters.playbooks.form import CaseForm, CaseRemedy, CasesForm
from agent.adapters.playbooks.library import read_form
from agent.adapters.playbooks.playbook import Playbook
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
    return [CaseResult(case.name, _differences(playbook, case, merged(table.base, case.facts))) for case in table.cases]


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`change` over `base`, key by key; unlike a merge patch, null is a value here."""
    out = dict(base)
    for key, value in change.items():
        known = out.get(key)
        out[key] = merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return out


def _differences(playbook: Playbook, case: CaseForm, facts: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        match = playbook.match(facts)
        remedies = playbook.asks_for(facts) if match else []
    except PlaybookFault as fault:
        return (str(fault),)
    expect = case.expect
    if (match is not None) != expect.match:
        return (f"match: wanted {expect.match}, got {match is not None}",)
    found = []
    if match is not None and expect.cause is not None and match.cause != expect.cause:
        found.append(f"cause: wanted {expect.cause}, got {match.cause}")
    got = [f"{r.action} {r.target}" for r in remedies]
    if [r.action for r in remedies] != [r.action for r in expect.remedies]:
        return (*found, f"remedies: wanted {[r.action for r in expect.remedies]}, got {got}")
    pairs = enumerate(zip(expect.remedies, remedies, strict=True))
    return (*found, *(f"remedies[{n}].{text}" for n, (want, have) in pairs for text in _unlike(want, have)))


def _unlike(want: CaseRemedy, have: Remedy) -> list[str]:
    found = _missing("target", want.target, have.target.json_object())
    found += _missing("parameters", want.parameters, have.parameters)
    if want.undoes is not None and want.undoes != have.undoes:
        found.append(f"undoes: wanted {want.undoes}, got {have.undoes}")
    return found


def _missing(name: str, want: Mapping[str, Any], have: Mapping[str, Any]) -> list[str]:
    return [f"{name}.{k}: wanted {v!r}, got {have.get(k)!r}" for k, v in want.items() if have.get(k) != v]
