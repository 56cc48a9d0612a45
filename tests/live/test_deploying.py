"""deploy/kubernetes on a real API server: everything in it is admitted as it stands, the pod under the strictest of
Kubernetes' own standards, and what it says of itself is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from control_plane import ControlPlane
from fake_nodes import make_nodes
from kube import Json, Refused, reference
from servers import wait_for

from agent.adapters.kubernetes.live.access import Access
from agent.adapters.kubernetes.live.cluster import LiveCluster
from agent.adapters.kubernetes.rbac import FOLDERS, manifests
from agent.adapters.live import WallClock
from agent.config import load_settings

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "deploy" / "kubernetes"
APPLIER = "tests"


def documents(file: Path) -> list[Json]:
    return [each for each in yaml.safe_load_all(file.read_text(encoding="utf-8")) if each]


def built(folder: str) -> list[Json]:
    """What `kubectl apply --kustomize` would send, as far as our kustomizations go: resources and image names."""
    told = yaml.safe_load((PLACE / folder / "kustomization.yaml").read_text(encoding="utf-8"))
    assert set(told) <= {"apiVersion", "kind", "resources", "images"}, "what is more is not read here"
    found: list[Json] = []
    for each in told["resources"]:
        place = (PLACE / folder / each).resolve()
        found += built(str(place.relative_to(PLACE))) if place.is_dir() else documents(place)
    images = {each["name"]: f"{each['newName']}:{each['newTag']}" for each in told.get("images", ())}
    for container in (c for made in found if made["kind"] == "Deployment" for c in _pod(made)["containers"]):
        container["image"] = images.get(container["image"], container["image"])
    return found


def _pod(deployment: Json) -> Json:
    found: Json = deployment["spec"]["template"]["spec"]
    return found


def only(made: list[Json], kind: str, name: str = "") -> Json:
    (found,) = [each for each in made if each["kind"] == kind and name in ("", each["metadata"]["name"])]
    return found


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One whose namespace `watchkeeper` is nobody's."""
    running = ControlPlane(tmp_path_factory.mktemp("deployed"))
    make_nodes(running.api, 1)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def cluster(plane: ControlPlane) -> Iterator[LiveCluster]:
    made = LiveCluster(Access(plane.admin), WallClock())
    yield made
    made.close()


@pytest.mark.parametrize("folder", ["observing", "acting"])
def test_the_rights_are_those_of_the_catalogue_and_nothing_else_gives_any(folder: str) -> None:
    rbac = {"ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "ServiceAccount"}
    wanted = [each for name in FOLDERS if name in ("observing", folder) for each in manifests(name)]
    given = [each for each in built(folder) if each["kind"] in rbac]
    assert given == [each for each in wanted if each["kind"] in rbac]


def test_everything_is_admitted_by_a_server_side_dry_run(plane: ControlPlane, cluster: LiveCluster) -> None:
    """Each by itself, with its namespace there; Kueue's only where Kueue's namespace is."""
    plane.api.apply(only(built("observing"), "Namespace"))
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kueue-system"}})
    for made in [*built("acting"), *documents(PLACE / "kueue" / "rbac.yaml")]:
        answer = cluster.apply(made, dry_run=True, force=True, field_manager=APPLIER)
        assert answer["metadata"]["name"] == made["metadata"]["name"]
    assert plane.api.find("apps/v1", "Deployment", "watchkeeper", "watchkeeper") is None


def test_what_no_namespace_of_this_kind_admits_is_noticed(plane: ControlPlane) -> None:
    """The standard is in force: without its security context the pod is refused."""
    plane.api.apply(only(built("observing"), "Namespace"))
    spec = {**_pod(only(built("observing"), "Deployment")), "securityContext": {}}
    for container in spec["containers"]:
        container["securityContext"] = {}
    plane.api.apply(only(built("observing"), "ServiceAccount"))
    with pytest.raises(Refused, match="violates PodSecurity") as refused:
        plane.api.create({**reference("v1", "Pod", "loose", "watchkeeper"), "spec": spec})
    assert refused.value.code == 403


def test_it_runs_by_its_own_account_in_a_namespace_that_admits_no_less_than_restricted(plane: ControlPlane) -> None:
    for made in built("observing"):
        plane.api.apply(made)
    claim = only(built("observing"), "PersistentVolumeClaim")
    _provide(plane, claim)

    def running() -> Json | None:
        found = plane.api.list("v1", "Pod", "watchkeeper", labelSelector="app.kubernetes.io/name=watchkeeper")
        return next((each for each in found if each["status"].get("phase") == "Running"), None)

    pod = wait_for("the pod runs, as far as kwok runs one", running)
    assert pod["spec"]["serviceAccountName"] == "watchkeeper"
    (agent,) = pod["spec"]["containers"]
    assert agent["image"].startswith("registry.example/watchkeeper:")
    mounted = [each for each in agent["volumeMounts"] if each["mountPath"].startswith("/var/run/secrets")]
    assert mounted, "the token that it gets in by"


def _provide(plane: ControlPlane, claim: Json) -> None:
    """No storage provisioner is here: a volume for the claim."""
    about = claim["metadata"]
    reference_to = {"name": about["name"], "namespace": about["namespace"]}
    spec = {"accessModes": claim["spec"]["accessModes"], "capacity": claim["spec"]["resources"]["requests"]}
    spec |= {"claimRef": reference_to, "hostPath": {"path": "/nowhere"}, "storageClassName": ""}
    plane.api.apply({**reference("v1", "PersistentVolume", "for-watchkeeper"), "spec": spec})


def test_its_settings_load_and_what_they_name_is_mounted(tmp_path: Path) -> None:
    made = built("observing")
    text = only(made, "ConfigMap", "watchkeeper-settings")["data"]["watchkeeper.yaml"]
    (tmp_path / "watchkeeper.yaml").write_text(text, encoding="utf-8")
    settings = load_settings(tmp_path / "watchkeeper.yaml")
    assert settings.observes and settings.world == "live"
    (agent,) = _pod(only(made, "Deployment"))["containers"]
    writable = [Path(each["mountPath"]) for each in agent["volumeMounts"] if not each.get("readOnly")]
    assert any(settings.database.is_relative_to(place) for place in writable), "the root file system is read-only"
    port = int(settings.listen.rpartition(":")[2])
    assert [each["containerPort"] for each in agent["ports"]] == [port]
    assert only(made, "Service")["spec"]["ports"][0]["port"] == port
    probes = {agent[name]["httpGet"]["path"] for name in ("livenessProbe", "startupProbe", "readinessProbe")}
    assert probes == {"/healthz", "/readyz"}
    namespace, _, name = settings.freeze_config_map.partition("/")
    assert all(each["metadata"]["name"] != name for each in made if each["kind"] == "ConfigMap"), (
        "people freeze by that"
    )
    assert namespace == only(made, "Namespace")["metadata"]["name"]


def test_what_its_settings_offer_besides_loads_too(tmp_path: Path) -> None:
    text = only(built("observing"), "ConfigMap", "watchkeeper-settings")["data"]["watchkeeper.yaml"]
    offered = re.sub(r"^# (?=\w+: )", "", text, flags=re.MULTILINE).replace("observe: true", "observe: false")
    assert offered.count("\n#") == 0
    (tmp_path / "watchkeeper.yaml").write_text(offered, encoding="utf-8")
    settings = load_settings(tmp_path / "watchkeeper.yaml")
    assert settings.policy_data["autonomy"]["default"] == "act_with_approval" and not settings.observes
    assert settings.log and settings.prometheus_url and settings.identities
    (agent,) = _pod(only(built("observing"), "Deployment"))["containers"]
    places = [Path(each["mountPath"]) for each in agent["volumeMounts"]]
    assert settings.inbound_token_file and settings.inbound_token_file.parent in places


def test_the_image_runs_as_the_user_that_the_pod_runs_as() -> None:
    said = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    context = _pod(only(built("observing"), "Deployment"))["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in said
    assert f"--uid {context['runAsUser']}" in said
    assert re.search(r"^FROM python:3\.11\S*@sha256:[0-9a-f]{64}$", said, re.MULTILINE), "pinned by digest"
