"""Writes records, their proofs, a checkpoint and the verifier into a folder that stands alone. See `audit.bundle`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from audit.bundle import CHECKPOINT, KEYS, RECORDS
from audit.log import Log
from audit.notes import Note, VerifierKey
from audit.record import Record, canonical_bytes
from audit.sealing import Part

VERIFIER = [
    "bundle",
    "canonical",
    "checkpoints",
    "ed25519",
    "errors",
    "kept",
    "merkle",
    "notes",
    "proofs",
    "record",
    "removals",
    "sealing",
    "verdict",
]
"""The modules of this room that the verifier is made of. Each needs nothing but the standard library."""

_RUN = '''"""Checks this export: python3 verify.py --key VKEY. Needs nothing but Python 3.11 or later."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "verifier"))

from audit.bundle import main

sys.exit(main(sys.argv[1:], HERE))
'''


@dataclass(frozen=True, slots=True)
class Vouched:
    """What an export is held against: a signed checkpoint of `size` records, and the key that signed it."""

    note: Note
    size: int
    key: VerifierKey


def export(folder: Path, log: Log, by: Vouched, records: Iterable[Record] | None, *, withhold: bool = False) -> int:
    """Writes the export and answers how many records it has; `records` None is the whole log up to `size`.

    `withhold` leaves out the texts behind commitments, which are as erased for whoever gets the export. The folder must
    be new: an export is never mixed with another. Raises FileExistsError, OSError and the log's own faults.
    """
    folder.mkdir(parents=True)
    whole, count = records is None, 0
    with (folder / RECORDS).open("w", encoding="utf-8", newline="\n") as lines:
        for index in range(log.first_kept() if whole else 0):
            lines.write(_written({"leaf": log.leaf(index).hex()}))
        for record in log.query() if records is None else records:
            if record.index >= by.size:
                break
            proof = {} if whole else {"proof": [each.hex() for each in log.inclusion_proof(record.index, by.size)]}
            lines.write(
                _written(_told(record, () if withhold or not record.sealed else log.parts(record.index)) | proof)
            )
            count += 1
    (folder / CHECKPOINT).write_text(str(by.note), encoding="utf-8")
    (folder / KEYS).write_text(f"{by.key}\n", encoding="utf-8")
    _write_verifier(folder)
    return count


def _told(record: Record, parts: Iterable[Part]) -> dict[str, object]:
    told: dict[str, object] = {"record": canonical_bytes(record).decode()}
    if record.sealed:
        told["opened"] = {part.place: {"salt": part.salt.hex(), "text": part.text} for part in parts}
    return told


def _written(told: dict[str, object]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n"


def _write_verifier(folder: Path) -> None:
    package = folder / "verifier" / "audit"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    here = Path(__file__).parent
    for name in VERIFIER:
        (package / f"{name}.py").write_bytes((here / f"{name}.py").read_bytes())
    (folder / "verify.py").write_text(_RUN, encoding="utf-8")
