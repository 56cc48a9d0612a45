"""Looking into the log at the command line: found, told, proved, and checked for one flipped byte."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli import audit, incidents
from agent.cli.output import clean

_ROOT = os.getcwd()


def call(*arguments: str) -> Any:
    return CliRunner().invoke(audit.app, list(arguments))


def found(*arguments: str) -> list[int]:
    """Without the records of earlier reads, which are records like others."""
    records = json.loads(call("query", "--json", *arguments).stdout)["records"]
    return [record["index"] for record in records if record["kind"] != "log_read"]


def test_query(site: Any) -> None:
    assert found() == [0, 1, 2, 3]
    assert found("--kind", "proposal", "--target", "Node/gpu-3", "--tenant", "research") == [1]
    assert found("--incident", "inc-1", "--limit", "2") == [2, 3]
    assert found("--after", "0", "--limit", "2") == [1, 2]
    assert found("--until", "2020-01-01T00:00:00Z") == []
    assert found("--since", "1h") == [0, 1, 2, 3]
    told = call("query")
    assert max(map(len, told.stdout.splitlines())) <= 80
    assert "No record meets" in call("query", "--kind", "heartbeat").stdout


def test_the_newest_are_found_however_far_back(site: Any) -> None:
    for number in range(300):
        site.ledger.record("heartbeat" if number % 100 else "policy_loaded", {"n": number})
    assert found("--kind", "policy_loaded", "--limit", "2") == [104, 204]
    assert found("--limit", "2") == [303], "and the read before"
    assert found("--kind", "incident", "--limit", "5") == [0]


def test_show_proves_the_record(site: Any) -> None:
    page = call("show", "1")
    assert "is in the log of 4 records with root" in page.stdout and '"action": "cordon_node"' in page.stdout
    shown = json.loads(call("show", "1", "--json").stdout)
    assert shown["proof"]["root"] == site.log.root(5).hex() and len(shown["proof"]["hashes"]) == 3
    beyond = call("show", "9")
    assert beyond.exit_code == 1 and "There is no record 9" in beyond.stderr


def test_timeline_tells_the_story(site: Any) -> None:
    site.ledger.record("intent", _step(site) | {"step": 0})
    site.ledger.record("outcome", _step(site) | {"step": 0, "outcome": "succeeded", "detail": "", "final": False})
    site.ledger.record("incident_closed", {"incident": "inc-1", "state": "resolved", "statement": "1 actions helped"})
    site.ledger.record("later_kind", {"incident": "inc-1", "free": "\x1b[31m"})
    entries = json.loads(call("timeline", "inc-1", "--json").stdout)["entries"]
    assert [entry["sentence"] for entry in entries] == [
        "Incident opened: gpu_fault on Node/gpu-3 (1 signal).",
        "Proposes cordon_node on Node/gpu-3: Keep work away from the node.",
        "Policies say escalate on the proposal: A person must approve. [autonomy.approval].",
        f"Asks 2 of gpu-oncall to approve cordon_node on Node/gpu-3 until {entries[3]['payload']['expires_at']}"
        " (apr-12345678).",
        "Is about to do step 1 of cordon_node on Node/gpu-3.",
        "Step 1 of cordon_node on Node/gpu-3 succeeded.",
        "Incident closed as resolved: 1 actions helped.",
        'later_kind: {"free": "\\u001b[31m", "incident": "inc-1"}',
    ]
    told = call("timeline", "inc-1")
    assert "Incident closed as resolved" in told.stdout and "\x1b" not in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80
    unknown = call("timeline", "inc-9")
    assert unknown.exit_code == 1 and "No record is about incident inc-9." in unknown.stderr


def test_answers_in_the_story(site: Any) -> None:
    from agent.compliance.timeline import sentence

    said = {"by": "dave", "door": "slack", "reason": "why not", "decision": "approve", "counted": False, "code": "x.y"}
    assert sentence("approval", said) == "dave approved by slack, which does not count [x.y]: why not."
    assert sentence("approval", said | {"counted": True, "decision": "reject"}) == "dave rejected by slack: why not."
    closed = {"decision": "expired", "request": "apr-1"}
    assert sentence("approval", closed) == "Request apr-1 was closed: expired."
    assert sentence("approval", {"other": "form"}) == 'approval: {"other": "form"}'


def test_fsck_finds_one_flipped_byte(site: Any) -> None:
    site.store.close()
    root = site.log.root().hex()
    good = call("fsck")
    assert good.exit_code == 0 and "intact" in good.stdout and root in re.sub(r"\s", "", good.stdout)
    assert call("fsck", "--root", root, "--size", "4").exit_code == 0
    assert call("fsck", "--root", "00" * 32).exit_code == 1
    assert call("fsck", "--root", "zz").exit_code == 2
    _flip_a_byte(site, 2)
    bad = call("fsck", "--json")
    verdict = json.loads(bad.stdout)
    assert (bad.exit_code, verdict["ok"], verdict["first_bad_index"]) == (1, False, 2)
    told = call("fsck")
    assert told.exit_code == 1 and "NOT INTACT, first at record 2" in told.stdout
    shown = call("show", "2")
    assert (shown.exit_code, shown.stdout) == (1, "") and "record 2: what is stored" in shown.stderr
    assert call("show", "1").exit_code == 0


def test_fsck_of_no_log(site: Any) -> None:
    site.path.with_name("notes.txt").write_text("no database " * 100)
    ended = subprocess.run(
        [sys.executable, "-c", "from agent.cli.audit import app; app()", "query", "--db", "notes.txt"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": _ROOT},
        timeout=60,
    )
    assert ended.returncode == 1 and ended.stderr.startswith("The log cannot be used: notes.txt")
    assert "Traceback" not in ended.stderr


def test_incidents(site: Any) -> None:
    runner = CliRunner()
    told = runner.invoke(incidents.app, ["list", "--open"]).stdout
    assert "gpu_fault on Node/gpu-3 (xid-79)" in told and max(map(len, told.splitlines())) <= 80
    (listed,) = json.loads(runner.invoke(incidents.app, ["list", "--json", "--since", "1h"]).stdout)["incidents"]
    assert (listed["id"], listed["state"], listed["playbook"], listed["closed_at"]) == ("inc-1", "open", "xid-79", None)
    story = runner.invoke(incidents.app, ["show", "inc-1"]).stdout
    assert "1 signals" in story and "Asks 2 of gpu-oncall" in story
    assert json.loads(runner.invoke(incidents.app, ["show", "inc-1", "--json"]).stdout)["records"] == [0, 1, 2, 3]
    unknown = runner.invoke(incidents.app, ["show", "inc-9"])
    assert unknown.exit_code == 1 and "There is no incident inc-9." in unknown.stderr


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain ü 漢字 [bold]", "plain ü 漢字 [bold]"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202egnp.exe\u200b", "\\u202egnp.exe\\u200b"),
        ("\x85\x9b\u2028\ud800", "\\x85\\x9b\\u2028\\ud800"),
    ],
)
def test_what_a_terminal_would_act_on_is_spelled_out(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def _step(site: Any) -> dict[str, Any]:
    proposal = site.request.proposal
    return {
        "proposal": proposal.id,
        "incident": "inc-1",
        "action": proposal.action,
        "target": proposal.target.json_object(),
        "blast_radius": {"nodes": ["gpu-3"]},
        "undo": False,
    }


def _flip_a_byte(site: Any, index: int) -> None:
    """As somebody with the file would: past the triggers."""
    database = sqlite3.connect(site.path, isolation_level=None)
    database.execute("DROP TRIGGER log_records_update")
    (body,) = database.execute('SELECT body FROM log_records WHERE "index" = ?', (index,)).fetchone()
    changed = body.replace(b"escalate", b"escalatf", 1)
    assert changed != body
    database.execute('UPDATE log_records SET body = ? WHERE "index" = ?', (changed, index))
    database.close()


def test_a_checkpoint_is_signed_kept_and_held_against_the_log(site: Any) -> None:
    made = call("checkpoint", "--key", "log.key", "--new-key", "example.com/lab", "--into", "anchor", "--json")
    signed = json.loads(made.stdout)
    (kept,) = (site.path.parent / "anchor").iterdir()
    assert signed["note"].startswith("example.com/lab\n4\n") and kept.read_text(encoding="utf-8") == signed["note"]
    site.ledger.record("heartbeat", {"n": 1})
    assert call("checkpoint", "--key", "log.key", "--into", "anchor").stdout.startswith("example.com/lab\n5\n")
    held = call("fsck", "--checkpoint", str(kept), "--key", signed["key"], "--json")
    assert held.exit_code == 0 and json.loads(held.stdout)["anchored"]
    by_nobody = call("fsck", "--checkpoint", str(kept))
    assert by_nobody.exit_code == 1 and "signedbynoknownkey" in "".join(by_nobody.stdout.split())
    again = call("checkpoint", "--key", "log.key", "--new-key", "example.com/lab")
    assert again.exit_code == 1 and "There is a file log.key already" in again.stderr


def test_no_checkpoint_is_signed_behind_one_that_says_more(site: Any) -> None:
    made = json.loads(call("checkpoint", "--key", "log.key", "--new-key", "example.com/lab", "--json").stdout)
    from audit.checkpoints import Checkpoint
    from audit.signing import load_key

    later = load_key(site.path.parent / "log.key").sign(Checkpoint("example.com/lab", 9, bytes(32)))
    (site.path.parent / "anchor").mkdir()
    (site.path.parent / "anchor" / "0000000000000000009.checkpoint").write_text(str(later), encoding="utf-8")
    refused = call("checkpoint", "--key", "log.key", "--into", "anchor")
    assert refused.exit_code == 4 and "has 4 records, and had 9" in refused.stderr
    assert made["key"] == str(load_key(site.path.parent / "log.key").key)


@pytest.fixture
def witness(site: Any) -> Iterator[tuple[str, str]]:
    """A witness in a process of its own that knows the site's log; its URL and its key."""
    made = json.loads(call("checkpoint", "--key", "log.key", "--new-key", "example.com/lab", "--json").stdout)
    options = ["--key", "w.key", "--new-key", "witness.example/w1", "--log", made["key"], "--state", "w.db"]
    code = "from agent.cli.main import main; main()"
    command = [sys.executable, "-c", code, "audit", "witness", *options, "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = re.fullmatch(r"(\S+) listens on (\S+)\n", process.stderr.readline())
    assert said is not None
    yield said[2], said[1]
    process.terminate()
    assert process.wait(10) == 0
    process.stderr.close()


def test_a_witness_cosigns_what_only_grows(site: Any, witness: tuple[str, str]) -> None:
    url, key = witness
    options = ["checkpoint", "--key", "log.key", "--into", "anchor", "--witness", f"{url}={key}"]
    for size in (4, 5, 6):
        cosigned = call(*options)
        assert cosigned.exit_code == 0 and cosigned.stdout.startswith(f"example.com/lab\n{size}\n")
        assert "\n— witness.example/w1 " in cosigned.stdout
        site.ledger.record("heartbeat", {"n": size})
    away = call("checkpoint", "--key", "log.key", "--witness", f"http://127.0.0.1:9={key}")
    assert away.exit_code == 1 and "Not cosigned: http://127.0.0.1:9" in away.stderr
    assert away.stdout.startswith("example.com/lab\n7\n")


def test_an_export_is_checked_by_what_is_in_it(site: Any) -> None:
    key = json.loads(call("checkpoint", "--key", "log.key", "--new-key", "example.com/lab", "--json").stdout)["key"]
    for folder, options in (("all", []), ("one", ["--incident", "inc-1"])):
        made = call("export", "--key", "log.key", "--into", folder, *options)
        assert made.exit_code == 0 and f"python3 verify.py --key {key}" in made.stdout
        command = [sys.executable, "-I", "-S", f"{folder}/verify.py", "--key", key]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert checked.returncode == 0 and checked.stdout.endswith("intact\n"), checked.stderr
    again = call("export", "--key", "log.key", "--into", "all")
    assert again.exit_code == 1 and "all is there already" in again.stderr


def test_a_proof_is_read_by_the_checker(site: Any) -> None:
    claim = call("prove", "2").stdout
    command = [sys.executable, "-S", "-m", "audit.proofs", "verify-inclusion"]
    checked = subprocess.run(command, input=claim, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert checked.stdout == "ok\n"
