"""`watchkeeper run` in a process of its own, as somebody would start it, and what it says at its doors."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml
from servers import free_port, wait_for

COMMAND = Path(sys.executable).with_name("watchkeeper")
READY_TIMEOUT_S = 120.0  # on a machine that does much else
STOP_TIMEOUT_S = 30.0  # what a kubelet gives it
ANSWER_TIMEOUT_S = 30.0  # of a delivery; milliseconds on a machine that does nothing else
IN_CHARGE = ("leading", "alone")
WIDE = {  # a storm of hundreds of faults is what blast-radius limits are against; here it is the load
    "autonomy": {"default": "act", "actions": {"request_node_repair": "suggest"}},
    "blast_radius": {
        "nodes": {"percent": 100, "absolute": 100_000, "window": "30m"},
        "breaker": {"percent": 100, "window": "5m"},
    },
}


class Running:
    """`watchkeeper run` on a kubeconfig, until it is told to stop."""

    def __init__(self, folder: Path, kubeconfig: Path, name: str = "one", **settings: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.settings = folder / f"{name}.yaml"
        self.log = folder / f"{name}.log"
        given = {
            "world": "live",
            "kubeconfig": str(kubeconfig),
            "database": str(folder / f"{name}.db"),
            "listen": f"127.0.0.1:{self.port}",
            "look_every_s": 5,
            "policy_data": WIDE,
        }
        self.settings.write_text(yaml.safe_dump({**given, **settings}), encoding="utf-8")
        with self.log.open("ab") as log:
            command = [str(COMMAND), "run", "--config", str(self.settings), "--log-format", "json"]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)

    def get(self, path: str) -> httpx.Response | None:
        try:
            return httpx.get(self.url + path, timeout=10)
        except httpx.HTTPError:
            return None

    def ready(self) -> dict[str, Any]:
        """What /readyz says, whatever the status; nothing while nobody answers."""
        answer = self.get("/readyz")
        found: dict[str, Any] = answer.json() if answer is not None else {}
        return found

    def until(self, what: str, look: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        def seen() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.said()
            found = self.ready()
            return found if found and look(found) else None

        return wait_for(what, seen, READY_TIMEOUT_S)

    def leads(self) -> dict[str, Any]:
        return self.until("the agent leads", lambda r: r.get("ready") and r["leadership"]["role"] in IN_CHARGE)

    def post_xid(self, node: str, code: int = 79) -> httpx.Response:
        return self.post_xids([node], code)

    def post_xids(self, nodes: list[str], code: int = 79) -> httpx.Response:
        """The same of all of these nodes, in one request."""
        line = f"NVRM: Xid (PCI:0000:b3:00): {code}, GPU has fallen off the bus"
        lines = "\n".join(json.dumps({"node": node, "line": line}) for node in nodes)
        headers = {"Content-Type": "application/x-ndjson"}
        return httpx.post(f"{self.url}/v1/logs", content=lines, headers=headers, timeout=ANSWER_TIMEOUT_S)

    def post_event(self, node: str, identity: str) -> httpx.Response:
        """The same fault by a CloudEvent whose name the sender gives: whoever gets it knows it for the same."""
        event = {
            "specversion": "1.0",
            "id": identity,
            "source": "tests",
            "type": "dev.watchkeeper.gpu.xid",
            "subject": f"Node/{node}",
            "time": datetime.now(UTC).isoformat(),
            "data": {"node": node, "xid": 79},
        }
        headers = {"Content-Type": "application/cloudevents+json"}
        return httpx.post(
            f"{self.url}/v1/cloudevents", content=json.dumps(event), headers=headers, timeout=ANSWER_TIMEOUT_S
        )

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def ask(self, *words: str) -> Any:
        """A command of ours on its files."""
        command = [str(COMMAND), *words, "--json", "--config", str(self.settings)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=self.folder)
        return json.loads(ran.stdout)
