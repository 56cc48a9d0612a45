"""Bundles for the tests: the shipped lib, data and schema around a main.rego or a guardrail of the test's own."""

import shutil
from pathlib import Path

from agent.resources import bundled

GUARDRAIL = """package watchkeeper.guardrails.site

# METADATA
# title: Site rule
# custom:
#   code: site.rule
#   message: "the site says so"
#   remedy: Ask the site
"""
RULE = 'deny contains {"code": "site.rule", "params": {}} if '


def shipped(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    shutil.copytree(bundled("policies"), folder)
    return folder


def with_main(tmp_path: Path, text: str) -> Path:
    """Nothing but this main.rego decides."""
    folder = shipped(tmp_path)
    shutil.rmtree(folder / "guardrails")
    (folder / "main.rego").write_text(f"package watchkeeper.main\n\n{text}\n")
    return folder


def with_guardrail(tmp_path: Path, text: str) -> Path:
    """The shipped bundle and one more module."""
    folder = shipped(tmp_path)
    room = folder / "guardrails" / "site"
    room.mkdir()
    (room / "site.rego").write_text(text)
    return folder
