"""Checks an exported log with Python's standard library alone: `python3 verify.py [--key VKEY] [--anchor PLACE]` inside
the export.

An export is a folder: `records.ndjson`, one line for each record with its canonical text, the texts that open its
commitments, and, unless the export is the whole log, its inclusion proof (the whole of a log whose beginning was
dropped starts with the leaves of that); `checkpoint`, a signed note with the size and root that the proofs lead to; and
this file with the few that it needs. What it says is as good as the key: take that from whoever runs the log, not from
here.
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
from audit.kept import Kept, Refused, believed, compare, notes_in, sizes_of
from audit.merkle import Frontier, append, root
from audit.notes import KeyRefused, NoteRefused, read_key
from audit.proofs import ProofRefused, verify_inclusion
from audit.record import Record, leaf_hash, parse
from audit.removals import Redacted, Removals
from audit.sealing import Part, opened
from audit.verdict import Section

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
    dropped: int = 0
    opened: int = 0
    withheld: int = 0
    redacted: list[Redacted] = field(default_factory=list)
    kept: tuple[Kept | Refused, ...] = ()
    roots: dict[int, bytes | None] = field(default_factory=dict)
    anchoring: Section = field(default_factory=Section)
    covered: int | None = None

    @property
    def ok(self) -> bool:
        return not self.problems and self.anchoring.ok

    def add(self, index: int | None, reason: str) -> None:
        if index is not None and (self.first_bad is None or index < self.first_bad):
            self.first_bad = index
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(reason if index is None else f"record {index}: {reason}")
        else:
            self.more += 1


def check(folder: Path, keys: Sequence[str], anchors: Sequence[Path] = ()) -> Finding:
    """Raises NoteRefused, KeyRefused or OSError if there is nothing to hold the records against.

    `anchors` are checkpoints that somebody kept elsewhere, or folders of them.
    """
    known = [read_key(key) for key in keys]
    checkpoint = open_checkpoint((folder / CHECKPOINT).read_bytes(), known).checkpoint
    kept = [each for place in anchors for each in believed(str(place), notes_in(place), known)]
    finding = Finding(checkpoint, kept=tuple(kept))
    with (folder / RECORDS).open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        _check_lines(lines, finding)
    _hold_against(finding)
    return finding


def _hold_against(finding: Finding) -> None:
    """The whole log makes every root again; of a part only the root that its proofs lead to is known."""
    if not finding.whole:
        finding.roots[finding.checkpoint.size] = finding.checkpoint.root
    known = []
    for each in finding.kept:
        if isinstance(each, Refused):
            finding.anchoring.add(each.code, None, f"{each.place}: {each.reason}")
        elif finding.whole or each.size == finding.checkpoint.size:
            known.append(each)
    size = finding.checkpoint.size
    mine = [each for each in known if each.size <= size]  # one of more records is younger than the export
    finding.covered = compare(finding.anchoring, size, finding.roots, mine) if mine else None


@dataclass
class _Line:
    """One line as it stands, believed in nothing."""

    text: str = ""
    leaf: bytes | None = None
    proof: list[bytes] | None = None
    parts: tuple[Part, ...] = ()


def _check_lines(lines: Iterable[str], finding: Finding) -> None:
    tree, last, proved, removals = Frontier(), -1, 0, Removals()
    wanted, finding.roots = sizes_of(finding.kept), {0: root(tree)}
    for number, line in enumerate(_read(lines, finding), 1):
        if line.leaf is not None:
            if finding.records:
                finding.add(None, f"line {number}: leaves of dropped records come first")
            tree = _grown(tree, line.leaf, wanted, finding)
            finding.dropped += 1
            continue
        record = _record(line.text, last, number, finding)
        finding.records += 1
        if record is None:
            continue
        leaf = leaf_hash(line.text.encode("utf-8", "surrogateescape"))
        if line.proof is None:
            tree = _grown(tree, leaf, wanted, finding)
        else:
            proved += 1
            _prove(record.index, leaf, line.proof, finding)
        _open(record, line.parts, removals, finding)
        last = record.index
    if proved == 0:
        _whole(tree, removals, finding)
    elif proved < finding.records or finding.dropped:
        finding.add(None, "some records have a proof and some have none")
    finding.redacted = list(removals.redacted())
    finding.withheld = sum(len(places) for _, places in removals.missing())


def _grown(tree: Frontier, leaf: bytes, wanted: frozenset[int], finding: Finding) -> Frontier:
    grown, _ = append(tree, leaf)
    if grown.size in wanted:
        finding.roots[grown.size] = root(grown)
    return grown


def _read(lines: Iterable[str], finding: Finding) -> Iterator[_Line]:
    for number, line in enumerate(lines, 1):
        try:
            value: Any = json.loads(line)
            if "leaf" in value:
                yield _Line(leaf=bytes.fromhex(value["leaf"]))
                continue
            proof = value.get("proof")
            hashes = None if proof is None else [bytes.fromhex(each) for each in proof]
            told = value.get("opened", {}).items()
            parts = tuple(Part(place, bytes.fromhex(each["salt"]), str(each["text"])) for place, each in told)
            yield _Line(str(value["record"]), None, hashes, parts)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            finding.add(None, f"line {number} cannot be read: {type(error).__name__}")


def _record(text: str, last: int, number: int, finding: Finding) -> Record | None:
    try:
        record = parse(text.encode("utf-8", "surrogateescape"))
    except (RecordRefused, UnicodeEncodeError) as refusal:
        finding.add(None, f"line {number} is no record: {refusal}")
        return None
    if record.index <= last:
        finding.add(record.index, f"comes after record {last}")
    return record


def _open(record: Record, parts: Sequence[Part], removals: Removals, finding: Finding) -> None:
    """What was kept apart must be what the record commits to. What is not there was erased, or is held back."""
    try:
        whole = opened(record, parts)
    except (RecordRefused, UnicodeEncodeError) as refusal:
        finding.add(record.index, f"a text that came with it is not the record's: {refusal}")
        return
    finding.opened += len(parts)
    removals.see(whole, frozenset(record.sealed) - {part.place for part in parts})


def _prove(index: int, leaf: bytes, proof: list[bytes], finding: Finding) -> None:
    try:
        verify_inclusion(index, finding.checkpoint.size, leaf, proof, finding.checkpoint.root)
    except ProofRefused as refusal:
        finding.add(index, f"is not in the log of the checkpoint: {refusal}")


def _whole(tree: Frontier, removals: Removals, finding: Finding) -> None:
    """Without proofs the records must be all of them, and make the root themselves."""
    finding.whole = True
    if tree.size != finding.checkpoint.size:
        finding.add(None, f"{tree.size} records where the checkpoint has {finding.checkpoint.size}")
    elif root(tree) != finding.checkpoint.root:
        finding.add(None, "the records do not make the checkpoint's root: at least one was changed")
    if finding.dropped > removals.first_kept:
        finding.add(removals.first_kept, "was dropped, and no record says so")


def main(arguments: Sequence[str], folder: Path) -> int:
    parser = argparse.ArgumentParser(prog="verify.py", description="Checks an exported log.")
    parser.add_argument("--key", action="append", default=[], help="the log's verifier key; repeatable")
    kept = "a checkpoint that was kept elsewhere, or a folder of them; repeatable"
    parser.add_argument("--anchor", type=Path, action="append", default=[], help=kept)
    options = parser.parse_args(arguments)
    keys, known = options.key, True
    if not keys:
        keys, known = (folder / KEYS).read_text(encoding="utf-8").split(), False
    try:
        finding = check(folder, keys, options.anchor)
    except (NoteRefused, KeyRefused, OSError) as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return 2
    kind = "the whole log" if finding.whole else "a part of the log"
    print(f"{finding.records} records, {kind} {finding.checkpoint.origin} of {finding.checkpoint.size} records")
    _print(finding)
    if not known:
        print("the key came with the export: compare it with the one that the log's operator gave you")
    print("intact" if finding.ok else "NOT INTACT")
    return 0 if finding.ok else 1


def _print(finding: Finding) -> None:
    if finding.dropped:
        print(f"{finding.dropped} earlier records were dropped by retention; their leaves are here")
    if finding.opened or finding.redacted or finding.withheld:
        print(f"{finding.opened} sealed texts are here and are what the records commit to")
    for redacted in finding.redacted[:MAX_PROBLEMS]:
        print(f"redacted: {redacted}")
    if finding.withheld:
        print(f"{finding.withheld} sealed texts are not here, and no record here says that they were erased")
    for problem in (*finding.problems, *finding.anchoring.problems):
        # It may quote what no terminal can show, from lines that nobody vouches for.
        print("  " + str(problem).encode("utf-8", "backslashreplace").decode())
    if finding.kept:
        print(f"anchoring: {_anchored(finding)}")
    for each in finding.kept:
        if isinstance(each, Kept) and each.size > finding.checkpoint.size:
            print(
                f"{each.place} keeps a checkpoint of {each.size} records, more than there were here: ask for the rest"
            )
            break
    if finding.more:
        print(f"  and {finding.more} more")


def _anchored(finding: Finding) -> str:
    if not finding.anchoring.ok:
        return "FAILED"
    if finding.covered is not None:
        return f"ok, the first {finding.covered} records are those that were kept elsewhere"
    return "not checked: a part of the log can only be held against a checkpoint of its own size"
