"""Runs scenario files from beginning to end and judges them: one by one, or several processes at once.

A file that is no scenario counts as failed and is named; the others still run. The wall clock appears in the timings
alone, so the same seed gives the same records.
"""

import logging
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from agent.adapters.kubernetes.views import ClusterViews
from agent.compliance.predictions import accuracy
from agent.domain.cluster import GangState
from agent.scenarios.format import Scenario, ScenarioInvalid, load_scenario
from agent.scenarios.judging import Judgement, judge_run
from agent.scenarios.performance import Performance
from agent.scenarios.report import Result, result_json, unreadable
from agent.scenarios.run import GangRun, LogRun, Run
from agent.scenarios.witness import testimony
from audit.fsck import fsck

SUFFIXES = (".yaml", ".yml")

log = logging.getLogger("watchkeeper.scenarios")


def files_in(paths: Sequence[Path]) -> list[Path]:
    """Every scenario file that `paths` name, folders searched whole. One that is not there fails when it runs."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
        else:
            found.append(path)
    return found


def run_files(
    paths: Sequence[Path], *, seed: int | None = None, jobs: int = 1, settings: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Each file's result as JSON, in the order of `paths`, as they come. `settings` go over the files' own."""
    run = partial(run_file_json, seed=seed, settings=settings)
    if jobs == 1 or len(paths) < 2:
        yield from map(run, paths)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run, paths)


def run_file_json(path: Path, seed: int | None = None, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The top of one file's run: a fault of ours is named in its result, and the others still run."""
    try:
        return result_json(run_file(path, seed=seed, settings=settings))
    except Exception as error:
        log.exception("%s could not be run", path)
        return result_json(unreadable(str(path), path.stem, [f"could not be run: {type(error).__name__}: {error}"]))


def run_file(path: Path, *, seed: int | None = None, settings: Mapping[str, Any] | None = None) -> Result:
    try:
        scenario = load_scenario(path).with_settings(settings or {})
        with tempfile.TemporaryDirectory(prefix="watchkeeper-scenario-") as folder:
            return run_scenario(scenario, str(path), Path(folder), seed=seed)
    except ScenarioInvalid as error:
        return unreadable(str(path), path.stem, error.problems)


def run_scenario(scenario: Scenario, file: str, folder: Path, *, seed: int | None = None) -> Result:
    """Raises ScenarioInvalid for what is wrong with the file beyond its form."""
    begun = time.perf_counter()
    performance = Performance(scenario, folder, seed=seed)
    with closing(performance):
        while performance.step():
            pass
        run = what_happened(performance, (time.perf_counter() - begun) * 1000)
    judgement = judge_run(performance.scenario.spec.expect, run)
    if performance.problems:
        judgement = Judgement((*performance.problems, *judgement.failures), judgement.wrong_actions)
    return Result(scenario.metadata.name, file, judgement, run)


def what_happened(performance: Performance, wall_ms: float) -> Run:
    """The run so far, from its records and from the simulated API server."""
    told = testimony(performance.agent.log.query(), performance.scenario.spec.start)
    world = performance.world
    return Run(
        start=performance.scenario.spec.start,
        final=world.object,
        log=_log_of(performance, told.without_intent),
        incidents=tuple(told.incidents.values()),
        actions=tuple(told.actions.values()),
        verdicts=tuple(told.verdicts),
        escalations=(*told.asked, *performance.pager.calls()),
        unexplained=told.unexplained(world.effects),
        gangs=_gangs_of(performance),
        predictions=accuracy(record.payload for record in performance.agent.log.query(kind="verification")),
        timings_ms={"wall": round(wall_ms, 1)},
    )


def _log_of(performance: Performance, without_intent: Sequence[str]) -> LogRun:
    log = performance.agent.log
    return LogRun(log.size(), log.root().hex(), fsck(performance.database).ok, tuple(without_intent))


def _gangs_of(performance: Performance) -> tuple[GangRun, ...]:
    """Gangs that have not ended: one that finishes loses its pods one by one, and is whole all the same."""
    view = ClusterViews(performance.world.cluster, performance.world.clock).take()
    ended = (GangState.FINISHED, GangState.RUNNING)
    return tuple(
        GangRun(gang.ref, gang.minimum, gang.minimum if gang.state in ended else len(gang.running))
        for gang in view.gangs.values()
        if gang.state is not GangState.FINISHED
    )
