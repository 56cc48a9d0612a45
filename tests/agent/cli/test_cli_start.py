"""What stops the agent before it begins: one sentence that names the place, whatever the mistake in the settings."""

import errno
import fcntl
import json
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


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{hang_after_s: 599}", "thresholds.hang_after_s: Input should be greater than or equal to 600: five minutes"),
        ("{hang_after_s: 86400}", "thresholds.hang_after_s: Input should be less than or equal to 14400"),
        ("{hangs_after_s: 900}", "thresholds.hangs_after_s: there is no such threshold; expected one of admission_"),
        ("{straggler_slow_s: 700}", "thresholds.straggler_slow_s: Input should be a multiple of 300"),
        ("{quota_empty_after_s: often}", "thresholds.quota_empty_after_s: "),
        ("{quota_empty_after_s: 7200}", "quota_empty_after_s must not be greater than quota_empty_unasked_after_s"),
        ("often", "thresholds: "),
    ],
)
def test_a_bad_threshold_names_file_and_key_and_what_it_is_good_for(text: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"thresholds: {text}")
    with pytest.raises(SettingsInvalid) as refused:
        load_settings(file)
    said = str(refused.value)
    assert said.startswith(f"{file}: ") and named in said and "\n" not in said


def test_thresholds_of_the_environment_go_over_those_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("thresholds: {hang_after_s: 900, node_flaps_min: 5}")
    monkeypatch.setenv("WATCHKEEPER_THRESHOLDS", '{"hang_after_s": 1200}')
    limits = load_settings(file).thresholds
    assert (limits.hang_after_s, limits.node_flaps_min, limits.gang_stuck_after_s) == (1200, 5, 600)


def test_the_schema_tells_of_thresholds_and_their_bounds() -> None:
    told = json.loads(CliRunner().invoke(config.app, ["schema"]).stdout)["$defs"]["Thresholds"]["properties"]
    assert (told["hang_after_s"]["minimum"], told["hang_after_s"]["default"]) == (600, 1800)
    assert all({"minimum", "maximum", "default", "description", "because"} <= set(each) for each in told.values())


def test_a_list_in_the_environment_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHKEEPER_IDENTITIES", "alice")
    with pytest.raises(SettingsInvalid, match="identities"):
        load_settings()
    assert CliRunner().invoke(config.app, ["show"]).exit_code == 1


@pytest.mark.parametrize("key", ["WATCHKEEPER_DATABSE", "watchkeeper_look_every", "WATCHKEEPER_"])
def test_a_key_in_the_environment_that_nobody_knows_is_named(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(key, "x")
    with pytest.raises(SettingsInvalid, match=f"environment: {key}: there is no such setting; expected one of"):
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
