"""Checks an exported log with Python's standard library alone: `python3 verify.py [--key VKEY]` inside the export.

An export is a folder: `records.ndjson`, one line for each record with its canonical text and, unless the export is the
whole log, its inclusion proof; `checkpoint`, a signed note with the size and root that the proofs lead to; and this
file with the few that it needs. What it says is as good as the key: take that from whoever runs the log, not from here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.checkpoints import Checkpoint, open_checkpoint
from audit.errors import RecordRefused
from audit.merkle import Frontier, append, root
from audit.notes import KeyRefused, NoteRefused, read_key
from audit.proofs import ProofRefused, verify_inclusion
from audit.record import leaf_hash, parse

RECORDS, CHECKPOINT, KEYS = "records.ndjson", "checkpoint", "keys"

MAX_PROBLEMS = 100
"""Named one by one; more are only counted."""


@dataclass
class Finding:
    """`first_bad` is the index of the first record that is not what the checkpoint vouches for."""

    checkpoint: Checkpoint
    records: int = 0
    whole: bool = False
    problems: list[str] = field(default_factory=list)
    more: int = 0
    first_bad: int | None = None

    @property
    def ok(self) -> bool:
        return not self.problems

    def add(self, index: int | None, reason: str) -> None:
        if index is not None and (self.first_bad is None or index < self.first_bad):
            self.first_bad = index
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(reason if index is None else f"record {index}: {reason}")
        else:
            self.more += 1


def check(folder: Path, keys: Sequence[str]) -> Finding:
    """Raises NoteRefused, KeyRefused or OSError if there is nothing to hold the records against."""
    checkpoint = open_checkpoint((folder / CHECKPOINT).read_bytes(), [read_key(key) for key in keys]).checkpoint
    finding = Finding(checkpoint)
    with (folder / RECORDS).open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        _check_lines(lines, finding)
    return finding


def _check_lines(lines: Iterable[str], finding: Finding) -> None:
    tree, last, proved = Frontier(), -1, 0
    for number, (text, proof) in enumerate(_read(lines, finding)):
        index = _record(text, last, number, finding)
        finding.records += 1
        if index is None:
            continue
        leaf = leaf_hash(text.encode("utf-8", "surrogateescape"))
        if proof is None:
            tree, _ = append(tree, leaf)
        else:
            proved += 1
            _prove(index, leaf, proof, finding)
        last = index
    if proved == 0:
        _whole(tree, finding)
    elif proved < finding.records:
        finding.add(None, "some records have a proof and some have none")


def _read(lines: Iterable[str], finding: Finding) -> Iterator[tuple[str, list[bytes] | None]]:
    for number, line in enumerate(lines, 1):
        try:
            value: Any = json.loads(line)
            proof = value.get("proof")
            yield str(value["record"]), None if proof is None else [bytes.fromhex(each) for each in proof]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            finding.add(None, f"line {number} cannot be read: {type(error).__name__}")


def _record(text: str, last: int, number: int, finding: Finding) -> int | None:
    try:
        index = parse(text.encode("utf-8", "surrogateescape")).index
    except RecordRefused as refusal:
        finding.add(None, f"line {number + 1} is no record: {refusal}")
        return None
    if index <= last:
        finding.add(index, f"comes after record {last}")
    return index


def _prove(index: int, leaf: bytes, proof: list[bytes], finding: Finding) -> None:
    try:
        verify_inclusion(index, finding.checkpoint.size, leaf, proof, finding.checkpoint.root)
    except ProofRefused as refusal:
        finding.add(index, f"is not in the log of the checkpoint: {refusal}")


def _whole(tree: Frontier, finding: Finding) -> None:
    """Without proofs the records must be all of them, and make the root themselves."""
    finding.whole = True
    if tree.size != finding.checkpoint.size:
        finding.add(None, f"{tree.size} records where the checkpoint has {finding.checkpoint.size}")
    elif root(tree) != finding.checkpoint.root:
        finding.add(None, "the records do not make the checkpoint's root: at least one was changed")


def main(arguments: Sequence[str], folder: Path) -> int:
    parser = argparse.ArgumentParser(prog="verify.py", description="Checks an exported log.")
    parser.add_argument("--key", action="append", default=[], help="the log's verifier key; repeatable")
    options = parser.parse_args(arguments)
    keys, known = options.key, True
    if not keys:
        keys, known = (folder / KEYS).read_text(encoding="utf-8").split(), False
    try:
        finding = check(folder, keys)
    except (NoteRefused, KeyRefused, OSError) as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return 2
    kind = "the whole log" if finding.whole else "a part of the log"
    print(f"{finding.records} records, {kind} {finding.checkpoint.origin} of {finding.checkpoint.size} records")
    for problem in finding.problems:
        print(f"  {problem}")
    if finding.more:
        print(f"  and {finding.more} more")
    if not known:
        print("the key came with the export: compare it with the one that the log's operator gave you")
    print("intact" if finding.ok else "NOT INTACT")
    return 0 if finding.ok else 1
