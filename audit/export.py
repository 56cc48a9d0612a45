"""Writes records, their proofs, a checkpoint and the verifier into a folder that stands alone. See `audit.bundle`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from audit.bundle import CHECKPOINT, KEYS, RECORDS
from audit.log import Log
from audit.notes import Note, VerifierKey
from audit.record import Record, canonical_bytes

VERIFIER = ["bundle", "canonical", "checkpoints", "ed25519", "errors", "merkle", "notes", "proofs", "record"]
"""The modules of this room that the verifier is made of. Each needs nothing but the standard library."""

_RUN = '''"""Checks this export: python3 verify.py --key VKEY. Needs nothing but Python 3.11 or later."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "verifier"))

from audit.bundle import main

sys.exit(main(sys.argv[1:], HERE))
'''


def export(folder: Path, log: Log, note: Note, size: int, records: Iterable[Record] | None, key: VerifierKey) -> int:
    """Writes the export and answers how many records it has; `records` None is the whole log up to `size`.

    `note` is a signed checkpoint of that size. The folder must be new: an export is never mixed with another. Raises
    FileExistsError, OSError and the log's own faults.
    """
    folder.mkdir(parents=True)
    whole = records is None
    count = 0
    with (folder / RECORDS).open("w", encoding="utf-8", newline="\n") as lines:
        for record in log.query() if records is None else records:
            if record.index >= size:
                break
            proof = None if whole else [each.hex() for each in log.inclusion_proof(record.index, size)]
            lines.write(_line(record, proof))
            count += 1
    (folder / CHECKPOINT).write_text(str(note), encoding="utf-8")
    (folder / KEYS).write_text(f"{key}\n", encoding="utf-8")
    _write_verifier(folder)
    return count


def _line(record: Record, proof: list[str] | None) -> str:
    told: dict[str, object] = {"record": canonical_bytes(record).decode()}
    if proof is not None:
        told["proof"] = proof
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n"


def _write_verifier(folder: Path) -> None:
    package = folder / "verifier" / "audit"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    here = Path(__file__).parent
    for name in VERIFIER:
        (package / f"{name}.py").write_bytes((here / f"{name}.py").read_bytes())
    (folder / "verify.py").write_text(_RUN, encoding="utf-8")
