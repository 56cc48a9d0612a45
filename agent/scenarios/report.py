"""The results of scenarios, as the JSON that `watchkeeper evaluate --json` prints. Keys may be added, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.domain.base import rfc3339
from agent.scenarios.judging import Judgement, WrongAction
from agent.scenarios.run import ActionRun, Run, offset


@dataclass(frozen=True, slots=True)
class Result:
    """One file's result. `run` is None when the file is no scenario or could not be run."""

    name: str
    file: str
    judgement: Judgement
    run: Run | None

    @property
    def passed(self) -> bool:
        return self.judgement.passed


def unreadable(file: str, name: str, problems: Sequence[str]) -> Result:
    return Result(name, file, Judgement(tuple(problems), ()), None)


def result_json(result: Result) -> dict[str, Any]:
    run = result.run
    return {
        "name": result.name,
        "file": result.file,
        "passed": result.passed,
        "failures": list(result.judgement.failures),
        "wrong_actions": [_wrong_json(w, run) for w in result.judgement.wrong_actions],
        "incidents": [{"id": i.id, "playbook": i.playbook, "state": i.state} for i in run.incidents] if run else [],
        "actions": [action_json(a, run.start) for a in _in_order(run)] if run else [],
        "proposed": [action_json(a, run.start) for a in run.actions if not a.executed] if run else [],
        "escalations": len(set(run.escalations)) if run else 0,
        "log": _log_json(run),
        "predictions": dict(run.predictions) if run else {},
        "timings_ms": dict(run.timings_ms) if run else {},
    }


def _in_order(run: Run) -> list[ActionRun]:
    """What was executed, by the time of the intents."""
    return sorted((a for a in run.actions if a.at is not None), key=lambda a: a.at or timedelta(0))


def report_json(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The whole report from each file's JSON (which may come from other processes)."""
    passed = sum(1 for r in results if r["passed"])
    return {
        "scenarios": list(results),
        "passed": passed,
        "failed": len(results) - passed,
        "wrong_actions": sum(len(r["wrong_actions"]) for r in results),
    }


def action_json(action: ActionRun, start: datetime) -> dict[str, Any]:
    """`at` is the time of the intent, `after` the same from the start; null when it was only proposed."""
    return {
        "action": action.action,
        "target": dict(action.target),
        "parameters": dict(action.parameters),
        "decision": action.decision,
        "reasons": list(action.reasons),
        "approvals": [dict(a) for a in action.approvals],
        "outcome": action.outcome,
        "at": None if action.at is None else rfc3339(start + action.at),
        "after": offset(action.at),
        "incident": action.incident,
    }


def _wrong_json(wrong: WrongAction, run: Run | None) -> dict[str, Any]:
    return {"why": wrong.why, **(action_json(wrong.action, run.start) if wrong.action and run else {})}


def _log_json(run: Run | None) -> dict[str, Any]:
    if run is None:
        return {"records": 0, "root": None, "intact": None}
    return {"records": run.log.records, "root": run.log.root, "intact": run.log.intact}
