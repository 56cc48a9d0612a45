"""Writes records, their proofs, a checkpoint and the verifier into a folder that stands alone. See `audit.bundle`."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from audit.bundle import CHECKPOINT, EVERYTHING, KEYS, RECORDS, SELECTION, VERIFIER, check, selection_text
from audit.checkpoints import Checkpoint
from audit.errors import LogDamaged, LogError
from audit.log import Log
from audit.record import Record, canonical_bytes, leaf_hash
from audit.signing import Signer

_RUN = '''"""Checks this export: python3 verify.py --key VKEY. Needs nothing but Python 3.11 or later.

Whoever could change the export could change this, too: have the same files from somewhere else, and run
`python3 -m audit.bundle FOLDER --key VKEY` by those. A part of a log proves what is in it, not that
nothing was left out.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
STRAY = sorted(each.name for each in (HERE / "verifier").iterdir() if each.name != "audit")
if STRAY:
    sys.exit(f"NOT INTACT: {ascii(STRAY)} in the folder verifier is no part of an export")
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE / "verifier"))

from audit.bundle import main

sys.exit(main(sys.argv[1:], HERE))
'''


class ExportRefused(LogError):
    """What was written is not what its own verifier calls intact; nothing of it is left."""


def export(
    folder: Path,
    log: Log,
    by: Signer,
    size: int,
    records: Iterable[Record] | None = None,
    *,
    asked: str = EVERYTHING,
    withhold: bool = False,
    damaged: Callable[[LogDamaged], None] | None = None,
) -> int:
    """Writes the export of the first `size` records and answers how many it has; `records` None is all of them.

    `asked` is one line on what `records` were chosen by, and is signed. `withhold` leaves out the texts behind
    commitments, which are as erased for whoever gets the export. With `damaged`, records that the log can no longer
    show are told there, and are leaves alone in the export of the whole, which its verifier then calls not intact.

    What is handed over has been checked as its reader will check it; nothing is left of what fails. The folder must be
    new: an export is never mixed with another. Raises FileExistsError, OSError, ExportRefused and the log's own faults.
    """
    folder.mkdir(parents=True)
    try:
        return _export(folder, log, by, size, records, asked, withhold=withhold, damaged=damaged)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _export(
    folder: Path,
    log: Log,
    by: Signer,
    size: int,
    records: Iterable[Record] | None,
    asked: str,
    *,
    withhold: bool,
    damaged: Callable[[LogDamaged], None] | None,
) -> int:
    checkpoint = Checkpoint(by.key.name, size, log.root(size))
    bad: dict[int, LogDamaged] = {}
    with (folder / RECORDS).open("w", encoding="utf-8", newline="\n") as file:
        whole = _everything(log, size, bad, withhold=withhold)
        lines = whole if records is None else _chosen(log, size, records, withhold=withhold)
        count = line_count = 0
        for told in lines:
            file.write(json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n")
            line_count += 1
            count += "record" in told
            if bad and damaged is None:
                raise next(iter(bad.values()))
    with (folder / RECORDS).open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    selection = selection_text(checkpoint, asked, line_count, digest)
    (folder / SELECTION).write_text(str(by.sign_text(selection)), encoding="utf-8")
    (folder / CHECKPOINT).write_text(str(by.sign(checkpoint)), encoding="utf-8")
    (folder / KEYS).write_text(f"{by.key}\n", encoding="utf-8")
    _write_verifier(folder)
    found = check(folder, [str(by.key)])
    known = [] if damaged is None else [*bad.values(), *(LogDamaged(*each) for each in found.of_the_log)]
    if len(found.problems) + found.more > len(known):
        raise ExportRefused(f"its own verifier calls it not intact: {found.problems[0]}")
    for each in known:
        if damaged is not None:
            damaged(each)
    return count


def _everything(log: Log, size: int, bad: dict[int, LogDamaged], *, withhold: bool) -> Iterator[dict[str, object]]:
    """Leaves of what was dropped, then each record or, where it can no longer be shown, its leaf."""
    first = log.first_kept()

    def keep(damage: LogDamaged) -> None:
        bad[damage.index] = damage

    for index in range(first):
        yield {"leaf": log.leaf(index).hex()}
    for record in log.query(before_index=size, damaged=keep):
        while first < record.index:
            yield _gone(log, first, bad)
            first += 1
        yield _told(log, record, withhold=withhold) | {"leaf": leaf_hash(canonical_bytes(record)).hex()}
        first += 1
    for index in range(first, size):
        yield _gone(log, index, bad)


def _gone(log: Log, index: int, bad: dict[int, LogDamaged]) -> dict[str, object]:
    bad.setdefault(index, LogDamaged(index, "is missing"))
    return {"leaf": log.leaf(index).hex(), "damaged": True}


def _chosen(log: Log, size: int, records: Iterable[Record], *, withhold: bool) -> Iterator[dict[str, object]]:
    for record in records:
        if record.index >= size:
            return
        proof = [each.hex() for each in log.inclusion_proof(record.index, size)]
        yield _told(log, record, withhold=withhold) | {"proof": proof}


def _told(log: Log, record: Record, *, withhold: bool) -> dict[str, object]:
    told: dict[str, object] = {"record": canonical_bytes(record).decode()}
    if record.sealed:
        parts = () if withhold else log.parts(record.index)
        told["opened"] = {part.place: {"salt": part.salt.hex(), "text": part.text} for part in parts}
    return told


def _write_verifier(folder: Path) -> None:
    package = folder / "verifier" / "audit"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    here = Path(__file__).parent
    for name in VERIFIER:
        (package / f"{name}.py").write_bytes((here / f"{name}.py").read_bytes())
    (folder / "verify.py").write_text(_RUN, encoding="utf-8")
