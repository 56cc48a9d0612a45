"""`watchkeeper bench`: its JSON, its table, its picture, and what it says to wrong usage."""

import importlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.bench.measures import machine
from agent.bench.numbers import numbers
from agent.cli.bench import BENCHMARKS, Benchmark, app
from agent.cli.bench_measures import show_measures

NODES = "sn,cpu_milli,memory_mib,gpu,model\n" + "".join(f"n{i},64000,65536,4,T4\n" for i in range(4))
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n" + "".join(
    f"p{i:02d},2000,1024,1,{(1000, 470, 810)[i % 3]},\n" for i in range(18)
)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "nodes.csv").write_text(NODES, encoding="utf-8")
    (tmp_path / "pods.csv").write_text(PODS, encoding="utf-8")
    return ["--nodes", str(tmp_path / "nodes.csv"), "--pods", str(tmp_path / "pods.csv")]


def bench(*words: str) -> Result:
    return CliRunner().invoke(app, ["placement", *words])


def test_json_is_one_object_with_the_policies_asked_for(files: list[str]) -> None:
    done = bench(*files, "--policy", "fgd,watchkeeper", "--seeds", "1-2", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert {"fgd", "watchkeeper", "bound_percent"} <= set(report)
    assert "bestfit" not in report


def test_the_table_names_the_policy_and_the_bound(files: list[str], tmp_path: Path) -> None:
    picture = tmp_path / "curve.png"
    done = bench(*files, "--policy", "bestfit", "--seeds", "1", "--picture", str(picture))
    assert done.exit_code == 0, done.output
    assert "bestfit" in done.stdout
    assert "No policy that takes every pod that fits passes" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policy", "luck"], "There is no policy 'luck'"),
        (["--seeds", "x"], "--seeds: 'x'"),
        (["--seeds", "5-1"], "names 0 seeds"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(files: list[str], words: list[str], said: str) -> None:
    done = bench(*files, *words)
    assert (done.exit_code, said in done.stderr) == (2, True), done.output


def test_without_files_it_says_what_it_needs() -> None:
    done = bench()
    assert done.exit_code == 2
    assert "--nodes FILE --pods FILE" in done.stderr


def test_a_file_that_is_no_trace_is_status_1(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "pods.csv").write_text("name,cpu\n", encoding="utf-8")
    done = bench(*files)
    assert done.exit_code == 1
    assert "pods.csv: line 1" in done.stderr


def test_every_row_of_the_table_has_a_command_and_a_module() -> None:
    commands = {each.name or getattr(each.callback, "__name__", "") for each in app.registered_commands}
    assert set(BENCHMARKS) <= commands
    for each in BENCHMARKS.values():
        assert callable(importlib.import_module(each.module).run)


MEASURE = {
    "name": "a rate", "value": 5.0, "unit": "/s", "conditions": "on a word that is long " * 6, "at_most": None,
    "at_least": 10, "holds": False,
}  # fmt: skip
REPORT = {
    "machine": {**machine(), "cpu": "A CPU"},
    "measures": [MEASURE, {**MEASURE, "name": "unwished", "at_least": None, "holds": None}],
    "peers": [{"who": "P", "what": "w", "figure": "1 s", "conditions": "c", "source": "s"}],
    "notes": ["n"],
}


def test_measures_fit_80_columns_and_say_whether_the_wish_is_met(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show_measures(REPORT)
    shown = capsys.readouterr().out
    assert "a rate: 5 /s  (at least 10: NOT MET)" in shown
    assert "Ran on: A CPU" in shown and "commit" in shown and "source: s" in shown
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80


def test_the_numbers_are_those_with_a_wish_and_the_rates_of_placement(files: list[str]) -> None:
    placement = json.loads(bench(*files, "--policy", "bestfit,fgd", "--seeds", "1", "--json").stdout)
    placement["growth"] = {"fgd": {"us_per_placement": {"1000": 100.0, "10000": 300.0}}}
    placement["defragment"] = {"bestfit": {"moves": [90, 100], "points_won": [1.5, 0.9]}}
    found = {each["name"]: each for each in numbers({"placement": placement, "queue": REPORT})}
    assert list(found) == [
        "placement: bestfit", "placement: fgd", "placement: fgd, as fleets grow", "defragment a bestfit fill", "a rate",
    ]  # fmt: skip
    assert [found[name]["holds"] for name in list(found)[2:]] == [False, False, False]
    assert found["placement: fgd, as fleets grow"]["value"] == 3


def test_a_benchmark_that_fails_is_named_and_loses_no_other_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"gone": Benchmark("agent.bench.gone", "A module that is not there."), "audit": BENCHMARKS["audit"]}
    monkeypatch.setattr("agent.cli.bench.BENCHMARKS", rows)
    monkeypatch.setattr("agent.bench.audit.BATCHES", {1: 20, 100: 200, 1_000: 200})  # not the minute that it measures
    monkeypatch.setattr("agent.bench.audit.LATENCIES", 10)
    told = CliRunner().invoke(app, ["all", "--sizes", "100", "--json"])
    report = json.loads(told.stdout)
    assert told.exit_code == 1 and "agent.bench.gone" in report["left_out"]["gone"]
    assert "sqlite" in report["audit"]
