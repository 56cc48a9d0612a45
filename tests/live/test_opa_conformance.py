"""The policies mean the same in a real OPA server: ten thousand drawn inputs, their own tests, every line."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opa_server import Opa, opa
from servers import Server

from agent.adapters.opa import OpaPolicyEngine
from agent.adapters.rego import EmbeddedPolicyEngine
from agent.adapters.rego.archive import bundle_archive
from agent.resources import bundled
from tests.policies.conformance.compare import said, same
from tests.policies.conformance.draw import draw_input, draw_limits

INPUTS = 10_000
LIMITS = 10  # ways to set them, each with its share of the inputs
POLICIES = bundled("policies")


def asked(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([opa(), *arguments], capture_output=True, text=True, check=False, cwd=POLICIES.parent)


@pytest.mark.parametrize("number", range(LIMITS))
def test_both_engines_say_the_same(number: int, tmp_path: Path, started: Callable[[Server], Server]) -> None:
    limits = draw_limits(number)
    embedded = EmbeddedPolicyEngine(POLICIES, limits)
    running = Opa(tmp_path, bundle_archive(embedded.bundle))
    started(running.server)
    server = OpaPolicyEngine(POLICIES, limits, server=running.place(timeout_s=30))
    differ, otherwise = {}, 0
    for seed in range(number, INPUTS, LIMITS):
        given = draw_input(seed)
        here, there = said(embedded, given), said(server, given)
        if not same(here, there):
            differ[seed] = (here, there)
        otherwise += here != there
    assert differ == {}
    print(f"limits {number}: {INPUTS // LIMITS} inputs, {otherwise} refused in other words", file=sys.stderr)


def test_the_policies_pass_their_own_tests_and_no_line_is_left_out() -> None:
    run = asked("test", "--timeout=60s", "--coverage", POLICIES.name)
    assert run.returncode == 0, run.stdout[-3000:]
    files = json.loads(run.stdout)["files"]
    missed = {name: _missed(name, found) for name, found in files.items() if not name.endswith("_test.rego")}
    missed = {name: lines for name, lines in missed.items() if lines}
    assert missed == {}


def _missed(name: str, found: dict[str, Any]) -> list[int]:
    """Lines that no test reached. Of several rules that fill one map OPA marks the first head alone as reached: a head
    counts by the first line of its body."""
    covered = {row for lines in found["covered"] for row in range(lines["start"]["row"], lines["end"]["row"] + 1)}
    text = (POLICIES.parent / name).read_text().splitlines()
    spans = [(lines["start"]["row"], lines["end"]["row"]) for lines in found.get("not_covered", ())]
    rows = [row for first, last in spans for row in range(first, last + 1)]
    return [row for row in rows if not (text[row - 1].endswith("if {") and row + 1 in covered)]


def test_as_many_tests_run_there_as_here() -> None:
    from agent.adapters.rego.bundle import read_bundle
    from agent.adapters.rego.unit_tests import run_tests

    here = list(run_tests(read_bundle(POLICIES)))
    there = json.loads(asked("test", "--timeout=60s", "--format=json", POLICIES.name).stdout)
    assert {result.name.rpartition(".")[2] for result in here} == {result["name"] for result in there}
    assert len(here) == len(there)


def test_the_policies_are_strict_and_formatted() -> None:
    for arguments in (("check", "--strict", POLICIES.name), ("fmt", "--list", "--fail", POLICIES.name)):
        run = asked(*arguments)
        assert (run.returncode, run.stdout.strip()) == (0, ""), run.stdout + run.stderr


def test_the_archive_is_one_that_opa_reads(tmp_path: Path) -> None:
    bundle = EmbeddedPolicyEngine(POLICIES).bundle
    archive = tmp_path / "bundle.tar.gz"
    archive.write_bytes(bundle_archive(bundle))
    told = json.loads(asked("inspect", "--format=json", str(archive)).stdout)
    assert told["manifest"]["revision"] == bundle.digest
    assert set(told["manifest"]["roots"]) == {"limits", "watchkeeper"}
    assert shutil.which("opa") is None or opa() != shutil.which("opa")  # ours is the pinned one


def test_a_broken_condition_is_noticed_by_the_policies_own_tests() -> None:
    """The short form of tests/policies/mutants.py, which tells all survivors."""
    script = POLICIES.parent / "tests" / "policies" / "mutants.py"
    run = subprocess.run([sys.executable, str(script), "--every", "5"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
