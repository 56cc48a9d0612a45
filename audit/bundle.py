"""Checks an exported log with Python's standard library alone: `python3 verify.py [--key VKEY] [--anchor PLACE]` inside
the export, or, by an auditor's own copy of these files, `python -m audit.bundle FOLDER` with the same options: who can
change an export can change the verifier in it, and that then says what they like.

An export is a folder: `records.ndjson`, one line for each record with its canonical text, the texts that open its
commitments, and its leaf (the whole log) or its inclusion proof (a part); `checkpoint`, a signed note with the size and
root that these lead to; `selection`, a signed note that says what was asked for, how many lines came of it and what
they hash to; and this file with the few that it needs. In the whole of a log the leaves of dropped records come first,
and a record that the log could no longer show is its leaf and the word `damaged`.

What it says is as good as the key: take that from whoever runs the log, not from here. A part proves what is in it. It
does not prove that nothing was left out: whoever holds the key chose it.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from audit.bundle_finding import MAX_PROBLEMS, NOT_ALL, Finding, say
from audit.bundle_lines import Line, read_line
from audit.checkpoints import Checkpoint, open_checkpoint
from audit.errors import RecordRefused
from audit.kept import Refused, believed, compare, notes_in, sizes_of
from audit.merkle import Frontier, append, root
from audit.notes import KeyRefused, NoteRefused, VerifierKey, read_key, read_note, verified
from audit.proofs import ProofRefused, verify_inclusion
from audit.record import Record, leaf_hash, parse
from audit.removals import Removals
from audit.sealing import Part, opened

RECORDS, CHECKPOINT, KEYS, SELECTION = "records.ndjson", "checkpoint", "keys", "selection"
VERIFIER = [
    "bundle",
    "bundle_finding",
    "bundle_lines",
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

FILES = frozenset(
    {RECORDS, CHECKPOINT, KEYS, SELECTION, "verify.py", "verifier", "verifier/audit", "verifier/audit/__init__.py"}
    | {f"verifier/audit/{name}.py" for name in VERIFIER}
)
"""Of an export. Anything else in the folder has been vouched for by nobody."""

EVERYTHING = "everything"
"""What was asked for, of the whole log."""

SELECTION_LINES = 7  # with the empty one after the last


def check(folder: Path, keys: Sequence[str], anchors: Sequence[Path] = ()) -> Finding:
    """Raises NoteRefused, KeyRefused or OSError if there is nothing to hold the records against.

    `anchors` are checkpoints that somebody kept elsewhere, or folders of them.
    """
    known = [read_key(key) for key in keys]
    checkpoint = open_checkpoint((folder / CHECKPOINT).read_bytes(), known).checkpoint
    kept = [each for place in anchors for each in believed(str(place), notes_in(place), known)]
    finding = Finding(checkpoint, kept=tuple(kept))
    for name in sorted({each.relative_to(folder).as_posix() for each in folder.rglob("*")} - FILES)[:MAX_PROBLEMS]:
        finding.add(None, f"the file {name!r} is no part of an export: nobody vouches for it")
    _check_selection(folder, known, finding)
    with (folder / RECORDS).open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        finding.whole = _is_whole(lines, finding.asked)
        lines.seek(0)
        removals = _check_lines(lines, finding)
        if finding.whole:
            lines.seek(0)
            _check_removals(lines, removals, finding)
    _hold_against(finding)
    return finding


def selection_text(checkpoint: Checkpoint, asked: str, lines: int, digest: str) -> str:
    """What is signed beside the checkpoint: which lines these are. Its first line keeps it from being one."""
    return f"{checkpoint.origin} export\n{checkpoint.size}\n{checkpoint.root.hex()}\n{asked}\n{lines}\n{digest}\n"


def _is_whole(lines: Iterable[str], asked: str) -> bool:
    """By the first line that can be read: what is signed beside them is for another check."""
    for line in map(read_line, lines):
        if line is not None:
            return line.proof is None
    return asked == EVERYTHING


def _check_selection(folder: Path, known: Sequence[VerifierKey], finding: Finding) -> None:
    """Raises NoteRefused, OSError. Whoever changed a line without the key is found here."""
    note = read_note((folder / SELECTION).read_bytes())
    verified(note, known)
    with (folder / RECORDS).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with (folder / RECORDS).open("rb") as file:
        lines = sum(1 for _ in file)
    said = note.text.split("\n")
    finding.asked = said[3] if len(said) == SELECTION_LINES else ""
    if note.text == selection_text(finding.checkpoint, finding.asked, lines, digest):
        return
    count = said[4] if len(said) == SELECTION_LINES else "other"
    finding.add(
        None, f"these {lines} lines are not the {count} that were exported: at least one was changed or left out"
    )


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


class _Checking:
    """Goes from line to line. In the whole log each line is the next leaf of the tree; in a part it has a proof."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        self.tree, self.removals = Frontier(), Removals()
        self.proved, self._last = 0, -1
        self._wanted = sizes_of(finding.kept)
        finding.roots = {0: root(self.tree)}

    def see(self, number: int, line: Line | None) -> None:
        finding = self.finding
        if line is None:
            finding.add(self._at(), f"line {number} cannot be read")
        elif line.text is None:
            self._see_leaf(number, line)
            return
        finding.records += 1
        record = None if line is None else self._record(line.text or "", number)
        if line is None or record is None:
            self._skip(line)
            return
        self._order(record.index)
        leaf = leaf_hash((line.text or "").encode("utf-8", "surrogateescape"))
        self.proved += line.proof is not None
        if line.proof is not None:
            _prove(record.index, leaf, line.proof, finding)
        else:
            if leaf != line.leaf:
                finding.add(record.index, "does not hash to the leaf that came with it")
            self._grow(line.leaf or leaf)
        _open(record, line.parts, self.removals, finding)
        self._last = record.index

    def _see_leaf(self, number: int, line: Line) -> None:
        if line.damaged:
            self.finding.add(self._last + 1, "is not here: the log could no longer show it; its leaf is here")
        elif self.finding.records:
            self.finding.add(self._at(), f"line {number}: leaves of dropped records come first")
        self.finding.records += line.damaged
        self.finding.dropped += not line.damaged
        self._grow(line.leaf or b"")
        self._last += 1

    def _at(self) -> int | None:
        """Which record the line should be: known in the whole log alone."""
        return self._last + 1 if self.finding.whole else None

    def _record(self, text: str, number: int) -> Record | None:
        try:
            return parse(text.encode("utf-8", "surrogateescape"))
        except (RecordRefused, UnicodeEncodeError) as refusal:
            self.finding.add(self._at(), f"line {number} is no record: {refusal}")
            return None

    def _skip(self, line: Line | None) -> None:
        """The tree goes on by the leaf, where there is one: what comes after is not bad for that."""
        if self.finding.whole:
            self._last += 1
            if line is not None and line.leaf is not None:
                self._grow(line.leaf)

    def _order(self, index: int) -> None:
        if index <= self._last:
            self.finding.add(index, f"comes after record {self._last}")
        elif self.finding.whole and index > self._last + 1:
            self._missing(index)

    def _missing(self, index: int) -> None:
        first = self._last + 1
        self.finding.add(first, "is missing" if index == first + 1 else f"is missing, and all before {index}")

    def _grow(self, leaf: bytes) -> None:
        self.tree, _ = append(self.tree, leaf)
        if self.tree.size in self._wanted:
            self.finding.roots[self.tree.size] = root(self.tree)


def _check_lines(lines: Iterable[str], finding: Finding) -> Removals:
    """What is missing from them, and what of that was let go."""
    checking = _Checking(finding)
    for number, line in enumerate(map(read_line, lines), 1):
        checking.see(number, line)
    if finding.whole:
        _whole(checking.tree, finding)
    if checking.proved not in (0, finding.records) or (checking.proved and finding.dropped):
        finding.add(None, "some records have a proof and some have none")
    if finding.whole != (finding.asked == EVERYTHING):
        finding.add(None, "these are not the records that were asked for")
    finding.redacted = list(checking.removals.redacted())
    finding.withheld = sum(len(places) for _, places in checking.removals.missing())
    return checking.removals


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


def _whole(tree: Frontier, finding: Finding) -> None:
    """Without proofs the records must be all of them, and make the root themselves."""
    if tree.size != finding.checkpoint.size:
        end = min(tree.size, finding.checkpoint.size)
        finding.add(end, f"{tree.size} records where the checkpoint has {finding.checkpoint.size}")
    elif root(tree) != finding.checkpoint.root:
        finding.add(
            None, "the records do not make the checkpoint's root: at least one was changed, and its leaf with it"
        )


def _check_removals(lines: Iterable[str], removals: Removals, finding: Finding) -> None:
    """Records of retention, as `audit.fsck` looks at them. In an export of the whole the lines stand in the order of
    the tree, so the first that each kept is looked up by its number."""
    if finding.dropped > removals.first_kept:
        finding.add_of_the_log(removals.first_kept, "was dropped, and no record says so")
    for index, why in removals.refused():
        finding.add_of_the_log(index, why)
    if not finding.dropped:
        return
    wanted = {each.first_kept for each in removals.retentions}
    times = {number: _time_of(line) for number, line in enumerate(lines) if number in wanted}
    for only_told, index, told in removals.against(times.get):
        if only_told:
            finding.warnings.append(f"record {index}: {told}")
        else:
            finding.add_of_the_log(index, told)


def _time_of(text: str) -> str | None:
    line = read_line(text)
    try:
        return None if line is None or line.text is None else parse(line.text.encode("utf-8", "surrogateescape")).at
    except (RecordRefused, UnicodeEncodeError):
        return None


def main(arguments: Sequence[str], folder: Path | None = None) -> int:
    """Without a folder, the arguments name it."""
    program = "python -m audit.bundle" if folder is None else "verify.py"
    parser = argparse.ArgumentParser(prog=program, description="Checks an exported log.")
    if folder is None:
        parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--key", action="append", default=[], help="the log's verifier key; repeatable")
    kept = "a checkpoint that was kept elsewhere, or a folder of them; repeatable"
    parser.add_argument("--anchor", type=Path, action="append", default=[], help=kept)
    options = parser.parse_args(arguments)
    folder = folder or options.folder
    return _told(folder, options.key, options.anchor)


def _told(folder: Path, keys: list[str], anchors: list[Path]) -> int:
    known = bool(keys)
    try:
        keys = keys or (folder / KEYS).read_text(encoding="utf-8").split()
        finding = check(folder, keys, anchors)
    except (NoteRefused, KeyRefused, OSError, UnicodeDecodeError) as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return 2
    kind = "the whole log" if finding.whole else "a part of the log"
    print(f"{finding.records} records, {kind} {finding.checkpoint.origin} of {finding.checkpoint.size} records")
    say(finding)
    if not known:
        print("the key came with the export: compare it with the one that the log's operator gave you")
    if not finding.whole:
        print(f"asked for: {finding.asked}" if finding.asked else "nobody says what was asked for")
        print(NOT_ALL)
    if finding.first_bad is not None:
        print(f"first bad record: {finding.first_bad}")
    print("intact" if finding.ok else "NOT INTACT")
    return 0 if finding.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
