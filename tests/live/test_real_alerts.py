"""Real Prometheus and Alertmanager, and our door: an alert comes in once, however often it is sent, and so its end."""

from pathlib import Path

from monitoring import Site
from servers import wait_for

from agent.adapters.inbound.server import Doors
from agent.adapters.inbound.serving import Serving
from agent.adapters.store.database import Database
from agent.adapters.store.inbox import SqlInbox
from agent.cli.house import WallClock
from agent.domain.signal import AlertBody, Signal

DELIVERIES = 3  # the first, and two repetitions


class CountingInbox(SqlInbox):
    """Remembers of each delivery whether it was new."""

    def __init__(self, database: Database, clock: WallClock) -> None:
        super().__init__(database, clock)
        self.puts: list[bool] = []

    def put(self, signal: Signal) -> bool:
        self.puts.append(super().put(signal))
        return self.puts[-1]


def alerts(inbox: SqlInbox, status: str) -> list[tuple[Signal, AlertBody]]:
    return [(s, s.body) for s in inbox.take(100) if isinstance(s.body, AlertBody) and s.body.status == status]


def test_an_alert_of_the_real_alertmanager_is_one_signal(site: Site, tmp_path: Path) -> None:
    inbox = CountingInbox(Database(tmp_path / "w.db", "memory"), WallClock())
    refused: list[tuple[str, str, str]] = []
    doors = Doors(inbox, WallClock(), wake=lambda: None, on_refused=lambda *said: refused.append(said), token="s3cret")
    door = Serving(doors.app(), "127.0.0.1", 0)
    door.start()
    try:
        site.xid(79, "gpu-3", "research", "llama-0")
        site.watch_with(f"{door.url}/v1/alertmanager", token="s3cret")
        wait_for("the alert and its repetitions", lambda: len(inbox.puts) >= DELIVERIES)
        ((signal, alert),) = alerts(inbox, "firing")
        wanted = {"node": "gpu-3", "xid": "79", "gpu": "3", "exported_namespace": "research", "exported_pod": "llama-0"}
        assert wanted.items() <= alert.labels.items()
        assert inbox.puts == [True] + [False] * (len(inbox.puts) - 1)
        site.xid(0, "gpu-3", "research", "llama-0")
        ((end, _),) = wait_for("the alert's end", lambda: alerts(inbox, "resolved"), timeout_s=120)
        assert end.time > signal.time
        assert refused == []
    finally:
        door.stop()
