"""One record of the log, as far as it matters to a stage that reads an incident's story again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """`key` is the unique key that it took; "" where it took none."""

    kind: str
    at: datetime
    payload: Mapping[str, Any]
    key: str = ""
