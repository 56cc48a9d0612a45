"""Answering at the command line, in this process and in others, at a pipe and at a terminal."""

import json
import os
import pty
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli import approvals

PROGRAM = [sys.executable, "-c", "from agent.cli.approvals import app; app(prog_name='approvals')"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.getcwd(), "COLUMNS": "80", "TERM": "xterm"}


def call(*arguments: str) -> Any:
    return CliRunner().invoke(approvals.app, list(arguments))


def test_listing(site: Any) -> None:
    told = call("list")
    assert told.exit_code == 0
    assert "apr-12345678" in told.stdout and "cordon_node on Node/gpu-3" in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80
    (listed,) = json.loads(call("list", "--json").stdout)["approvals"]
    assert listed["digest"] == site.request.digest
    long_ago, soon = "2020-01-01T00:00:00Z", (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert json.loads(call("list", "--json", "--until", long_ago).stdout) == {"approvals": []}
    assert json.loads(call("list", "--all", "--json", "--since", soon).stdout) == {"approvals": []}
    assert len(json.loads(call("list", "--since", "2h", "--json").stdout)["approvals"]) == 1
    assert "Nothing waits" in call("list", "--until", long_ago).stdout


def test_a_page_says_everything_and_lets_nothing_through(site: Any) -> None:
    page = call("show", "apr-1").stdout
    for said in (
        "- spec.unschedulable: false",
        "+ spec.unschedulable: true",
        '+ metadata.annotations.who: "watchkeeper"',
        "2. evict Pod/law/x-0 by the Eviction API",
        "by playbook:xid-79, 95% sure",
        "1 gangs: Gang/law/x",
        "8 pods with 64 GPUs",
        "autonomy.approval: A person must approve.",
        "2. cannot be taken back",
        "2 of gpu-oncall",
        "in 59 min",
    ):
        assert said in page, said
    assert "\\x1b]0;owned\\x07 [red]fell off[/red] \\u202eesrever\\n\\x9b2J" in page.replace("\n", "").replace(
        "  ", " "
    )
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", page)
    assert json.loads(call("show", "apr-12345678", "--json").stdout)["proposal"]["action"] == "cordon_node"


def test_two_people_approve(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = call("approve", "apr-1", "--as", "alice", "--reason", "seen on the node")
    assert (first.exit_code, "Still wanted: gpu-oncall" in first.stdout) == (0, True)
    again = call("approve", "apr-1", "--as", "alice")
    assert again.exit_code == 4 and "[answered_already]" in again.stderr
    same_hand = call("approve", "apr-1", "--as", "bob")
    assert same_hand.exit_code == 4 and "[account_of_another]" in same_hand.stderr
    monkeypatch.setenv("LOGNAME", "bob")  # as who is at the terminal likes it
    assert "[account_of_another]" in call("approve", "apr-1", "--as", "bob").stderr
    monkeypatch.setattr("agent.cli.house.login_of", lambda uid: "bob")
    assert "[not_their_login]" in call("approve", "apr-1", "--as", "dana").stderr
    second = call("approve", "apr-12345678", "--as", "bob", "--digest", site.request.digest[:12], "--json")
    assert json.loads(second.stdout)["state"] == "approved"
    assert site.store.desk.get("apr-12345678").state.value == "approved"
    (record, *_) = site.log.query(kind="approval", approver="alice")
    assert record.actor.startswith("cli/") and record.payload["reason"] == "seen on the node"
    late = call("approve", "apr-12345678", "--as", "bob")
    assert late.exit_code == 4 and "[not_pending]" in late.stderr
    assert "alice approved" in call("show", "apr-12345678").stdout
    assert call("list").stdout.strip() == "Nothing waits for an answer."
    assert "approved" in call("list", "--all").stdout
    assert "until it begins one no" in call("show", "apr-12345678").stdout
    assert call("reject", "apr-1", "--as", "bob", "--reason", "no").exit_code == 0
    assert site.store.desk.get("apr-12345678").state.value == "rejected"


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["approve", "apr-1", "--as", "mallory"], 4, "mallory is no person that the settings know"),
        (["approve", "apr-1", "--as", "dave"], 4, "[not_in_group]"),
        (["approve", "apr-1", "--as", "alice", "--digest", "0badc0de"], 4, "[stale_digest]"),
        (["approve", "apr-9", "--as", "alice"], 1, "There is no request apr-9."),
        (["reject", "apr-1", "--as", "bob", "--reason", " "], 4, "[reason_missing]"),
        (["reject", "apr-1", "--as", "bob"], 2, "--reason"),
        (["list", "--since", "yesterday"], 2, "neither a duration nor an RFC 3339 time"),
        (["list", "--limit", "0"], 2, "--limit"),
        (["list", "--db", "none.db"], 1, "There is no database none.db."),
        (["list", "--config", "none.yaml"], 1, "The settings cannot be used"),
        (["watch", "--as", "alice"], 3, "needs a person at a terminal"),
        (["show", "apr-\x1b[2J"], 1, "There is no request apr-\\x1b[2J."),
    ],
)
def test_refusals_are_a_sentence_and_a_status(site: Any, arguments: list[str], status: int, sentence: str) -> None:
    ended = call(*arguments)
    assert (ended.exit_code, ended.stdout) == (status, "")
    assert sentence in ended.stderr and isinstance(ended.exception, SystemExit)
    assert site.store.desk.get("apr-12345678").state.value == "pending"


def test_a_refusal_in_a_process_of_its_own(site: Any) -> None:
    refused = [*PROGRAM, "approve", "apr-1", "--as", "mallory"]
    ended = subprocess.run(
        refused, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=ENVIRONMENT, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (4, "")
    assert "mallory is no person that the settings know" in ended.stderr and "Traceback" not in ended.stderr


def test_the_view_for_a_terminal(site: Any) -> None:
    """A person reads the page, approves with a reason, skips, and quits; the terminal shows no stranger's escapes."""
    ours, theirs = pty.openpty()
    person = subprocess.Popen(
        [*PROGRAM, "watch", "--as", "alice"], stdin=theirs, stdout=theirs, stderr=theirs, env=ENVIRONMENT
    )
    os.close(theirs)
    seen = _until(ours, "1 waiting")
    assert "cordon_node on Node/gpu-3" in seen and "\x1b]0;owned" not in seen
    _page_until(ours, "Who answers")
    os.write(ours, b"a")
    _until(ours, "Why do you approve")
    os.write(ours, "nöx\x7f\r".encode())
    _until(ours, "Still wanted: gpu-oncall")
    os.write(ours, b"s")
    _until(ours, "Nothing waits")
    os.write(ours, b"q")
    assert person.wait(timeout=30) == 0
    os.close(ours)
    (answer,) = site.store.desk.get("apr-12345678").answers
    assert (answer.by, answer.reason, answer.door) == ("alice", "nö", "terminal")


def _page_until(terminal: int, text: str) -> None:
    """Turns the pages; where one ends depends on how long the lines of this machine's paths are."""
    seen, pages = "", 0
    while text not in seen:
        assert pages < 5, seen
        os.write(terminal, b" ")
        seen, pages = _until(terminal, "quit"), pages + 1


def _until(terminal: int, text: str) -> str:
    seen, give_up = "", time.monotonic() + 30
    while text not in seen:
        assert time.monotonic() < give_up, seen
        seen += os.read(terminal, 65536).decode(errors="replace")
    return seen
