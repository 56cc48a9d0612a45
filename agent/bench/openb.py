"""Reads GPU nodes and pods in the columns of the public openb trace, and makes the list of arrivals of a seed.

The trace is Alibaba's, published with the FGD simulator (hkust-adsl/kubernetes-scheduler-simulator, Apache-2.0); no row
of it is in this project. The arrivals are made as that simulator makes them: the list of pods in the order of their
names, shuffled; then pods drawn from the list, with replacement, until so much GPU is wanted.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from scheduler_core.errors import SchedulerError
from scheduler_core.gpus import Ask, GpuNode

CPU_LEAST_MILLI = 100  # what the simulator gives a pod that asks for no CPU

NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
POD_COLUMNS = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec")


class TraceError(ValueError):
    """A file that is no such trace: names the file, the line and the column."""


def read_nodes(path: Path) -> list[GpuNode]:
    nodes = []
    for line, row in rows(path, NODE_COLUMNS):
        cpu, memory, gpus = (whole(path, line, row, column) for column in ("cpu_milli", "memory_mib", "gpu"))
        with _at(path, line):
            nodes.append(GpuNode(row["sn"], cpu, memory, gpus, row["model"]))
    return nodes


def read_pods(path: Path) -> list[Ask]:
    """The list in the order of the pods' names."""
    asks = []
    for line, row in rows(path, POD_COLUMNS):
        columns = ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
        cpu, memory, gpus, milli = (whole(path, line, row, column) for column in columns)
        models = tuple(model for model in row["gpu_spec"].split("|") if model)
        with _at(path, line):
            asks.append(Ask(cpu or CPU_LEAST_MILLI, memory, gpus, milli, models, name=row["name"]))
    return sorted(asks, key=lambda ask: ask.name)


def arrivals(pods: Sequence[Ask], capacity_milli: int, demand: float, chance: Random) -> list[Ask]:
    listed = list(pods)
    chance.shuffle(listed)
    wanted, limit = sum(ask.demand_milli for ask in listed), demand * capacity_milli
    while wanted > limit:
        wanted -= listed.pop(chance.randrange(len(listed))).demand_milli
    if not any(ask.demand_milli for ask in pods):
        return listed
    while True:
        drawn = pods[chance.randrange(len(pods))]
        if wanted + drawn.demand_milli > limit:
            return listed
        wanted += drawn.demand_milli
        listed.append(drawn)


class _at:
    """Puts the file and line before what the core says of a value."""

    def __init__(self, path: Path, line: int) -> None:
        self._where = f"{path}: line {line}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SchedulerError):
            raise TraceError(f"{self._where}: {error.field}: {error.why}") from error


def rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise TraceError(f"{path}: line 1: it has no column {', '.join(missing)}")
            for row in reader:
                yield reader.line_num, {column: (row[column] or "").strip() for column in columns}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path}: it cannot be read: {error}") from error


def whole(path: Path, line: int, row: dict[str, str], column: str) -> int:
    try:
        return int(row[column])
    except ValueError:
        raise TraceError(f"{path}: line {line}: {column}: {row[column]!r} is not a whole number") from None
