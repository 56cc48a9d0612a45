"""What is being worked on in this thread: so that each line of the process log names incident, stage and action."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Current:
    incident: str = ""
    stage: str = ""
    action: str = ""  # a proposal's id; with the step's number where one is in hand


_NOTHING = Current()
_current: ContextVar[Current] = ContextVar("watchkeeper_current", default=_NOTHING)


def current() -> Current:
    return _current.get()


@contextmanager
def working_on(incident: str, stage: str) -> Iterator[None]:
    token = _current.set(Current(incident, stage))
    try:
        yield
    finally:
        _current.reset(token)


def note_action(action: str) -> None:
    """From here to the end of the stage."""
    _current.set(replace(_current.get(), action=action))


class Named(logging.Filter):
    """Puts it on every record of the log, whichever library wrote it; who says by `extra` what a line is about knows
    better."""

    def filter(self, record: logging.LogRecord) -> bool:
        now = _current.get()
        for name, known in (("incident", now.incident), ("stage", now.stage), ("action", now.action)):
            setattr(record, name, getattr(record, name, "") or known)
        return True
