"""The worked examples of docs/policies.md mean the same in a real OPA server, and are in OPA's own form."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from opa_server import Opa, opa
from servers import Server

from agent.adapters.opa import OpaPolicyEngine
from agent.adapters.rego import EmbeddedPolicyEngine
from agent.adapters.rego.archive import bundle_archive
from tests.policies.conformance.compare import said, same
from tests.policies.conformance.draw import draw_input
from tests.policies.examples import EXAMPLES, ROOM, STORIES, put_together, settings_of

DRAWN = 200


@pytest.mark.parametrize("name", EXAMPLES)
def test_both_engines_decide_an_example_alike(name: str, tmp_path: Path, started: Callable[[Server], Server]) -> None:
    folder, data = put_together(name, tmp_path), settings_of(name)["policy_data"]
    embedded = EmbeddedPolicyEngine(folder, data)
    running = Opa(tmp_path / "opa", bundle_archive(embedded.bundle))
    started(running.server)
    server = OpaPolicyEngine(folder, data, server=running.place(timeout_s=30))
    for story in (story for story in STORIES if story.example == name):
        assert server.decide(story.given.document)["decision"] == story.decision
        assert said(server, story.given.document) == said(embedded, story.given.document)
    drawn = [draw_input(seed) for seed in range(DRAWN)]
    assert [given for given in drawn if not same(said(embedded, given), said(server, given))] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_strict_formatted_and_tested(name: str, tmp_path: Path) -> None:
    folder = put_together(name, tmp_path)
    for words in (("check", "--strict", folder.name), ("test", folder.name)):
        run = subprocess.run([opa(), *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
    own = tmp_path / "own"
    shutil.copytree(ROOM / name / "policies", own)
    run = subprocess.run([opa(), "fmt", "--list", "--fail", str(own)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.strip()) == (0, "")
