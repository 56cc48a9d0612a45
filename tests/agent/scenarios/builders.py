"""Short words for what happened in a run, and for scenario files."""

from datetime import UTC, datetime
from typing import Any

import yaml

from agent.domain.cluster import ObjectRef
from agent.domain.duration import parse_duration
from agent.scenarios.expectation import Expectation
from agent.scenarios.format import Scenario, parse_scenario
from agent.scenarios.judging import Judgement, judge_run
from agent.scenarios.run import ActionRun, LogRun, Run, VerdictRun

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
INTACT = LogRun(records=3, root="r" * 64, intact=True)


def target(text: str) -> dict[str, str]:
    """`Node/gpu-3` or `Pod/law/contract-1`"""
    kind, *namespace, name = text.split("/")
    return {"apiVersion": "v1", "kind": kind, **({"namespace": namespace[0]} if namespace else {}), "name": name}


def executed(action: str, on: str = "Node/gpu-3", at: str = "5m", **more: Any) -> ActionRun:
    values = {"parameters": {}, "outcome": "succeeded", "decision": "allow"} | more
    return ActionRun(action, target(on), proposed_at=parse_duration("4m"), at=parse_duration(at), **values)


def proposed(action: str, on: str = "Node/gpu-3", **more: Any) -> ActionRun:
    values = {"parameters": {}, "decision": "deny"} | more
    return ActionRun(action, target(on), proposed_at=parse_duration("4m"), **values)


def verdict(action: str, decision: str, *reasons: str, on: str = "Node/gpu-3") -> VerdictRun:
    return VerdictRun(action, target(on), {}, decision, reasons)


def run_of(*actions: ActionRun, objects: dict[str, Any] | None = None, **more: Any) -> Run:
    def final(ref: ObjectRef) -> Any:
        return (objects or {}).get(str(ref))

    return Run(**{"start": START, "final": final, "log": INTACT, "actions": actions} | more)


def judged(expect: str, run: Run) -> Judgement:
    """`expect` as YAML, as an author writes it."""
    return judge_run(Expectation.model_validate(yaml.safe_load(expect) or {}), run)


def scenario(spec: str = "{}", file: str = "s.yaml") -> Scenario:
    """A scenario with `spec` (YAML, flow or block)."""
    head = "apiVersion: watchkeeper.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\n"
    body = spec if spec.startswith("\n") else " " + spec
    return parse_scenario(f"{head}spec:{body}\n", file)
