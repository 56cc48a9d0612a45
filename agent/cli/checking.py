"""Has the log checked by the one checker there is, wherever the log lies."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.output import fail

if TYPE_CHECKING:
    from audit.kept import Kept, Refused
    from audit.verdict import Verdict


def verdict_of(
    place: str | Path, root: bytes | None, size: int | None, kept: Sequence[Kept | Refused] = (), *, deep: bool
) -> Verdict:
    from audit import fsck as checker
    from audit.errors import LogUnavailable
    from audit.storage.opening import url_of

    url = url_of(place)
    try:
        if url is not None:
            from audit.storage.reads_waiting import tell_of_reads
            from audit.storage.recheck import fsck_postgresql

            verdict = fsck_postgresql(url, expect_root=root, expect_size=size, kept=kept)
            tell_of_reads(url, verdict)
            return verdict
        return checker.fsck(place, expect_root=root, expect_size=size, kept=kept, deep=deep)
    except (OSError, sqlite3.Error, LogUnavailable) as error:
        fail(f"The log in {place} cannot be opened: {error}.", "Name a readable file by --db.")
