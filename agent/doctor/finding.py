"""What a check found: good, doubtful or missing, in one sentence, and what to do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    WARN = "warn"  # it works, with less
    FAIL = "fail"  # it does not


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` is checked, `said` what was found; `remedy` is empty where nothing is to be done."""

    what: str
    state: State
    said: str
    remedy: str = ""

    def json_object(self) -> dict[str, str]:
        return {"check": self.what, "state": self.state.value, "said": self.said, "remedy": self.remedy}


Check = Callable[[], Iterable[Finding]]


def ok(what: str, said: str) -> Finding:
    return Finding(what, State.OK, said)


def warn(what: str, said: str, remedy: str) -> Finding:
    return Finding(what, State.WARN, said, remedy)


def fail(what: str, said: str, remedy: str) -> Finding:
    return Finding(what, State.FAIL, said, remedy)
