"""`watchkeeper bench audit`: on a small log, so that what it measures is known to be measured."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.bench import audit, audit_load
from agent.cli import bench
from audit.log import Log

BATCHES = {1: 20, 100: 200, 1_000: 200}


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> dict:
    monkeypatch.setattr(audit, "LATENCIES", 10)
    return audit.run([100, 200], batches=BATCHES, stores=["sqlite"])


def test_it_has_the_numbers_that_were_promised(report: dict) -> None:
    found = report["sqlite"]
    assert set(found["append_per_s"]) == {"1", "100", "1000"} and {"p50", "p99"} <= set(found["append_ms"])
    assert set(found["fsck_s"]) == set(found["proof_ms"]) == set(found["query_ms"]) == {"100", "200"}
    assert all(rate > 0 for rate in found["append_per_s"].values())
    assert found["bytes_per_record"]["200"] > 300
    said = {measure["name"] for measure in report["measures"]}
    assert {"SQLite: appends", "SQLite: durable, p99", "SQLite: provable, p99", "SQLite: incident, cold"} <= said


def test_the_load_is_sealed_as_the_agent_seals_and_is_the_same_each_time(tmp_path: Path) -> None:
    with Log.open(tmp_path / "audit.db", durability="memory") as log:
        audit_load.write(log, map(audit_load.evidence, range(30)), callers=4)
        found = list(log.query(incident=audit_load.incident(10)))
        assert sorted(record.kind for record in found) == sorted(audit_load.STAGES)
        sealed = {record.kind for record in found if record.sealed}
        assert sealed == {"incident", "diagnosis", "approval"}
    assert audit_load.evidence(15) == audit_load.evidence(15)


def test_a_failed_append_is_not_measured(tmp_path: Path) -> None:
    with Log.open(tmp_path / "audit.db", durability="memory") as log, pytest.raises(Exception, match="taken"):
        audit_load.write(log, [audit_load.evidence(1), audit_load.evidence(1)], callers=1)


def test_the_growth_is_drawn(report: dict, tmp_path: Path) -> None:
    from agent.bench.audit_picture import draw

    draw(report, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sizes", "many"], "--sizes: 'many'"),
        (["--sizes", "101"], "--sizes: tens between"),
        (["--store", "mysql"], "there is no 'mysql'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(words: list[str], said: str) -> None:
    done = CliRunner().invoke(bench.app, ["audit", *words])
    assert (done.exit_code, said in done.stderr) == (2, True), done.output


def test_a_store_that_cannot_be_measured_says_why() -> None:
    done = CliRunner().invoke(
        bench.app, ["audit", "--store", "postgresql", "--dsn", "postgresql://nobody@127.0.0.1:9/none", "--json"]
    )
    report = json.loads(done.stdout)
    assert "postgresql" not in report
    assert any(note.startswith("postgresql was not measured") and "refused" in note for note in report["notes"])


def test_the_tables_for_the_documentation(report: dict) -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in report["page"] if line]
    assert rows[0] == ["SQLite", "100", "200"]
    said = {row[0]: row[1:] for row in rows}
    assert said["check of the whole log, s"] == [f"{report['sqlite']['fsck_s'][size]:.2f}" for size in ("100", "200")]
    assert any("100 callers at once" in title for title in said)


def test_told_to_end_it_stops_its_callers_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from agent.cli.main import app; app()", "bench", "audit", "--store", "sqlite"]
    begun = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("watchkeeper-bench-*/audit.db-wal")) and time.monotonic() < deadline:
            time.sleep(0.05)
        begun.terminate()
        assert begun.wait(timeout=30) == 128 + signal.SIGTERM
    finally:
        begun.kill()
    assert list(tmp_path.iterdir()) == []
