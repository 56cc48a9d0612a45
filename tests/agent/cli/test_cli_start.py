"""What stops the agent before it begins: one sentence that names the place, whatever the mistake in the settings."""

import errno
import fcntl
import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.adapters.inbound.serving import CannotListen, Serving
from agent.cli import approvals, audit, config
from agent.cli.main import app
from agent.config import SettingsInvalid, load_settings
from agent.resources import bundled


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("7: x", "7"),
        ("null: x", "None"),
        ("[a", "line 1"),
        ("- a", "list"),
        ("look_every_s: often", "look_every_s"),
        ("databse: x", "databse"),
    ],
)
def test_a_settings_file_that_is_none_is_one_line_that_names_file_and_place(
    text: str, named: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(SettingsInvalid) as refused:
        load_settings(file)
    said = str(refused.value)
    assert str(file) in said and named in said and "\n" not in said


def test_a_list_in_the_environment_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_IDENTITIES", "alice")
    with pytest.raises(SettingsInvalid, match="identities"):
        load_settings()
    assert CliRunner().invoke(config.app, ["show"]).exit_code == 1


@pytest.mark.parametrize("key", ["WATCHKEEPER_DATABSE", "watchkeeper_look_every", "WATCHKEEPER_"])
def test_a_key_in_the_environment_that_nobody_knows_is_named(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(key, "x")
    with pytest.raises(SettingsInvalid, match=f"environment: {key}: there is no such setting; expected one of cluster"):
        load_settings()


def test_what_a_kubelet_says_about_a_service_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT", "PORT_9710_TCP_ADDR", "AUDIT_SERVICE_PORT"):
        monkeypatch.setenv(f"WATCHKEEPER_{key}", "tcp://10.0.0.1:9710")
    load_settings()


def test_flags_go_over_the_environment_and_that_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("cluster: file\nlook_every_s: 7\nworld: live\n")
    monkeypatch.setenv("WATCHKEEPER_CLUSTER", "environment")
    monkeypatch.setenv("WATCHKEEPER_WORLD", "live")
    read = load_settings(file, {"world": "simulated", "database": None})
    assert (read.cluster, read.look_every_s, read.world) == ("environment", 7, "simulated")


def test_nothing_of_this_machines_environment_counts_in_a_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database named there would get the simulation's records into a real log."""
    monkeypatch.setenv("WATCHKEEPER_DATABASE", str(tmp_path / "real.db"))
    monkeypatch.setenv("WATCHKEEPER_LOOK_EVERY_S", "600")
    end = CliRunner().invoke(app, ["evaluate", str(bundled("scenarios") / "xid-13-and-31-in-applications.yaml")])
    assert end.exit_code == 0, end.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("token", "said"), [(b"", "empty"), (b" \n", "empty"), (b"\xff\xfe", "UTF-8")])
def test_a_door_whose_token_is_none_stays_shut(
    token: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty token would let in whoever sends an empty one."""
    monkeypatch.chdir(tmp_path)
    Path("token").write_bytes(token)
    Path("watchkeeper.yaml").write_text("world: simulated\nlisten: 127.0.0.1:0\ninbound_token_file: token\n")
    end = CliRunner().invoke(app, ["run"])
    assert end.exit_code == 1
    assert said in end.stderr and "token" in end.stderr
    assert len(end.stderr.strip().splitlines()) == 1


def test_an_address_that_cannot_be_had_is_a_sentence() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"{port}: {os.strerror(errno.EADDRINUSE)}$"):
            Serving(None, "127.0.0.1", port)  # type: ignore[arg-type]
    with pytest.raises(CannotListen, match="65535"):
        Serving(None, "127.0.0.1", 99_999)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", ["", "CREATE TABLE mine (x)"])
def test_a_command_that_looks_leaves_a_strangers_file_as_it_is(content: str, tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(content)
    file.touch()
    before = file.read_bytes()
    for command in ((audit.app, "query"), (approvals.app, "list")):
        end = CliRunner().invoke(command[0], [command[1], "--db", str(file)])
        assert end.exit_code == 1 and "holds no log" in end.stderr
    assert file.read_bytes() == before


def test_a_second_agent_on_one_database_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("watchkeeper.yaml").write_text("world: simulated\nlisten: 127.0.0.1:0\n")
    with Path("watchkeeper.db.lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        end = CliRunner().invoke(app, ["run"])
    assert end.exit_code == 1
    assert "Another agent runs on watchkeeper.db" in end.stderr
