"""The README's three commands, taken from its text and run as a newcomer would, by an account that may only read: they
print what the README says, and nothing in the cluster is another than before.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from control_plane import ControlPlane
from fake_nodes import make_nodes, say
from kube import Api, Refused, reference
from servers import free_port, wait_for
from theirs import everything

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"^## On your own cluster.*?\n(.*?)^## ", re.MULTILINE | re.DOTALL)
ACCOUNT = "system:serviceaccount:watchkeeper:watchkeeper"
ASKS = ("/apis/authentication.k8s.io/v1/selfsubjectreviews", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
TOLD_WITHIN_S = 180.0  # an interpreter on a machine that does much else, a first view, and an incident


def block(kind: str) -> str:
    section = SECTION.search((ROOT / "README.md").read_text(encoding="utf-8"))
    found = re.search(rf"^```{kind}\n(.*?)^```", section.group(1), re.MULTILINE | re.DOTALL) if section else None
    assert found, f"the README has no {kind} block on one's own cluster"
    return found.group(1)


COMMANDS = [line.split("#")[0].strip() for line in block("sh").splitlines()]
PRINTED = dict(part.split("\n", 1) for part in block("text").split("$ ") if part)


def as_printed(said: str) -> str:
    """Whatever the width of the terminal is."""
    return " ".join(said.split())


def says(command: str, said: str) -> bool:
    """Whether that is what the README shows, `…` standing for what differs."""
    wanted = ".*?".join(re.escape(part) for part in as_printed(PRINTED[command]).split("…"))
    return re.fullmatch(wanted, as_printed(said)) is not None


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Four nodes of eight GPUs, of which one was reported, and an account with the rights of the README."""
    running = ControlPlane(tmp_path_factory.mktemp("own"), scheduler=False, audited=True)
    for made in yaml.safe_load_all((ROOT / "deploy/kubernetes/observing/rbac.yaml").read_text(encoding="utf-8")):
        running.api.apply(made)
    make_nodes(running.api, 4)
    line = "NVRM: Xid (PCI:0000:b3:00): 79, GPU has fallen off the bus"
    say(running.api, "gpu-3", "SysLogsXIDError", "True", "XID79", line)
    yield running
    running.stop()


@pytest.fixture
def newcomer(plane: ControlPlane, tmp_path: Path) -> dict[str, str]:
    """Somebody's shell, with a kubeconfig where kubectl looks for it."""
    (tmp_path / ".kube").mkdir()
    found = plane.kubeconfig("newcomer", plane.token("watchkeeper", namespace="watchkeeper"))
    (tmp_path / ".kube" / "config").write_text(found.read_text(encoding="utf-8"), encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "WATCHKEEPER_LISTEN": f"127.0.0.1:{free_port()}"}


def test_the_three_commands_print_what_the_readme_says_and_change_nothing(
    plane: ControlPlane, newcomer: dict[str, str], tmp_path: Path
) -> None:
    doctor, run, query = COMMANDS
    before = everything(plane.api, "Lease")

    def ran(command: str) -> str:
        done = subprocess.run(
            shlex.split(command), env=newcomer, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    said = ran(doctor)
    assert says(doctor, said), said
    with (tmp_path / "run").open("wb") as out:
        running = subprocess.Popen(shlex.split(run), env=newcomer, cwd=tmp_path, stdout=out, stderr=out)
    try:
        told = wait_for("the proposals", lambda: _all_of(query, tmp_path, newcomer), TOLD_WITHIN_S)
        assert says(query, told), told
    finally:
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    log = (tmp_path / "run").read_text(encoding="utf-8")
    assert says(run, log), log
    assert everything(plane.api, "Lease") == before
    assert [each for each in plane.writes_of(ACCOUNT) if each.split()[1].split("?")[0] not in ASKS] == []
    assert any("/nodes" in each for each in plane.writes_of("admin")), "the audit log tells who writes"


def _all_of(query: str, folder: Path, env: dict[str, str]) -> str | None:
    """Once there is a log, and both proposals in it."""
    if not (folder / "watchkeeper.db").exists():
        return None
    done = subprocess.run(shlex.split(query), env=env, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout if done.stdout.count("Proposes") == PRINTED[query].count("Proposes") else None


def test_the_rights_of_the_readme_allow_no_change(plane: ControlPlane, newcomer: dict[str, str]) -> None:
    account = Api(Path(newcomer["HOME"]) / ".kube" / "config")
    assert account.list("v1", "Node")
    with pytest.raises(Refused) as refused:
        account.merge(reference("v1", "Node", "gpu-0"), {"spec": {"unschedulable": True}})
    assert refused.value.code == 403
