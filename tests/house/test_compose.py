"""What docker-compose.yml brings fits together: files that are there, settings that load, names that are the same
on both sides. That the images run is for a machine that has a container runtime."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from agent.config import Settings, load_settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CONFIG = ROOT / "deploy" / "compose"


RUNS_ON = [name for name in SERVICES if name not in ("fleet", "policies", "log")]  # the others do one thing and end


def settings() -> Settings:
    return load_settings(CONFIG / "watchkeeper.yaml")


def test_the_file_is_what_the_compose_specification_allows() -> None:
    schema = json.loads((Path(__file__).parent / "schemas" / "compose-spec.json").read_text(encoding="utf-8"))
    found = Draft7Validator(schema).iter_errors(COMPOSE)
    assert [f"{'.'.join(map(str, each.absolute_path))}: {each.message}" for each in found] == []


def test_every_image_is_one_release() -> None:
    images = {name: service["image"] for name, service in SERVICES.items() if "image" in service}
    assert images and [name for name, image in images.items() if not re.search(r":v?\d+[^:]*$", image)] == []
    built = [service["build"] for service in SERVICES.values() if "image" not in service]
    assert built and all((ROOT / each["context"] / each["dockerfile"]).is_file() for each in built)


@pytest.mark.parametrize("name", SERVICES)
def test_who_is_waited_for_says_when_it_is_ready(name: str) -> None:
    """What runs on tells its health, and whoever waits for it waits for that; what ends is waited for to the end."""
    service = SERVICES[name]
    assert ("healthcheck" in service) == (name in RUNS_ON)
    for other, how in service.get("depends_on", {}).items():
        wanted = "service_healthy" if other in RUNS_ON else "service_completed_successfully"
        assert how == {"condition": wanted}


def test_every_volume_is_a_file_that_is_there_or_is_declared() -> None:
    sources = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())]
    assert sources
    here = [source for source in sources if source.startswith("./")]
    assert [source for source in here if not (ROOT / source).is_file()] == []
    assert {source for source in sources if source not in here} == set(COMPOSE["volumes"])


def test_every_service_that_is_waited_for_or_called_is_there() -> None:
    known = set(SERVICES)
    waited = {name for service in SERVICES.values() for name in service.get("depends_on", {})}
    called = set(re.findall(r"(?:https?://|postgresql://\w+@)([a-z]+)[:/]", _all_settings()))
    assert waited <= known
    assert called - {"127"} <= known


def test_the_agent_goes_by_the_servers_that_are_brought() -> None:
    known = settings()
    assert known.world == "live" and known.observes, "nobody's first try changes anything"
    assert known.opa_url == "http://opa:8181" and known.prometheus_url == "http://prometheus:9090"
    mounted = [volume.split(":")[1] for volume in SERVICES["agent"]["volumes"]]
    assert str(known.kubeconfig) in mounted
    assert f"{SERVICES['agent']['working_dir']}/watchkeeper.yaml" in mounted, "found there without --config"
    config = yaml.safe_load((CONFIG / "kubeconfig.yaml").read_text(encoding="utf-8"))
    assert config["clusters"][0]["cluster"]["server"] == "http://cluster:8080"


def test_the_log_belongs_to_one_role_and_is_written_by_another() -> None:
    made = set(re.findall(r"CREATE ROLE (\w+)", (CONFIG / "roles.sql").read_text(encoding="utf-8")))
    owner, *others = re.findall(r"log_\w+", " ".join(SERVICES["log"]["command"]))
    assert {owner, *others} == made
    writer = re.findall(r"log_\w+", str(settings().log))
    assert writer == ["log_writer"] and f"--writer={writer[0]}" in SERVICES["log"]["command"] and owner != writer[0]


def test_the_bundle_that_is_built_is_the_one_that_decides_and_of_the_same_settings() -> None:
    built = SERVICES["policies"]["command"]
    archive = next(word for word in built if word.endswith(".tar.gz"))
    assert archive in SERVICES["opa"]["command"]
    folder = f"policies:{Path(archive).parent}"
    assert folder in SERVICES["policies"]["volumes"] and f"{folder}:ro" in SERVICES["opa"]["volumes"]
    assert f"install --directory --owner watchkeeper {Path(archive).parent}" in _dockerfile()
    assert SERVICES["policies"]["volumes"][0] == SERVICES["agent"]["volumes"][0], "one file of settings"
    # Who observes decides at this level whatever else is said, and the bundle's digest is of what is said.
    assert settings().policy_data["autonomy"] == {"default": "observe"}


def test_the_fleet_is_of_gpus() -> None:
    made = [each for each in yaml.safe_load_all((CONFIG / "fleet.yaml").read_text(encoding="utf-8")) if each]
    nodes = [each for each in made if each["kind"] == "Node"]
    assert [node["status"]["capacity"]["nvidia.com/gpu"] for node in nodes] == ["8"] * 8


def test_no_port_leaves_the_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published and [port for port in published if not port.startswith("127.0.0.1:")] == []


def _dockerfile() -> str:
    return (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")


def _all_settings() -> str:
    lines = [line for file in sorted(CONFIG.iterdir()) for line in file.read_text(encoding="utf-8").splitlines()]
    commands = [str(service.get("command", "")) for service in SERVICES.values()]
    return "\n".join([*(line for line in lines if not line.lstrip().startswith("#")), *commands])
