"""`watchkeeper bench`: its JSON, its table, its picture, and what it says to wrong usage."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli.bench import app

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
