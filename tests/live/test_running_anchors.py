"""`watchkeeper run` has its log kept by itself: one place answers, one is away; both stand in `/readyz`."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from servers import Server, free_port, wait_for
from test_real_input import WATCHKEEPER

START_TIMEOUT_S = 120.0


def told(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([WATCHKEEPER, "audit", *words], cwd=folder, capture_output=True, text=True, check=False)


def test_the_running_agent_anchors_and_says_which_place_is_away(
    tmp_path: Path, started: Callable[[Server], Server]
) -> None:
    port, good, away = free_port(), tmp_path / "good", tmp_path / "away"
    away.write_text("not mounted")
    settings: dict[str, Any] = {
        "world": "simulated",
        "listen": f"127.0.0.1:{port}",
        "checkpoint_key_file": str(tmp_path / "log.key"),
        "anchors": [str(good), str(away)],
        "simulated_cluster": str(Path(__file__).with_name("site.yaml")),
    }
    made = "from audit.signing import new_key; from audit.notes import SignatureType as T; from pathlib import Path"
    make = f"{made}; new_key('example.com/lab', T.ED25519, Path('log.key'))"
    python = str(Path(WATCHKEEPER).with_name("python"))
    subprocess.run([python, "-c", make], cwd=tmp_path, check=True)
    (tmp_path / "watchkeeper.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    ready = f"http://127.0.0.1:{port}/readyz"
    agent = started(Server("watchkeeper", [WATCHKEEPER, "run"], ready, tmp_path))

    def anchors() -> Any:
        with urllib.request.urlopen(ready, timeout=5) as answer:
            standing = json.load(answer)["anchors"]
        return standing if standing[str(good)]["records"] and standing[str(away)]["fault"] else None

    standing = wait_for("the first checkpoint", anchors, START_TIMEOUT_S)
    assert standing[str(good)]["fault"] is None and standing[str(away)]["records"] is None
    assert f"{away} keeps nothing now" in agent.tail() and agent.process.poll() is None
    held = told(tmp_path, "fsck", "--anchor", str(good), "--key", key_of(tmp_path), "--json")
    assert held.returncode == 0 and json.loads(held.stdout)["anchored_records"] == standing[str(good)]["records"]
    both = told(tmp_path, "fsck", "--anchor", "settings", "--json")
    assert both.returncode == 1
    assert [each["code"] for each in json.loads(both.stdout)["anchoring"]["problems"]] == ["checkpoint_refused"]
    away.unlink()
    now = told(tmp_path, "checkpoint", "--json")
    assert now.returncode == 0 and json.loads(now.stdout)["kept"] == [str(good), str(away)], now.stderr


def key_of(folder: Path) -> str:
    from audit.signing import load_key

    return str(load_key(folder / "log.key").key)
