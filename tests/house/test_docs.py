"""Commands in the docs run: each `$ watchkeeper …` line of a `console` block, in a checkout, and succeeds."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = [
    pytest.param(line.removeprefix("$ watchkeeper "), id=f"{page.name}: {line}")
    for page in PAGES
    for block in BLOCK.findall(page.read_text(encoding="utf-8"))
    for line in block.splitlines()
    if line.startswith("$ watchkeeper ")
]
LINK = re.compile(r"\]\(([^)#:]+)\)")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_in_the_docs_runs(command: str, tmp_path: Path) -> None:
    words = shlex.split(command)
    arguments = [str(ROOT / word) if "/" in word else word for word in words]
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli.main", *arguments],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    gone = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert gone == []


def test_help_of_every_command_carries_an_example() -> None:
    from agent.cli.main import COMMANDS as names

    for name in names:
        shown = subprocess.run(
            [sys.executable, "-m", "agent.cli.main", name, "--help"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert shown.returncode == 0, shown.stderr
        assert "Example" in shown.stdout or "Commands" in shown.stdout, name


def test_the_reason_codes_in_the_docs_are_those_of_the_policies() -> None:
    from write_policies import PAGE, written

    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run `make docs`"


def test_every_limit_in_the_docs_has_its_meaning() -> None:
    from write_policies import limits_table

    rows = [row.strip("| ").split(" | ") for row in limits_table().splitlines()[2:]]
    assert [row[0] for row in rows if len(row) < 4 or not row[3].strip()] == []
    named = {row[0].strip("`").split(".")[0].removesuffix("[]") for row in rows}
    assert named >= {"autonomy", "earned", "windows", "freezes", "obligations", "approvals"}


def test_the_actions_in_the_docs_are_those_of_the_catalogue() -> None:
    from write_actions import PAGE, written

    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run `make docs`"


def test_the_thresholds_in_the_docs_are_those_of_the_code() -> None:
    from write_thresholds import PAGE, written

    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run `make docs`"


def test_the_results_in_the_docs_are_of_the_scenarios_that_are_there() -> None:
    """What became of them is compared where they run anyway: in `make test`."""
    from write_results import PAGE, names

    files = sorted(file.stem for file in (ROOT / "scenarios").glob("*.yaml"))
    assert names(PAGE.read_text(encoding="utf-8")) == files, "run `make docs`"


def test_a_page_that_is_not_what_happened_is_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import write_results

    run = {"name": "demo", "incidents": [], "actions": [], "escalations": 0, "wrong_actions": []}
    for root in ("a1", "b2"):
        report = {"scenarios": [{**run, "log": {"root": root}}], "passed": 1, "failed": 0, "wrong_actions": 0}
        (tmp_path / root).write_text(json.dumps(report), encoding="utf-8")
    monkeypatch.setattr(write_results, "PAGE", tmp_path / "page.md")
    assert write_results.main([str(tmp_path / "a1")]) == 0
    assert write_results.main(["--check", str(tmp_path / "a1")]) == 0
    assert write_results.main(["--check", str(tmp_path / "b2")]) == 1
    said = capsys.readouterr().err
    assert "page: | [demo]" in said and "now : | [demo]" in said and "run `make docs`" in said


def test_the_tests_that_the_table_of_faults_names_are_there() -> None:
    table = (ROOT / "docs" / "live-world.md").read_text(encoding="utf-8").partition("## Faults, one by one")[2]
    named = set(re.findall(r"`(test_\w+)`", table))
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("live", "contract")
        for path in (ROOT / "tests" / folder).glob("*.py")
    ]
    written = set(re.findall(r"^def (test_\w+)\(", "\n".join(sources), re.MULTILINE))
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| fault")]
    assert len(rows) > 30 and all("`test_" in row for row in rows)
    assert sorted(named - written) == []
