"""`--kubeconfig`: the tests that any cluster will do for pass where others work, too, and leave it as they found it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from control_plane import ControlPlane
from fake_nodes import make_nodes
from kube import reference
from servers import wait_for
from theirs import Taken, Theirs, everything

HERE = Path(__file__).parent
MODULES = ("contract", "steps", "refusals", "switches")
TESTS = [HERE / f"test_live_world_{name}.py" for name in MODULES] + [HERE / "test_repair_resources.py"]
WITHIN_S = 900  # on a machine that does much else; two minutes on one that does not


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Somebody's, with all its controllers, a scheduler, nodes and work."""
    running = ControlPlane(tmp_path_factory.mktemp("somebodys"))
    nodes = set(make_nodes(running.api, 4))

    def told() -> bool:
        return nodes <= {each["involvedObject"]["name"] for each in running.api.list("v1", "Event", "default")}

    wait_for("its own controllers have told of its nodes", told)
    about = {"name": "theirs", "namespace": "default"}
    running.api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {"a": "1"}})
    yield running
    running.stop()


def test_they_pass_there_and_leave_nothing_behind(plane: ControlPlane, tmp_path: Path) -> None:
    before = everything(plane.api, "Lease")
    command = [sys.executable, "-m", "pytest", *map(str, TESTS), f"--kubeconfig={plane.admin}"]
    command += [
        "--override-ini",
        "addopts=-q --strict-markers",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path / 'in'}",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN_S, cwd=HERE.parents[1])
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert everything(plane.api, "Lease") == before
    assert "left out with --kubeconfig: it kills, freezes or sets back servers" in ran.stdout
    assert "::test_a_server_that_goes_away_leaves_the_step_open_and_it_is_found_out" in ran.stdout
    assert " skipped" not in ran.stdout


def test_what_a_test_did_not_make_it_cannot_touch(plane: ControlPlane, tmp_path: Path) -> None:
    theirs = Theirs(plane.admin, tmp_path)
    taken = reference("v1", "ConfigMap", "theirs", "default")
    for touch in (
        lambda: theirs.api.apply({**taken, "data": {"a": "2"}}),
        lambda: theirs.api.merge(taken, {"data": {"a": "2"}}),
        lambda: theirs.api.delete(taken),
        lambda: theirs.api.delete(reference("v1", "Node", "gpu-0")),
    ):
        with pytest.raises(Taken):
            touch()
    assert plane.api.get("v1", "ConfigMap", "theirs", "default")["data"] == {"a": "1"}
    with pytest.raises(ValueError, match="ten minutes"):
        theirs.token("any", timedelta(seconds=5), namespace="default")


def test_what_was_made_again_by_somebody_else_is_left_alone(plane: ControlPlane, tmp_path: Path) -> None:
    """By uid: the name alone is nobody's."""
    theirs = Theirs(plane.admin, tmp_path)
    made = reference("v1", "ConfigMap", "shared", "default")
    theirs.api.create(made)
    plane.api.delete(made)
    plane.api.create({**made, "data": {"by": "somebody else"}})
    theirs.api.tidy()
    assert plane.api.get("v1", "ConfigMap", "shared", "default")["data"] == {"by": "somebody else"}
    plane.api.delete(made)
