"""The process log: for people by default, one JSON object a line for machines. Evidence is the audit log, not this.

What strangers wrote (an alert's text in a message) stays inside one JSON string, and on one line of text.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import IO, Literal

from agent.adapters.telemetry.current import Named

Form = Literal["text", "json"]
MESSAGE_CHARS_AT_MOST = 8_192  # a line that a collector would cut is cut here, where it is still JSON
_NAMES = ("incident", "stage", "action")


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MESSAGE_CHARS_AT_MOST],
        }
        line |= {name: said for name in _NAMES if (said := getattr(record, name, ""))}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-MESSAGE_CHARS_AT_MOST:]
        return json.dumps(line)


class TextLines(logging.Formatter):
    """Time, level, logger, what it is about, message: one line, whatever a message brings along."""

    def format(self, record: logging.LogRecord) -> str:
        about = " ".join(filter(None, (str(getattr(record, name, "")) for name in ("incident", "action"))))
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = "".join(c if c.isprintable() else repr(c)[1:-1] for c in record.getMessage()[:MESSAGE_CHARS_AT_MOST])
        line = f"{moment} {record.levelname} {record.name}{f' [{about}]' if about else ''}: {message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up(form: Form, *, verbose: bool, stream: IO[str] | None = None) -> None:
    """For the whole process, once."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    handler.addFilter(Named())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for chatty in ("httpcore", "httpx", "urllib3", "kubernetes", "opentelemetry", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
