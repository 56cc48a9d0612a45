"""An export stands alone: checked by its own verifier, with nothing installed but Python, in another folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from log_contract import fill
from tampering import SIZE, File, write_evidence

from audit.anchoring.folder import FolderAnchor
from audit.anchoring.publishing import checkpoint
from audit.errors import LogDamaged
from audit.export import ExportRefused, export
from audit.log import Log
from audit.notes import SignatureType
from audit.signing import Signer, new_key

ORIGIN = "example.com/gpu-cluster"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return new_key(ORIGIN, SignatureType.ED25519, tmp_path / "log.key")


@pytest.fixture
def exported(log: Log, signer: Signer, tmp_path: Path) -> Callable[..., Path]:
    def make(*, withhold: bool = False, **conditions: str) -> Path:
        """What meets the conditions, or everything; moved away from where it was made."""
        asked = {"asked": json.dumps(conditions)} if conditions else {}
        records = log.query(**conditions) if conditions else None  # type: ignore[arg-type]
        export(tmp_path / "made", log, signer, log.size(), records, withhold=withhold, **asked)
        return Path(shutil.move(tmp_path / "made", tmp_path / "elsewhere"))

    return make


def verify(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(folder / "verify.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def lines_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "records.ndjson").read_text(encoding="utf-8").splitlines()]


def write_lines(folder: Path, lines: list[dict[str, object]]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "records.ndjson").write_text(text, encoding="utf-8")


def test_the_whole_log(log: Log, signer: Signer, exported: Callable[..., Path]) -> None:
    fill(log, 40)
    log.append("heartbeat", actor="агент", payload={"odd": ["\x00", 1e21, "😀"]})
    done = verify(exported(), "--key", str(signer.key))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "41 records, the whole log example.com/gpu-cluster of 41 records\nintact\n"


def test_one_incident_with_its_proofs(log: Log, signer: Signer, exported: Callable[..., Path]) -> None:
    fill(log, 40)
    folder = exported(incident="i-3")
    assert len(lines_of(folder)) == 8
    done = verify(folder, "--key", str(signer.key))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "intact")
    assert "8 records, a part of the log" in done.stdout
    assert 'asked for: {"incident": "i-3"}' in done.stdout and "not that nothing was left out" in done.stdout


def test_without_a_key_of_ones_own_it_says_what_that_is_worth(log: Log, exported: Callable[..., Path]) -> None:
    fill(log, 3)
    done = verify(exported())
    assert done.returncode == 0 and "the key came with the export" in done.stdout


@pytest.mark.parametrize("conditions", [{}, {"incident": "i-3"}], ids=["whole", "part"])
@pytest.mark.parametrize("tamper", ["changed", "removed", "reordered", "added", "unreadable"])
def test_what_was_changed_in_the_export_is_found(
    log: Log, signer: Signer, exported: Callable[..., Path], conditions: dict[str, str], tamper: str
) -> None:
    fill(log, 40)
    folder = exported(**conditions)
    lines = lines_of(folder)
    match tamper:
        case "changed":
            lines[3]["record"] = str(lines[3]["record"]).replace('"actor":"agent-', '"actor":"Agent-')
        case "removed":
            del lines[3]
        case "reordered":
            lines[3], lines[4] = lines[4], lines[3]
        case "added":
            lines.insert(4, lines[3])
        case "unreadable":
            lines[3] = {"nothing": 1}
    write_lines(folder, lines)
    done = verify(folder, "--key", str(signer.key))
    if tamper == "removed" and conditions:
        assert "these 7 lines are not the 8 that were exported" in done.stdout
    assert done.returncode == 1 and done.stdout.endswith("NOT INTACT\n"), done.stdout
    if tamper == "changed" and conditions:
        assert "record 18: is not in the log of the checkpoint" in done.stdout


def test_another_key_vouches_for_nothing(log: Log, tmp_path: Path, exported: Callable[..., Path]) -> None:
    fill(log, 3)
    stranger = new_key(ORIGIN, SignatureType.ED25519, tmp_path / "stranger.key")
    done = verify(exported(), "--key", str(stranger.key))
    assert done.returncode == 2 and "signed by no known key" in done.stderr


def test_an_export_is_never_mixed_with_another(log: Log, signer: Signer, tmp_path: Path) -> None:
    fill(log, 1)
    export(tmp_path / "export", log, signer, 1)
    with pytest.raises(FileExistsError):
        export(tmp_path / "export", log, signer, 1)


def more(log: Log, records: int) -> None:
    for _ in range(records):
        log.append("intent", actor="agent", attributes={"incident": f"i-{log.size() % 5}"})


@pytest.fixture
def anchored(log: Log, signer: Signer, tmp_path: Path) -> str:
    """The log of 40, with checkpoints of 12 and 30 of its records kept elsewhere."""
    for size in (12, 30):
        more(log, size - log.size())
        checkpoint(log, signer, [FolderAnchor(tmp_path / "kept")])
    more(log, 10)
    return str(tmp_path / "kept")


def test_what_was_kept_elsewhere_vouches_for_the_export(
    log: Log, signer: Signer, exported: Callable[..., Path], anchored: str
) -> None:
    done = verify(exported(), "--key", str(signer.key), "--anchor", anchored)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "anchoring: ok, the first 30 records are those that were kept elsewhere" in done.stdout


def test_an_export_of_a_log_rebuilt_with_the_key_is_found_out(
    log: Log, signer: Signer, exported: Callable[..., Path], anchored: str, tmp_path: Path
) -> None:
    with Log.open(tmp_path / "forged.db", durability="memory") as forged:
        more(forged, 40)
        export(tmp_path / "forged", forged, signer, 40)
    assert verify(tmp_path / "forged", "--key", str(signer.key)).returncode == 0, "its own checkpoint vouches for it"
    done = verify(tmp_path / "forged", "--key", str(signer.key), "--anchor", anchored)
    assert done.returncode == 1 and "one of the records 0 to 11 is not what it was" in done.stdout


def test_an_export_that_ends_early_says_that_more_was_kept(
    log: Log, signer: Signer, anchored: str, tmp_path: Path
) -> None:
    export(tmp_path / "early", log, signer, 20)
    done = verify(tmp_path / "early", "--key", str(signer.key), "--anchor", anchored)
    assert "the first 12 records are those that were kept elsewhere" in done.stdout
    assert "a checkpoint of 30 records, more than there were here" in done.stdout


def test_of_a_part_only_its_own_size_can_be_held_against_an_anchor(
    log: Log, signer: Signer, exported: Callable[..., Path], anchored: str
) -> None:
    folder = exported(incident="i-3")
    done = verify(folder, "--key", str(signer.key), "--anchor", anchored)
    assert done.returncode == 0 and "anchoring: not checked" in done.stdout
    checkpoint(log, signer, [FolderAnchor(Path(anchored))])
    done = verify(folder, "--key", str(signer.key), "--anchor", anchored)
    assert done.returncode == 0 and "anchoring: ok, the first 40 records" in done.stdout


def run_own_copy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "audit.bundle", str(folder), *arguments]
    root = Path(__file__).parents[2]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)


def test_a_replaced_verifier_does_not_stand_before_ones_own_copy(
    log: Log, signer: Signer, exported: Callable[..., Path]
) -> None:
    fill(log, 5)
    folder = exported()
    assert run_own_copy(folder, "--key", str(signer.key)).stdout.endswith("\nintact\n")
    (folder / "verify.py").write_text('print("intact")')
    lines = lines_of(folder)
    lines[2]["record"] = str(lines[2]["record"]).replace("agent", "Agent")
    write_lines(folder, lines)
    assert verify(folder).stdout == "intact\n", "it says what whoever replaced it likes"
    done = run_own_copy(folder, "--key", str(signer.key))
    assert done.returncode == 1 and "first bad record: 2\nNOT INTACT" in done.stdout


@pytest.mark.parametrize("name", ["README.txt", "verifier/audit/more.py", "verifier/json.py"])
def test_a_file_that_nobody_vouches_for(log: Log, signer: Signer, exported: Callable[..., Path], name: str) -> None:
    fill(log, 3)
    folder = exported()
    (folder / name).write_text('print("intact"); raise SystemExit(0)')
    done = verify(folder, "--key", str(signer.key))
    assert done.returncode == 1 and "NOT INTACT" in done.stdout + done.stderr, done
    assert f"the file {name!r} is no part of an export" in run_own_copy(folder, "--key", str(signer.key)).stdout


def test_a_part_without_a_record(log: Log, signer: Signer, exported: Callable[..., Path]) -> None:
    fill(log, 3)
    done = verify(exported(incident="i-77"), "--key", str(signer.key))
    assert done.returncode == 0 and "0 records, a part of the log" in done.stdout


def test_nothing_is_handed_over_that_its_own_verifier_refuses(log: Log, path: Path, signer: Signer) -> None:
    write_evidence(log)
    with File(path).hand() as hand:
        hand.change(13, b"number 013", b"number 017")  # and its leaf: only the tree tells
    with pytest.raises(ExportRefused, match="do not make the checkpoint's root"):
        export(path.with_name("made"), log, signer, SIZE)
    with File(path).hand() as hand:
        hand.change(12, b"number 012", b"number 017", leaf=False)
    with pytest.raises(LogDamaged, match=r"^record 12: "):
        export(path.with_name("made"), log, signer, SIZE)
    assert not path.with_name("made").exists()


def test_a_damaged_record_is_its_leaf_and_all_the_others_are_proved(log: Log, path: Path, signer: Signer) -> None:
    write_evidence(log)
    with File(path).hand() as hand:
        hand.change(13, b"number 013", b"number 017", leaf=False)
    told: list[LogDamaged] = []
    assert export(path.with_name("made"), log, signer, SIZE, damaged=told.append) == SIZE - 1
    assert [damage.index for damage in told] == [13]
    done = verify(path.with_name("made"), "--key", str(signer.key))
    assert done.returncode == 1 and "first bad record: 13" in done.stdout
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line.startswith("  ")] == ["  record 13"]
