"""Plays a scenario file with one more thing going wrong, and says what must hold all the same.

The world, the people and the judgement are the scenario's own; only the agent dies, or what it leans on fails.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent.domain.cluster import ObjectRef
from agent.scenarios.crash import AgentKilled, Kills
from agent.scenarios.expectation import Expectation
from agent.scenarios.format import Scenario, load_scenario
from agent.scenarios.judging import Judgement, judge_run
from agent.scenarios.outages import MovingClock, Outages
from agent.scenarios.performance import Performance
from agent.scenarios.run import Run
from agent.scenarios.runner import what_happened
from agent.scenarios.timeline import TimelineEntry

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FILES = ("xid-79-under-a-gang", "idle-notebook-reclaimed", "stuck-gang-smaller-gives-way")
BOUNDARIES = ("intent", "effect", "outcome", "approval")


class KillAt(Kills):
    """Kills at the chosen occurrences of boundaries, counted over all lives of the process."""

    def __init__(self, *chosen: tuple[str, int]) -> None:
        super().__init__()
        self.crossed: Counter[str] = Counter()
        self._chosen = set(chosen)

    def reached(self, name: str) -> None:
        self.crossed[name] += 1
        if (name, self.crossed[name]) in self._chosen:
            raise AgentKilled(f"{name} {self.crossed[name]}")
        super().reached(name)


class KillAtStage:
    """Kills just before or just after the n-th run of a stage, counted over all lives of the process: `around` is what
    is entered around each."""

    def __init__(self, nth: int = 0, *, after: bool = False) -> None:
        self.stages: list[str] = []
        self._nth, self._after = nth, after

    @contextmanager
    def around(self, stage: str, _incident: str) -> Iterator[None]:
        self.stages.append(stage)
        mine = len(self.stages) == self._nth
        if mine and not self._after:
            raise AgentKilled(f"before {stage}")
        yield
        if mine and self._after:
            raise AgentKilled(f"after {stage}")

    def interposed(self, clock: MovingClock) -> Outages:
        """What the scenario interposes, and this around the stages."""
        around = self.around

        class WithStages(Outages):
            def interpose(self, name: str, port: Any) -> Any:
                return around if name == "stages" else super().interpose(name, port)

        return WithStages(clock)


@dataclass(frozen=True)
class Played:
    run: Run
    judgement: Judgement
    effects: Counter[str]  # each change of the world, word for word
    changes: Counter[str]  # the same, only what was done to which object; what was taken back does not count
    crossed: Counter[str]  # boundaries
    restarts: int
    errors: tuple[str, ...]  # what the agent logged as its own fault


def scenario(name: str) -> Scenario:
    return load_scenario(SCENARIOS / f"{name}.yaml")


def with_fault(played: Scenario, target: str, kind: str, at: timedelta, lasts: timedelta) -> Scenario:
    """The same, with one fault. It may hold things up, so nothing has to be done by a certain time any more."""
    entry = TimelineEntry.model_validate({"at": at, "fault": {"target": target, "kind": kind, "for": lasts}})
    expect = Expectation.model_validate(_whenever(played.spec.expect.model_dump(by_alias=True, exclude_unset=True)))
    spec = played.spec.model_copy(update={"timeline": (*played.spec.timeline, entry), "expect": expect})
    return played.model_copy(update={"spec": spec})


def _whenever(expected: Any) -> Any:
    if isinstance(expected, Mapping):
        return {key: _whenever(value) for key, value in expected.items() if key != "notAfter"}
    return [_whenever(each) for each in expected] if isinstance(expected, list | tuple) else expected


def play(played: Scenario, folder: Path, *, kills: KillAt | None = None, seed: int | None = None) -> Played:
    kills = kills or KillAt()
    with _Errors() as errors, closing(Performance(played, folder, seed=seed, kills=kills)) as performance:
        while performance.step():
            pass
        run = what_happened(performance, 0.0)
        assert performance.problems == []
        return Played(
            run=run,
            judgement=judge_run(played.spec.expect, run),
            effects=Counter(_told(effect) for effect in performance.world.effects),
            changes=Counter(f"{effect.verb} {effect.ref}" for effect in performance.world.effects)
            - _taken_back(performance),
            crossed=kills.crossed,
            restarts=performance.process.restarts,
            errors=tuple(errors.seen),
        )


def _taken_back(performance: Performance) -> Counter[str]:
    """The steps of the way back: after a failure, every change is there twice."""
    intents = [record.payload for record in performance.agent.log.query(kind="intent")]
    back = [each for each in intents if each["undo"] and each["undoes"] == each["proposal"]]
    return Counter(f"{each['verb']} {ObjectRef.model_validate(each['object'])}" for each in back)


def _told(effect: Any) -> str:
    return f"{effect.verb} {effect.ref} {json.dumps(effect.body, sort_keys=True)}"


def faults_of_safety(played: Played) -> list[str]:
    """What must never be, whatever went wrong outside: wrong actions, torn gangs, a broken log, a crash."""
    found = [f"wrong action: {wrong.why}" for wrong in played.judgement.wrong_actions]
    found += [f"torn: {gang}" for gang in played.run.gangs if not gang.whole and _touched(gang.ref, played)]
    found += [f"without intent: {action}" for action in played.run.log.without_intent]
    found += [] if played.run.log.intact else ["the log is not intact"]
    return found + [f"error: {error}" for error in played.errors]


def _touched(gang: ObjectRef, played: Played) -> bool:
    """Two gangs are in parts when the third scenario begins; where the agent did nothing they still are."""
    return any(change.endswith(f" {gang}") for change in played.changes)


class _Errors(logging.Handler):
    """What is logged as an error while it is open."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(f"{record.getMessage()} {record.exc_info[1] if record.exc_info else ''}")

    def __enter__(self) -> "_Errors":
        logging.getLogger("watchkeeper").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("watchkeeper").removeHandler(self)
