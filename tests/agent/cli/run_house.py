"""`watchkeeper run` in this process on a simulated cluster: what the tests of it stand on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from agent.adapters.inbound.logs import read_logs
from agent.adapters.simulated.world import World
from agent.cli.post import Post, post_of
from agent.cli.turn import Turn, begin
from agent.config import Settings, as_run

SCENARIO = Path(__file__).parents[3] / "scenarios" / "xid-79-under-a-gang.yaml"
SECRET = "hunter2-in-a-kernel-line"
LINE = {"node": "gpu-6", "line": f"NVRM: Xid (PCI:0000:b3:00): 79, pid=1, GPU has fallen off the bus {SECRET}"}
ACTING = {"autonomy": {"default": "act", "actions": {"request_node_repair": "act_with_approval"}}}


class House:
    def __init__(self, folder: Path, **settings: Any) -> None:
        given = {"policy_data": ACTING} | settings
        self.settings = as_run(
            Settings(world="simulated", simulated_cluster=SCENARIO, database=folder / "w.db", **given)
        )
        self.post: Post = post_of(self.settings)
        self.turn: Turn | None = None

    def begin(self) -> Turn:
        self.turn = begin(self.post)
        return self.turn

    @property
    def world(self) -> World:
        assert self.turn is not None
        world = self.turn.ground.world
        assert isinstance(world, World)
        return world

    @property
    def changes(self) -> list[str]:
        return [f"{effect.verb} {effect.ref}" for effect in self.world.effects]

    def falls_off_the_bus(self) -> None:
        assert self.turn is not None
        agent = self.turn.agent
        agent.receive(read_logs(json.dumps(LINE).encode(), agent.ports.clock.now()).signals)
        agent.run_until_idle(lambda: not self.post.may_act())

    def recorded(self, kind: str) -> list[Any]:
        assert self.turn is not None
        return [record.payload for record in self.turn.agent.log.query(kind=kind)]

    def measured(self, name: str, **labels: str) -> float:
        families = text_string_to_metric_families(self.post.telemetry.instruments.text().decode())
        return sum(
            s.value for f in families for s in f.samples if s.name == name and labels.items() <= s.labels.items()
        )
