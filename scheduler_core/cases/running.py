"""Files and folders of cases, run one by one. A case that cannot be read has failed, and says where it is wrong."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scheduler_core.cases.asks import ASKS
from scheduler_core.cases.comparing import differences
from scheduler_core.cases.fields import BadCase, no_twice, read
from scheduler_core.cases.reading.case import case as read_case
from scheduler_core.cases.world import world_of
from scheduler_core.errors import SchedulerError


@dataclass(frozen=True)
class Result:
    name: str
    file: str
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def run_paths(paths: Sequence[Path]) -> tuple[Result, ...]:
    return tuple(result for path in paths for file in files_of(path) for result in run_file(file))


def files_of(path: Path) -> Sequence[Path]:
    return sorted(path.rglob("*.json")) if path.is_dir() else [path]


def run_file(file: Path) -> Iterator[Result]:
    try:
        raw = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=no_twice, parse_constant=_no_number)
    except RecursionError:
        yield Result(file.name, str(file), ("cannot be read: it is nested too deeply",))
        return
    except (OSError, ValueError) as error:
        yield Result(file.name, str(file), (f"cannot be read: {error}",))
        return
    for index, each in enumerate(raw if isinstance(raw, list) else [raw]):
        name = each.get("name") if isinstance(each, dict) else None
        told = name if isinstance(name, str) and name else f"#{index}"
        yield Result(told, str(file), run_case(each))


def run_case(raw: object) -> tuple[str, ...]:
    """What differs from what it expects, or why it cannot be run."""
    try:
        case = read(raw, "", read_case)
        return differences(case, ASKS[case.ask](case, world_of(case)))
    except BadCase as error:
        return (f"cannot be read: {error}",)
    except SchedulerError as error:
        return (f"cannot be run: {error}",)
    except RecursionError:
        return ("cannot be read: it is nested too deeply",)


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is not JSON")
