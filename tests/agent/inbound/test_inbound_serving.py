"""The door's own thread: a real port, served from start to stop."""

import json
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.adapters.inbound.server import Doors
from agent.adapters.inbound.serving import CannotListen, Serving
from agent.adapters.simulated.clock import SimulatedClock
from agent.adapters.store.database import Database
from agent.adapters.store.inbox import SqlInbox


def doors(folder: Path) -> Doors:
    clock = SimulatedClock(datetime(2026, 11, 2, 9, tzinfo=UTC))
    inbox = SqlInbox(Database(folder / "w.db", "memory"), clock)
    return Doors(inbox, clock, wake=lambda: None, on_refused=lambda *_: None)


def test_it_answers_until_it_is_stopped(tmp_path: Path) -> None:
    serving = Serving(doors(tmp_path).app(), "127.0.0.1", 0)
    serving.start()
    with urllib.request.urlopen(f"{serving.url}/healthz", timeout=5) as answer:
        assert json.load(answer) == {"alive": True}
    serving.stop()
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{serving.url}/healthz", timeout=5)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    first = Serving(doors(tmp_path).app(), "127.0.0.1", 0)
    with pytest.raises(CannotListen, match=rf"^cannot listen on 127\.0\.0\.1:{first.port}: "):
        Serving(doors(tmp_path).app(), "127.0.0.1", first.port)
    first.start()
    first.stop()
