"""The demo: its screen at two sizes, its closing page, and its numbers."""

import io
import json
import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from agent.cli.heat_map import HeatMap
from agent.cli.live_facts import Cell, Facts, GangRow, Lookout, NodeRow, QueueRow
from agent.cli.live_feed import Feed, FeedLine, IncidentLine
from agent.cli.live_view import Moment, screen
from agent.cli.main import app
from agent.resources import bundled
from agent.scenarios.format import load_scenario
from agent.scenarios.performance import Performance
from audit.log import Log

NOW = datetime(2026, 11, 2, 9, 6, 15, tzinfo=UTC)


def node(number: int, *cells: Cell, cordoned: bool = False, ready: bool = True) -> NodeRow:
    return NodeRow(f"gpu-{number}", cells or (Cell.BUSY,) * 8, cordoned, ready)


def drawn(facts: Facts, feed: Feed, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, record=True, file=io.StringIO(), color_system=None)
    moment = Moment(NOW, NOW, NOW, 7, "a person is asked")
    console.print(screen(moment, facts, feed, width, height), end="")
    return console.export_text(styles=False).splitlines()


def busy_day(nodes: int) -> tuple[Facts, Feed]:
    gangs = [GangRow("llama", "main", "running", 8, 8), GangRow("grasp", "main", "stuck", 4, 6)]
    feed = Feed()
    feed.incidents["inc-1"] = IncidentLine("gpu fault", "gpu-7", doing="allow cordon_node")
    feed.incidents["inc-2"] = IncidentLine("idle gpu", "vision/anna", state="no_action")
    feed.lines += [FeedLine(NOW, "!", f"line {i} {'x' * 300}", "red") for i in range(99)]
    queues = (QueueRow("quiet", 8, 64, 0, False), QueueRow("busy", 72, 64, 2, False), QueueRow("shut", 0, 8, 1, True))
    return Facts(tuple(node(i) for i in range(1, nodes + 1)), tuple(gangs), 3, queues), feed


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (200, 60)])
@pytest.mark.parametrize("nodes", [0, 1, 26, 300])
def test_the_screen_fits_exactly(width: int, height: int, nodes: int) -> None:
    lines = drawn(*busy_day(nodes), width, height)
    assert len(lines) == height
    assert {len(line) for line in lines} <= {width}
    text = "\n".join(lines)
    for word in (
        "watchkeeper",
        "09:06:15",
        "GPUs by node",
        "gangs",
        "incidents",
        "decisions",
        "grasp",
        "busy",
        "72/64",
        "+8 2 wait",
        "held 1 wait",
        "line 98",
        "a person is asked",
    ):
        assert word in text
    assert re.search(r"grasp +4/6 +stuck", text)


@pytest.mark.parametrize(("rows", "columns_of_screen"), [(13, 44), (57, 100)])
def test_all_nodes_of_a_usual_cluster_are_on_the_map(rows: int, columns_of_screen: int) -> None:
    heat = HeatMap(tuple(node(i) for i in range(1, 27)), rows, columns_of_screen)
    console = Console(width=heat.width, record=True, file=io.StringIO())
    console.print(heat.panel)
    assert set(re.findall(r"gpu-\d+", console.export_text())) == {f"gpu-{i}" for i in range(1, 27)}


def test_nodes_that_do_not_fit_are_counted() -> None:
    facts, feed = busy_day(300)
    assert re.search(r"and 2\d\d more", "\n".join(drawn(facts, feed, 80, 24)))


def test_a_state_is_told_by_a_sign_and_not_by_colour_alone() -> None:
    nodes = (node(1, *Cell), node(2, cordoned=True), node(3, ready=False), *(node(i) for i in range(4, 24)))
    text = "\n".join(drawn(Facts(nodes), Feed(), 80, 24))
    assert "gpu-1  ·+▪○▃▅█×" in text
    assert "gpu-2- " in text
    assert "gpu-3! " in text


def test_text_from_strangers_cannot_move_the_cursor() -> None:
    feed = Feed(lines=[FeedLine(NOW, "?", "pod\x1b[2Jname", "")])
    assert "\x1b" not in "\n".join(drawn(Facts(), feed, 80, 24))


def test_what_the_map_shows_is_what_the_cluster_has(tmp_path: Path) -> None:
    performance = Performance(load_scenario(bundled("scenarios") / "demo.yaml"), tmp_path)
    with closing(performance):
        feed, lookout = Feed(), Lookout(performance.world)
        rows = {row.name: row for row in lookout.look().nodes}
        assert rows["a100-14"].cells == (Cell.IDLE,) * 4 + (Cell.BUSY,) * 2 + (Cell.FREE,) * 2
        assert rows["h100-6"].cells == (Cell.BUSY,) * 8
        assert [gang.state for gang in lookout.look().gangs] == ["stuck", "stuck", "running"]
        while performance.step() and (performance.now - performance.scenario.spec.start).total_seconds() < 450:
            pass
        sick = next(row for row in lookout.look().nodes if row.name == "h100-6")
        assert sick.cordoned
        assert sick.cells[3] is Cell.FAULTY
        feed.read(performance.agent.log)
        before = len(feed.lines)
        feed.read(performance.agent.log)
        assert len(feed.lines) == before > 5
        assert any(line.mark == "@" for line in feed.lines)


def demo(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["demo", *arguments])
    return result.exit_code, result.stdout, result.stderr


STORY = str(bundled("scenarios") / "demo.yaml")


def test_the_closing_json_and_the_log_that_it_names() -> None:
    status, out, _ = demo("--scenario", STORY, "--approve", "all", "--json")
    told = json.loads(out)
    assert status == 0
    assert told["wrong_actions"] == 0
    assert [i["state"] for i in told["incidents"]].count("resolved") >= 3
    hours = told["gpu_hours"]
    assert told["gpu_hours_won_back"] == pytest.approx(
        hours["lost_without_agent"]["all"] - hours["lost"]["all"], abs=0.11
    )
    assert told["gpu_hours_won_back"] > 10
    assert told["log"]["intact"] is True
    check = ["--db", told["log"]["database"], "--size", str(told["log"]["records"]), "--root", told["log"]["root"]]
    assert CliRunner().invoke(app, ["audit", "fsck", *check]).exit_code == 0


def test_with_nobody_to_ask_less_is_done_and_nothing_wrong() -> None:
    told = json.loads(demo("--scenario", STORY, "--approve", "none", "--json")[1])
    assert "reclaim_idle_gpu" not in [action["action"] for action in told["actions"]]
    assert told["wrong_actions"] == 0


def test_the_closing_page_says_what_was_won_and_names_the_command_that_checks_the_log() -> None:
    _, out, _ = demo("--scenario", STORY)
    assert re.search(r"watchkeeper audit fsck --db \S+ --size \d+ --root [0-9a-f]{64}", out)
    assert re.search(r"wrong actions +0\n", out)
    assert re.search(r"incidents +\d+ resolved", out)
    assert re.search(r"gangs below their minimum +\d+\.\d", out)
    assert re.search(r"won back +\d+% of what the same day loses without the agent", out)
    assert max(len(line) for line in out.splitlines() if "--db" not in line) <= 80


def test_asking_needs_a_terminal_and_a_file_must_be_a_scenario(tmp_path: Path) -> None:
    assert demo("--approve", "ask")[0] == 2
    (tmp_path / "x.yaml").write_text("kind: Nothing")
    status, _, err = demo("--scenario", str(tmp_path / "x.yaml"))
    assert status == 2
    assert "apiVersion: Field required" in err


def test_the_feed_tells_of_calls_past_the_policies_of_break_glass_and_of_levels(tmp_path: Path) -> None:
    about = {"target": {"apiVersion": "v1", "kind": "Node", "name": "gpu-7"}}
    glass = {"by": "dana", "decision": "break_glass"}
    with Log.open(tmp_path / "w.db", durability="memory") as log:
        for kind, payload in (
            ("notice", {**about, "audience": "oncall", "message": "no decision for 30 minutes"}),
            ("break_glass", {**about, **glass, "counted": True, "action": "drain_node"}),
            ("level_changed", {"change": "frozen", "by": "dana", "reason": "a move"}),
        ):
            log.append(kind, actor="watchkeeper", at=NOW, payload=payload)
        feed = Feed()
        feed.read(log)
    assert [line.text for line in feed.lines] == [
        "oncall is called: no decision for 30 minutes",
        "dana approves by break-glass, without the others, drain_node gpu-7",
        "dana froze the agent: a move.",
    ]
