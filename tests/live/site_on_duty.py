"""The story's site with the agent on duty: servers, monitoring, the repair crew, `watchkeeper run`, and a person.

The agent has the rights that deploy/kubernetes gives it and no more (and those that docs/operating.md tells a site to
add for its own repair system), the shipped policies, and the shipped playbooks with one number changed.
"""

from __future__ import annotations

import getpass
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from control_plane import ControlPlane
from kube import Json
from played_story import Story
from repair_crew import RULES, SETTINGS, RepairCrew
from running_agent import COMMAND, Running
from servers import wait_for
from site_monitoring import SiteMonitoring
from site_seen import PATIENCE_S, Seen
from site_telemetry import SiteTelemetry

from agent.adapters.kubernetes.rbac import manifests
from agent.resources import bundled

IDLE_FOR = timedelta(minutes=70)  # what Prometheus already holds of the notebook: more than the hour that is asked for
RBAC = "rbac.authorization.k8s.io"
ACCOUNT = {"kind": "ServiceAccount", "name": "watchkeeper", "namespace": "watchkeeper"}
PEOPLE = [{"name": "alice", "groups": ["gpu-oncall"], "links": {"terminal": [getpass.getuser()]}}]
PENDING, OPEN = "watchkeeper_pending_approvals ", "watchkeeper_open_incidents "
TIMEOUT_S = 60.0


def quick_playbooks(folder: Path) -> Path:
    """As shipped, but for the grace of a reclaim: a quarter of an hour is a person's, no test's."""
    made = folder / "playbooks"
    shutil.copytree(bundled("playbooks"), made)
    idle = made / "idle-gpus" / "playbook.yaml"
    idle.write_text(idle.read_text().replace("grace_s: 900", "grace_s: 20"))
    assert "grace_s: 20" in idle.read_text()
    return made


class Duty:
    """Begins with the gangs and notebooks of the morning at work; `stop` takes everything down."""

    def __init__(self, plane: ControlPlane, story: Story, folder: Path) -> None:
        self.story, self.seen = story, Seen(plane.api)
        self._folder, self._plane = folder, plane
        self.playbooks = quick_playbooks(folder)
        self.telemetry = SiteTelemetry(plane.api, datetime.now(UTC) - IDLE_FOR)
        self.monitoring = SiteMonitoring(folder, self.telemetry)
        self.crew = RepairCrew(plane.api, self.telemetry)
        self.agent: Running | None = None
        self.database = folder / "one.db"  # as Running names it

    def begin(self, idle_on: str) -> None:
        """The agent comes on duty. `idle_on`: the node of whose past Prometheus knows."""
        self.monitoring.remember(idle_on)
        settings: dict[str, Any] = {"prometheus_url": self.monitoring.url, "playbooks": str(self.playbooks)}
        settings |= {"identities": PEOPLE, "repair": SETTINGS, **self.story.settings}
        self.agent = Running(self._folder, self._account(), **settings)
        self.monitoring.start(f"{self.agent.url}/v1/alertmanager")
        self.agent.leads()

    def stop(self) -> None:
        self.crew.stop()
        if self.agent is not None:
            assert self.agent.stop() == 0, self.agent.said()
        self.monitoring.stop()

    def approves(self, action: str, reason: str) -> Json:
        """Alice, at the terminal, as soon as she is asked: nobody else can, and she looks at what she is asked."""
        wait_for(f"somebody is asked about {action}", lambda: self._count(PENDING), PATIENCE_S)
        (request,) = self.ask("approvals", "list")["approvals"]
        assert request["proposal"]["action"] == action
        self.ask("approvals", "approve", request["id"], "--as", "alice", "--reason", reason)
        return dict(request)

    def ask(self, *words: str) -> Any:
        assert self.agent is not None
        return self.agent.ask(*words)

    def shown(self, *words: str) -> str:
        """What a person reads at the terminal."""
        assert self.agent is not None
        command = [str(COMMAND), *words, "--config", str(self.agent.settings)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S, cwd=self._folder)
        return ran.stdout

    def said(self) -> str:
        """The last lines of the agent's process log."""
        return self.agent.said() if self.agent is not None else "the agent was not on duty yet"

    def has_just_looked(self) -> None:
        """What was told until now is dealt with, by a look that began after it, and the next look is seconds away."""
        assert self.agent is not None
        for _ in range(2):
            before = _surveyed_at(self.agent.ready())
            self.agent.until(
                "it has looked again", lambda ready, before=before: _surveyed_at(ready) not in ("", before)
            )

    def until_quiet(self) -> None:
        """All that it began is at its end."""
        wait_for("no incident is open", lambda: self._count(OPEN) == 0, PATIENCE_S)

    def _count(self, gauge: str) -> float | None:
        """By its own metrics, which cost it nothing."""
        answer = self.agent.get("/metrics") if self.agent is not None else None
        lines = answer.text.splitlines() if answer is not None else ()
        return next((float(line.removeprefix(gauge)) for line in lines if line.startswith(gauge)), None)

    def _account(self) -> Path:
        api = self._plane.api
        for made in manifests():
            api.apply(made)
        role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "watchkeeper-asks-for-repairs"}
        about = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": role["name"]}}
        api.apply({**about, "kind": "ClusterRole", "rules": RULES})
        api.apply({**about, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": [ACCOUNT]})
        name, namespace = ACCOUNT["name"], ACCOUNT["namespace"]
        return self._plane.kubeconfig(name, self._plane.token(name, namespace=namespace))


def _surveyed_at(ready: Json) -> str:
    """When the last look at metrics was over, with which a whole look ends."""
    return str(ready.get("prometheus", {}).get("seen_at") or "")
