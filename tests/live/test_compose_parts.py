"""The parts of docker-compose.yml that run without a container: its files by the tools of those who read them, and the
question by which its OPA says that it is ready, asked of a real OPA."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from opa_server import opa
from running_agent import COMMAND
from servers import Server, free_port, installed, wait_for

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "deploy" / "compose"
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def said(*command: str) -> tuple[int, str]:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture(autouse=True)
def tools() -> None:
    installed("prometheus")
    installed("prometheus-alertmanager")


def test_prometheus_takes_its_configuration_and_rules(tmp_path: Path) -> None:
    """With the rules where they are here: in the container they are mounted beside it."""
    config = (PLACE / "prometheus.yml").read_text(encoding="utf-8")
    assert "/etc/prometheus/rules.yml" in config
    (tmp_path / "prometheus.yml").write_text(config.replace("/etc/prometheus", str(PLACE)), encoding="utf-8")
    status, told = said("promtool", "check", "config", str(tmp_path / "prometheus.yml"))
    assert status == 0 and "SUCCESS" in told and "2 rules found" in told, told


def test_alertmanager_takes_its_configuration_and_posts_to_the_agent() -> None:
    file = str(PLACE / "alertmanager.yml")
    status, told = said("amtool", "check-config", file)
    assert status == 0 and "SUCCESS" in told, told
    status, told = said("amtool", "config", "routes", "test", f"--config.file={file}", "alertname=GPUXidError")
    assert (status, told.splitlines()[0]) == (0, "watchkeeper")


def test_opa_says_that_it_is_ready_once_it_has_the_bundle_that_was_built(tmp_path: Path) -> None:
    """As compose builds it, starts OPA on it, and asks; by addresses and paths of this machine."""
    archive, port = tmp_path / "bundle.tar.gz", free_port()
    build = [_here(word, archive, port) for word in SERVICES["policies"]["command"]]
    status, told = said(str(COMMAND.with_name(build[0])), *build[1:])
    assert status == 0 and archive.is_file(), told
    asks, binary, *question = SERVICES["opa"]["healthcheck"]["test"]
    assert (asks, binary) == ("CMD", "/opa")
    question = [_here(word, archive, port) for word in question]
    assert said(opa(), *question)[0] == 1, "nobody answers yet"
    command = [opa(), *(_here(word, archive, port) for word in SERVICES["opa"]["command"])]
    server = Server("opa", command, f"http://127.0.0.1:{port}/health", tmp_path)
    try:
        wait_for("it has its bundle", lambda: said(opa(), *question)[0] == 0)
    finally:
        server.stop()


def _here(word: str, archive: Path, port: int) -> str:
    word = word.replace("/srv/policies/bundle.tar.gz", str(archive)).replace("8181", str(port))
    return word.replace("0.0.0.0", "127.0.0.1").replace("/etc/watchkeeper", str(PLACE))


def test_the_image_of_opa_is_the_release_that_the_policies_are_tried_on() -> None:
    version = next(line.split()[-1] for line in said(opa(), "version")[1].splitlines() if line.startswith("Version:"))
    assert SERVICES["opa"]["image"].endswith(f":{version}-static")
