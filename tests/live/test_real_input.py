"""One incident from end to end on real input: exporter, Prometheus, Alertmanager, the running agent, and a person.

The alert comes in over HTTP, the approval from the command line in another process, and the log proves it afterwards.
"""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from monitoring import Site
from servers import Server, free_port, wait_for

WATCHKEEPER = str(Path(sys.executable).with_name("watchkeeper"))
STEP_TIMEOUT_S = 120.0
TOKEN = "s3cret"
NODE, POD = "gpu-3", "llama-3"


class Agent:
    """The agent as its operator meets it: a configuration file, a process, and a command line."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "watchkeeper.yaml"
        (folder / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
        self.config.write_text(yaml.safe_dump(self.settings()), encoding="utf-8")

    def settings(self) -> dict[str, Any]:
        folder = self.config.parent
        return {
            "database": str(folder / "watchkeeper.db"),
            "listen": f"127.0.0.1:{self.port}",
            "inbound_token_file": str(folder / "token"),
            "look_every_s": 1,
            "simulated_cluster": str(Path(__file__).with_name("site.yaml")),
            "identities": [{"name": "alice", "groups": ["gpu-oncall"]}],
            "policy_data": {"autonomy": {"default": "act", "actions": {"request_node_repair": "act_with_approval"}}},
        }

    def details(self) -> dict[str, Any]:
        """What /readyz tells; nothing before it is ready."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=10) as answer:
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError:
            return {}

    def start(self, folder: Path) -> Server:
        command = [WATCHKEEPER, "run", "--world", "simulated", "--config", str(self.config)]
        return Server("watchkeeper", command, f"{self.url}/readyz", folder)

    def post_nonsense(self) -> int:
        """The status of the answer to a webhook that is none."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
        request = urllib.request.Request(f"{self.url}/v1/alertmanager", b'{"version": "4"}', headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def done(self) -> list[str]:
        """The actions that succeeded, in order, as the log has them."""
        records = self.ask("audit", "query", "--kind", "outcome", "--outcome", "succeeded")["records"]
        return [record["payload"]["action"] for record in records if record["payload"]["final"]]

    def ask(self, *words: str) -> Any:
        """What a command in a process of its own answers."""
        command = [WATCHKEEPER, *words, "--json", "--config", str(self.config)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert answer.returncode == 0, f"{' '.join(command)}\n{answer.stdout}{answer.stderr}"
        return json.loads(answer.stdout)


def test_an_incident_runs_to_its_end(site: Site, tmp_path: Path, started: Callable[[Server], Server]) -> None:
    agent = Agent(tmp_path)
    process = started(agent.start(tmp_path))
    assert agent.post_nonsense() == 400
    site.xid(79, NODE, "research", POD)
    site.watch_with(f"{agent.url}/v1/alertmanager", token=TOKEN)

    def asked() -> Any:
        assert process.process.poll() is None, process.tail()
        return agent.ask("approvals", "list")["approvals"]

    (request,) = wait_for("a request for approval", asked, timeout_s=STEP_TIMEOUT_S)
    assert (request["proposal"]["action"], request["proposal"]["target"]["name"]) == ("request_node_repair", NODE)
    agent.ask("approvals", "approve", request["id"], "--as", "alice", "--reason", "seen on the node")
    wait_for("the repair", lambda: "request_node_repair" in agent.done(), timeout_s=STEP_TIMEOUT_S)
    site.xid(0, NODE, "research", POD)  # as after a reboot

    def closed() -> Any:
        return [i for i in agent.ask("incidents", "list")["incidents"] if i["state"] != "open"]

    (incident,) = wait_for("the end of the incident", closed, timeout_s=STEP_TIMEOUT_S)
    assert (incident["state"], incident["playbook"]) == ("resolved", "gpu-fallen-off-bus"), process.tail()
    assert agent.done() == ["cordon_node", "requeue_gang", "request_node_repair", "uncordon_node"]
    (refused,) = agent.ask("audit", "query", "--kind", "refused")["records"]
    assert (refused["payload"]["door"], refused["payload"]["place"]) == ("alertmanager", "alerts")
    assert agent.ask("audit", "fsck")["ok"] is True
