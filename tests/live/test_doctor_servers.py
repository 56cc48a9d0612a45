"""`watchkeeper doctor` about what lies beside the cluster: Slack, an OPA server, a log in PostgreSQL, the machine's own
files. Slack's Web API is played by a local server; the others are the real ones."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from opa_server import Opa
from postgresql import OWNER, READER, REDACTOR, WRITER, Postgresql
from running_agent import COMMAND
from sqlalchemy.engine import make_url

from agent.adapters.rego.archive import bundle_archive
from agent.adapters.rego.bundle import read_bundle
from agent.resources import bundled
from audit.log import Log
from audit.storage.migrate import migrate
from tests.agent.slack.slack_server import CHANNEL, SECRET, Slack, slack_server

Found = dict[str, dict[str, str]]
Ask = Callable[..., tuple[int, Found]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """No cluster is needed for these."""

    def asked(**settings: Any) -> tuple[int, Found]:
        file = tmp_path / "watchkeeper.yaml"
        given = {"world": "simulated", "database": str(tmp_path / "w.db"), **settings}
        file.write_text(yaml.safe_dump(given), encoding="utf-8")
        command = [str(COMMAND), "doctor", "--json", "--config", str(file)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        said = json.loads(ran.stdout)
        assert said["ok"] is (ran.returncode == 0), ran.stderr
        assert all(bool(each["remedy"]) == (each["state"] != "ok") for each in said["findings"])
        return ran.returncode, {each["check"]: each for each in said["findings"]}

    return asked


# --- Slack


@pytest.fixture
def slack() -> Iterator[Slack]:
    with slack_server() as server:
        yield server


def chosen(folder: Path, slack: Slack, **files: str) -> dict[str, str]:
    for name, secret in files.items():
        (folder / name).write_text(secret, encoding="utf-8")
    return {"channel": CHANNEL, "api_url": slack.url, **{name: str(folder / name) for name in files}}


def test_slack_knows_the_bot_and_answers_come_signed(ask: Ask, slack: Slack, tmp_path: Path) -> None:
    told = chosen(tmp_path, slack, bot_token_file="xoxb-of-the-test", signing_secret_file=SECRET)
    status, found = ask(slack=told)
    assert (status, found["Slack"]["state"], found["Slack's answers"]["state"]) == (0, "ok", "ok")
    assert found["Slack"]["said"] == f"as watchkeeper of GPU site; requests go to {CHANNEL}"
    assert [method for method, _ in slack.calls] == ["auth.test"], "nothing is posted by asking"


def test_slack_by_socket_mode(ask: Ask, slack: Slack, tmp_path: Path) -> None:
    told = chosen(tmp_path, slack, bot_token_file="xoxb-of-the-test", app_token_file="xapp-of-the-test")
    status, found = ask(slack=told)
    assert (status, found["Slack's answers"]["said"]) == (0, "come by Socket Mode")


def test_a_bot_that_may_not_post_is_no_way_to_ask(ask: Ask, slack: Slack, tmp_path: Path) -> None:
    slack.scopes = "channels:read,users:read"
    told = chosen(tmp_path, slack, bot_token_file="xoxb-of-the-test", signing_secret_file=SECRET)
    status, found = ask(slack=told)
    assert (status, found["Slack"]["state"]) == (1, "fail")
    assert "chat:write" in found["Slack"]["said"] and "install it anew" in found["Slack"]["remedy"]


def test_what_slack_refuses_is_said_in_its_words(ask: Ask, slack: Slack, tmp_path: Path) -> None:
    slack.fails = "token_revoked"
    told = chosen(tmp_path, slack, bot_token_file="xoxb-of-the-test", app_token_file="xapp-of-the-test")
    status, found = ask(slack=told)
    assert status == 1
    assert [found[name]["state"] for name in ("Slack", "Slack's answers")] == ["fail", "fail"]
    assert "token_revoked" in found["Slack"]["said"]
    assert "xoxb-of" not in json.dumps(found) and "xapp-of" not in json.dumps(found)


def test_an_empty_secret_is_named_by_its_file(ask: Ask, slack: Slack, tmp_path: Path) -> None:
    told = chosen(tmp_path, slack, bot_token_file="xoxb-of-the-test", signing_secret_file="\n")
    status, found = ask(slack=told)
    assert (status, found["Slack's answers"]["state"]) == (1, "fail")
    assert "signing_secret_file" in found["Slack's answers"]["said"]


# --- policies


def test_an_opa_server_with_our_bundle_and_with_another(ask: Ask, tmp_path: Path) -> None:
    running = Opa(tmp_path / "opa", bundle_archive(read_bundle(bundled("policies"), {})))
    try:
        status, found = ask(opa_url=running.url, opa_timeout_s=10)
        assert (status, found["policies"]["state"]) == (0, "ok")
        assert found["policies"]["said"].startswith(f"the OPA server {running.url} decides by bundle")
        other = {"autonomy": {"default": "act"}}
        status, found = ask(opa_url=running.url, opa_timeout_s=10, policy_data=other)
        assert (status, found["policies"]["state"]) == (1, "fail")
        assert "the server has the policies" in found["policies"]["said"]
    finally:
        running.stop()
    status, found = ask(opa_url=running.url)
    assert (status, found["policies"]["state"]) == (1, "fail")


def test_a_bundle_that_does_not_load_names_the_place(ask: Ask, tmp_path: Path) -> None:
    shutil.copytree(bundled("policies"), tmp_path / "policies")
    odd = tmp_path / "policies" / "main.rego"
    odd.write_text(odd.read_text(encoding="utf-8") + "\nallow if if\n", encoding="utf-8")
    status, found = ask(policies=str(tmp_path / "policies"))
    assert (status, found["policies"]["state"]) == (1, "fail")
    assert "main.rego" in found["policies"]["said"] and found["policies"]["remedy"]


# --- the log and the store


@pytest.fixture(scope="module")
def database() -> Iterator[Postgresql]:
    server = Postgresql()
    yield server
    server.stop()


def test_a_log_in_postgresql_by_the_account_that_asks(ask: Ask, database: Postgresql) -> None:
    empty = ask(log=database.url(WRITER))
    assert (empty[0], empty[1]["log"]["state"]) == (1, "fail")
    assert "migrate" in empty[1]["log"]["said"] + empty[1]["log"]["remedy"], "its owner has not made it yet"
    database.sql(f"GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}", database="audit")
    migrate(make_url(database.url(OWNER)), writers=(WRITER,), readers=(READER,), redactors=(REDACTOR,))
    status, found = ask(log=database.url(WRITER))
    assert (status, found["log"]["state"]) == (0, "ok")
    assert found["log"]["said"].endswith("0 records, and more can be written")
    status, found = ask(log=database.url(READER))
    assert (status, found["log"]["state"]) == (1, "fail")
    assert "may append none" in found["log"]["said"] and "--writer" in found["log"]["remedy"]
    with Log.open(database.url(READER)) as log:
        assert log.size() == 0, "asking writes nothing"


def test_a_database_that_is_away(ask: Ask) -> None:
    status, found = ask(log="postgresql://log_writer@127.0.0.1:9/audit")
    assert (status, found["log"]["state"]) == (1, "fail")
    assert "nothing is executed without it" in found["log"]["remedy"]


def test_a_log_that_somebody_else_keeps_busy_or_that_is_no_log(ask: Ask, tmp_path: Path) -> None:
    with Log.open(tmp_path / "w.db") as log:
        log.append("note", actor="tests", payload={"text": "one"})
    status, found = ask()
    assert (status, found["log"]["state"]) == (0, "ok") and "1 records" in found["log"]["said"]
    with closing(sqlite3.connect(tmp_path / "w.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        status, found = ask()
        assert (status, found["log"]["state"]) == (1, "fail")
    (tmp_path / "x.db").write_text("no database", encoding="utf-8")
    assert ask(database=str(tmp_path / "x.db"))[1]["log"]["state"] == "fail"


def test_files_that_others_can_write_and_folders_that_are_not_there(ask: Ask, tmp_path: Path) -> None:
    with Log.open(tmp_path / "w.db"):
        pass
    os.chmod(tmp_path / "w.db", 0o666)
    status, found = ask()
    assert (status, found["store"]["state"]) == (0, "warn") and "chmod go-w" in found["store"]["remedy"]
    status, found = ask(database=str(tmp_path / "nowhere" / "w.db"))
    assert (status, found["store"]["state"]) == (1, "fail")


def test_a_freeze_is_told(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "watchkeeper.freeze").touch()
    assert ask()[1]["freeze"]["state"] == "warn"
