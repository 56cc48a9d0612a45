"""The freeze annotation and the anchor of the log in a ConfigMap, on a real API server, by the agent's own rights."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bare_plane import *  # noqa: F403
from control_plane import ControlPlane
from installing import installation
from kube import reference
from live_world import Seen
from servers import wait_for

from agent.adapters.kubernetes.live.access import Access
from agent.adapters.switch import ANNOTATION, FreezeSwitch
from agent.ports import ClusterUnavailable
from audit.anchoring.anchor import AnchorDiffers, AnchorUnavailable
from audit.anchoring.configmap import ConfigMapAnchor


@pytest.fixture(scope="module")
def home(anywhere: ControlPlane) -> str:
    """Where the agent is installed, beside an installation that may be there."""
    made = anywhere.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "watchkeeper-"}})
    name = str(made["metadata"]["name"])
    for manifest in installation(name, "observing", "acting"):
        anywhere.api.apply(manifest)
    return name


@pytest.fixture(scope="module")
def ours(anywhere: ControlPlane, home: str) -> Path:
    return anywhere.kubeconfig("agent", anywhere.token("watchkeeper", namespace=home))


@pytest.fixture
def seen(ours: Path) -> Iterator[Seen]:
    made = Seen(ours)
    yield made
    made.close()


def test_the_annotation_freezes_at_once_and_thaws(
    anywhere: ControlPlane, home: str, seen: Seen, tmp_path: Path
) -> None:
    switch = FreezeSwitch(tmp_path / "freeze", seen.cluster, home, "watchkeeper")
    assert switch.frozen() is None
    about = reference("v1", "ConfigMap", "watchkeeper", home)
    anywhere.api.create(about)
    assert switch.frozen() is None
    anywhere.api.merge(about, {"metadata": {"annotations": {ANNOTATION: "true"}}})
    assert switch.frozen() == "annotation"
    anywhere.api.merge(about, {"metadata": {"annotations": {ANNOTATION: "false"}}})
    assert switch.frozen() is None
    anywhere.api.merge(about, {"metadata": {"annotations": {ANNOTATION: ""}}})
    assert switch.frozen() == "annotation"
    anywhere.api.delete(about)
    assert switch.frozen() is None


def test_a_server_that_does_not_answer_is_no_leave_to_act(
    plane: ControlPlane, home: str, seen: Seen, tmp_path: Path
) -> None:
    switch = FreezeSwitch(tmp_path / "freeze", seen.cluster, home, "watchkeeper")
    assert switch.frozen() is None
    plane.api_server.kill()
    try:
        with pytest.raises(ClusterUnavailable):
            switch.frozen()
    finally:
        plane.api_server.start()
    wait_for("it answers again", lambda: switch.frozen() is None)


def test_checkpoints_lie_in_a_config_map_and_two_agents_cannot_take_each_others_back(
    anywhere: ControlPlane, home: str, ours: Path
) -> None:
    one = ConfigMapAnchor(Access(ours).api_client(), home, "audit-anchor")
    two = ConfigMapAnchor(Access(ours).api_client(), home, "audit-anchor")
    assert one.newest() is None
    one.keep(3, b"three\n")
    two.keep(5, b"five\n")
    one.keep(3, b"three\n")  # once more is harmless
    assert (one.newest(), two.since(0)) == (b"five\n", [b"three\n", b"five\n"])
    with pytest.raises(AnchorDiffers):
        two.keep(5, b"another five\n")
    managers = anywhere.api.get("v1", "ConfigMap", "audit-anchor", home)["metadata"]["managedFields"]
    assert "watchkeeper-anchor" in [each["manager"] for each in managers]


def test_a_place_that_our_rights_do_not_reach_says_so(ours: Path) -> None:
    elsewhere = ConfigMapAnchor(Access(ours).api_client(), "default", "audit-anchor")
    with pytest.raises(AnchorUnavailable, match="403"):
        elsewhere.keep(1, b"one\n")
