"""What comes in malformed is refused with one error that names the place, and recorded; the agent keeps watching."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from telling import FELL_OFF, Story, cluster

Begin = Callable[..., Story]
WATCHKEEPER = str(Path(sys.executable).with_name("watchkeeper"))
NODES = [f"gpu-{i}" for i in range(1, 21)]
GOOD_LINE = f'{{"node": "gpu-7", "line": "{FELL_OFF}"}}'
XID_GAUGE = 'DCGM_FI_DEV_XID_ERRORS{Hostname="gpu-7",gpu="3"}'

# door, body, media type, and the place that the refusal names
MALFORMED = [
    ("alertmanager", "{", "application/json", "line 1"),
    ("alertmanager", "[]", "application/json", ""),
    ("alertmanager", '{"version": "4", "alerts": [{"status": "firing"}]}', "application/json", "alerts[0]"),
    ("alertmanager", '{"version": "4", "alerts": 7}', "application/json", "alerts"),
    ("cloudevents", '{"specversion": "1.0", "id": "1"}', "application/cloudevents+json", "source"),
    (
        "cloudevents",
        '{"specversion": "0.1", "id": "1", "source": "/s", "type": "t"}',
        "application/json",
        "specversion",
    ),
    ("events", '{"kind": "Event", "metadata": {}}', "application/json", "involvedObject"),
    ("events", "nothing", "application/json", "line 1"),
    ("logs", '{"node": "gpu-7"}', "application/x-ndjson", "line 1"),
    ("logs", f'{GOOD_LINE}\n{{"line": 7}}', "application/x-ndjson", "line 2"),
    ("metrics", f"{XID_GAUGE} seventy-nine\n", "text/plain", "line 1"),
    ("metrics", f"{XID_GAUGE} 79\nDCGM_FI_DEV_XID_ERRORS{{ 79\n", "text/plain", "line 2"),
]


@pytest.mark.parametrize(("door", "body", "kind", "place"), MALFORMED)
def test_a_malformed_delivery_is_a_problem_that_names_the_place_and_the_agent_keeps_watching(
    begin: Begin, door: str, body: str, kind: str, place: str
) -> None:
    story = begin(cluster().nodes(*NODES), autonomy={"default": "act"})
    answer = story.posts(door, body, kind)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert place in answer.json()["place"]
    refused = story.records("refused")
    assert [(each["door"], each["place"]) for each in refused] == [
        (door, each["place"]) for each in answer.json()["refused"]
    ]
    assert all(each["reason"] for each in refused)
    story.kernel_says("gpu-9").passes(minutes=20)
    assert "resolved" in story.endings()


def test_the_good_part_of_a_delivery_is_taken(begin: Begin) -> None:
    story = begin(cluster().nodes(*NODES), autonomy={"default": "act"})
    assert story.posts("logs", f"{GOOD_LINE}\nnot json\n", "application/x-ndjson").status_code == 400
    story.passes(minutes=1)
    assert story.cordoned("gpu-7")


def test_a_door_that_is_none_and_a_method_that_is_none_are_problems_too(begin: Begin) -> None:
    story = begin(cluster().nodes(*NODES))
    answer = story.posts("nowhere", {})
    assert answer.status_code == 404
    assert answer.json()["instance"] == "/v1/nowhere"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("house")


def starts(folder: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    file = folder / "watchkeeper.yaml"
    given = {"database": str(folder / "w.db"), "listen": "127.0.0.1:0", **settings}
    file.write_text(yaml.safe_dump(given), encoding="utf-8")
    command = [WATCHKEEPER, "run", "--world", "simulated", "--config", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_playbook_that_does_not_parse_stops_the_start_with_one_sentence_that_names_the_file(house: Path) -> None:
    broken = house / "playbooks" / "mine" / "playbook.yaml"
    broken.parent.mkdir(parents=True)
    broken.write_text("name: mine\nmatch: [", encoding="utf-8")
    end = starts(house, playbooks=str(house / "playbooks"))
    assert end.returncode == 1
    assert str(broken) in end.stderr
    assert len(end.stderr.strip().splitlines()) == 1
    assert not (house / "w.db").exists()


def test_a_policy_that_does_not_parse_stops_the_start_with_one_sentence_that_names_the_file(house: Path) -> None:
    broken = house / "policies" / "main.rego"
    broken.parent.mkdir()
    broken.write_text("package watchkeeper.main\n\nverdict := {\n", encoding="utf-8")
    end = starts(house, policies=str(house / "policies"))
    assert end.returncode == 1
    assert "main.rego" in end.stderr
    assert len(end.stderr.strip().splitlines()) == 1


def test_a_setting_that_is_none_stops_the_start_and_is_named(house: Path) -> None:
    end = starts(house, look_every="30s")
    assert end.returncode == 1
    assert "look_every" in end.stderr
    assert len(end.stderr.strip().splitlines()) == 1
