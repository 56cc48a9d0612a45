"""An approval request as a page for the person who decides: what will change, why, how far it reaches, what
is predicted, what undo does.

Pure: lines with a style each; the doors print them. Colour is never alone: what goes and what comes is marked - and +.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from agent.cli.output import short_time
from agent.compliance.predictions import predicted, without_it
from agent.compliance.stakes import in_all, of_each
from agent.domain.approval import ApprovalRequest, RequestState, missing
from agent.domain.identity import NOBODY, Directory
from agent.domain.proposal import Proposal, Step, Verb
from agent.domain.stake import Stake

EVIDENCE_SHOWN = 8
"""The rest is counted; `audit timeline` has all of it."""

_NAMES_SHOWN = 6

SAID = {
    "approve": "approved",
    "reject": "rejected",
    "edit": "changed it",
    "withdraw": "took the yes back",
    "break_glass": "approved by BREAK-GLASS, without the others,",
}


class Line(NamedTuple):
    text: str
    style: str = ""


def page(request: ApprovalRequest, now: datetime, directory: Directory = NOBODY) -> list[Line]:
    """`directory` names who is in the groups that are asked; without it the groups alone are shown."""
    proposal = request.proposal
    lines = [
        Line(f"{request.id}  {request.state.value}  {_clock(request, now)}", "bold"),
        Line(f"{proposal.action} on {proposal.target}"),
        Line(f"incident {request.incident}{f', tenant {proposal.tenant}' if proposal.tenant else ''}"),
        Line(proposal.statement),
        *([Line(f"changed by {', '.join(request.editors)}", "bold")] if request.editors else []),
    ]
    for heading, section in (
        ("What will change", _changes(proposal)),
        ("Why", _evidence(proposal)),
        ("How far it reaches", _reach(proposal)),
        ("What is lost", lost(proposal.at_stake)),
        ("What is predicted", _predicted(proposal)),
        ("What the policies say", _reasons(request)),
        ("What undo will do", _undo(proposal)),
        ("Who answers", _answers(request, directory)),
    ):
        lines += [Line(""), Line(heading, "bold"), *section]
    return [*lines, Line(""), Line(f"digest {request.digest}", "dim")]


def _clock(request: ApprovalRequest, now: datetime) -> str:
    if request.state is not RequestState.PENDING:
        return f"decided {short_time(request.decided_at)}" if request.decided_at else ""
    left_s = int((request.expires_at - now).total_seconds())
    left = f"in {left_s // 60} min {left_s % 60} s" if left_s > 0 else "time is over"
    return f"expires {short_time(request.expires_at)} UTC ({left})"


def _changes(proposal: Proposal) -> Iterator[Line]:
    for number, step in enumerate(proposal.steps, 1):
        yield Line(f"  {number}. {_doing(step)}")
        yield from _diff(step)
    for name, value in proposal.parameters.items():
        yield Line(f"  {name}: {_short_json(value)}")


def _doing(step: Step) -> str:
    waits = f" (once {step.wait_for.condition.replace('_', ' ')})" if step.wait_for else ""
    match step.verb:
        case Verb.PATCH | Verb.CREATE | Verb.SCALE:
            return f"{step.verb.value} {step.target}{waits}"
        case Verb.EVICT:
            return f"evict {step.target} by the Eviction API{waits}"
        case _:
            return f"{step.verb.value.replace('_', ' ')} for {step.target}{waits}"


def _diff(step: Step) -> Iterator[Line]:
    """Leaf by leaf: what undo would write is what is there now."""
    new, old = dict(_leaves(step.body)), dict(_leaves(step.undo or {}))
    for path in sorted(new.keys() | old.keys()):
        if old.get(path) is not None:
            yield Line(f"     - {path}: {_short_json(old[path])}", "red")
        elif path in new and new[path] is None and path not in old:
            yield Line(f"     - {path}", "red")
        if new.get(path) is not None:
            yield Line(f"     + {path}: {_short_json(new[path])}", "green")


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        path = f"{prefix}.{name}" if prefix else name
        if isinstance(inner, Mapping) and inner:
            yield from _leaves(inner, path)
        else:
            yield path, inner


def _evidence(proposal: Proposal) -> Iterator[Line]:
    yield Line(f"  by {proposal.source}, {proposal.confidence:.0%} sure")
    for item in proposal.evidence[:EVIDENCE_SHOWN]:
        yield Line(f"  {short_time(item.observed_at)}  {item.statement} ({item.source})")
        links = item.data.get("links")
        for link in links if isinstance(links, list) else ():
            yield Line(f"    {link}")
    if len(proposal.evidence) > EVIDENCE_SHOWN:
        yield Line(f"  and {len(proposal.evidence) - EVIDENCE_SHOWN} more")
    yield Line(f"  all of it: watchkeeper audit timeline {proposal.incident}")


def _reach(proposal: Proposal) -> Iterator[Line]:
    radius = proposal.blast_radius
    for kind, names in (("nodes", radius.nodes), ("gangs", radius.gangs), ("workloads", radius.workloads)):
        shown = ", ".join(names[:_NAMES_SHOWN]) + (" …" if len(names) > _NAMES_SHOWN else "")
        yield Line(f"  {len(names)} {kind}{': ' + shown if names else ''}")
    yield Line(f"  {radius.pods} pods with {radius.gpus} GPUs")
    if proposal.destructive:
        yield Line("  stops or restarts work that runs", "bold")


def lost(stakes: Sequence[Stake]) -> Iterator[Line]:
    """Whose work stops, and how much of it is done again; the sum first."""
    if not stakes:
        yield Line("  nobody's work")
        return
    if in_all(stakes):
        yield Line(f"  {in_all(stakes)}", "bold")
    yield from (Line(f"  {told}") for told in of_each(stakes))


def _predicted(proposal: Proposal) -> Iterator[Line]:
    yield Line(f"  predicted: {predicted(proposal.prediction) or 'nothing changes'}")
    otherwise = without_it(proposal.prediction)
    if otherwise:
        yield Line(f"  without it: {otherwise}")


def _reasons(request: ApprovalRequest) -> Iterator[Line]:
    yield Line(f"  {request.verdict.decision.value}")
    for reason in request.verdict.reasons:
        yield Line(f"  {reason.code}: {reason.message}")
        if reason.remedy:
            yield Line(f"    {reason.remedy}")


def _undo(proposal: Proposal) -> Iterator[Line]:
    for number, step in enumerate(proposal.steps, 1):
        if step.undo is None:
            yield Line(f"  {number}. cannot be taken back")
        else:
            values = ", ".join(f"{path} = {_short_json(value)}" for path, value in _leaves(step.undo))
            yield Line(f"  {number}. {step.target}: {values}")


def _answers(request: ApprovalRequest, directory: Directory) -> Iterator[Line]:
    """Who has answered, who is still needed, who is asked after them, and how long an approval is good for."""
    for answer in request.answers:
        reason = f": {answer.reason}" if answer.reason else ""
        yield Line(f"  {answer.by} {SAID[answer.decision]} at {short_time(answer.at)} by {answer.door}{reason}")
        if answer.changes:
            yield Line(f"    {', '.join(f'{name} = {_short_json(value)}' for name, value in answer.changes.items())}")
    if request.state is RequestState.PENDING:
        wanted = missing(request)
        for group in dict.fromkeys(wanted):
            yield Line(f"  still wanted: {_who(group, wanted.count(group), request, directory)}", "bold")
    if request.state is RequestState.APPROVED:
        yield Line("  until it begins one no of anybody who was asked ends it", "bold")
    for number in range(request.tier + 1, len(request.requirement.tiers) + 1):
        tier = request.requirement.tier(number)
        groups = " and ".join(f"{group.count} of {group.name}" for group in tier.groups)
        yield Line(f"  if nobody answers in time: {groups}, for {tier.approve_within_s // 60} min")
    yield Line(f"  silence is a no; a yes is good for {request.requirement.execute_within_s // 60} min")


def _who(group: str, count: int, request: ApprovalRequest, directory: Directory) -> str:
    """Those of the group who have not answered and may: who changed what is asked may not."""
    out = {*request.editors, *(a.by for a in request.answers if a.tier == request.tier)}
    names = [name for name in directory.members(group) if name not in out]
    shown = ", ".join(names[:_NAMES_SHOWN]) + (" …" if len(names) > _NAMES_SHOWN else "")
    if not directory.people:
        return f"{count} of {group}"
    few = "; the settings know no more" if len(names) < count else ""
    return f"{count} of {group} ({shown or 'nobody'}{few})"


def _short_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def told(request: ApprovalRequest) -> str:
    """What an answer has come to."""
    about = f"{request.id}: {request.proposal.action} on {request.proposal.target}"
    if request.answers and request.answers[-1].decision == "withdraw":
        return f"{about}: the yes is taken back. Still wanted: {', '.join(missing(request))}."
    if request.state is RequestState.PENDING:
        return f"{about}: counted. Still wanted: {', '.join(missing(request))}."
    if request.state is RequestState.EDITED:
        return f"{about}: edited. It is proposed and judged anew, and asked of somebody else under another id."
    return f"{about}: {request.state.value}."
