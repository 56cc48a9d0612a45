"""The mixes that placement is measured on beside the trace: what their names say, and a row for each."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    nodes, pods = tmp_path / "nodes.csv", tmp_path / "pods.csv"
    nodes.write_text(
        "sn,cpu_milli,memory_mib,gpu,model\n"
        + "".join(f"n-{i},96000,393216,{8 if i % 2 else 2},{'G2' if i % 2 else 'T4'}\n" for i in range(4)),
        encoding="utf-8",
    )
    kinds = ["4000,8192,1,1000", "3000,4096,1,810", "1000,0,1,160", "2000,4096,0,0", "8000,0,2,1000"]
    pods.write_text(
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n"
        + "".join(f"p-{i:03d},{kinds[i % len(kinds)]},\n" for i in range(60)),
        encoding="utf-8",
    )
    return nodes, pods


def test_there_is_a_row_for_every_mix(files: tuple[Path, Path]) -> None:
    command = ["benchmarks/placement_mixes.py", "--nodes", str(files[0]), "--pods", str(files[1]), "--seeds", "1"]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
    assert rows[0][1:3] == ["fgd", "watchkeeper"]
    assert len(rows) == len({row[0] for row in rows}) > 12
    for _, fgd, watchkeeper, least in rows[2:]:
        assert 0 < float(fgd) <= 101
        assert 0 < float(watchkeeper) <= 101
        assert -100 < float(least) < 100


def test_a_mix_is_what_its_name_says(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from agent.bench.trials import Trace
    from benchmarks.placement_mixes import mixes

    drawn = dict(mixes(Trace.read(*files)))
    for name, part in (("60 % of the pods share a GPU", 0.6), ("20 % of the pods share a GPU", 0.2)):
        assert sum(0 < pod.gpu_milli < 1000 for pod in drawn[name]) / len(drawn[name]) == pytest.approx(part, abs=0.01)
    several = drawn["30 % of the pods want several GPUs"]
    assert sum(pod.gpus > 1 for pod in several) / len(several) == pytest.approx(0.3, abs=0.01)
    assert not any(pod.gpu_milli == 1000 for pod in drawn["all GPU pods share one"])
    assert all(pod.gpus for pod in drawn["no pod is without a GPU"])
    named = [pod for pod in drawn["40 % of the GPU pods name models"] if pod.models]
    assert named
    assert all(set(pod.models) <= {"G2", "T4"} and pod.gpus for pod in named)
