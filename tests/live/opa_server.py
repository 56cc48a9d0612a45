"""A real OPA server on loopback, with the agent's bundle, built from the Go module in servers/opa."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from go_tools import CannotBuild, built
from servers import Server, free_port

from agent.adapters.opa import OpaPlace


def opa() -> str:
    try:
        return str(built("opa"))
    except CannotBuild as error:
        pytest.fail(str(error))


class Opa:
    """Started with `archive` as its one bundle; `url` is where it answers."""

    def __init__(
        self,
        folder: Path,
        archive: bytes,
        *,
        options: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        tls: bool = False,
        ready: str = "/health?bundles",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.bundle = folder / "bundle.tar.gz"
        self.bundle.write_bytes(archive)
        polling = {"min_delay_seconds": 1, "max_delay_seconds": 1}
        bundles = {"watchkeeper": {"resource": self.bundle.as_uri(), "polling": polling}}
        settings = folder / "opa.yaml"
        settings.write_text(yaml.safe_dump({"bundles": bundles, **(config or {})}))
        port, health = free_port(), free_port()
        command = [opa(), "run", "--server", f"--addr=127.0.0.1:{port}", f"--diagnostic-addr=127.0.0.1:{health}"]
        command += [f"--config-file={settings}", "--log-level=error", "--disable-telemetry", *options]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        self.health_url = f"http://127.0.0.1:{health}"
        self.server = Server("opa", command, self.health_url + ready, folder)

    def place(self, **more: Any) -> OpaPlace:
        return OpaPlace(self.url, **more)

    def stop(self) -> None:
        self.server.stop()
