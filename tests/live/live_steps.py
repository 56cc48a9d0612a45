"""Steps of a proposal on a real API server, with a real log beside it."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from live_world import Seen, WallClock

sys.path.insert(0, str(Path(__file__).parents[1] / "agent" / "stages"))

from step_field import proposal

from agent.adapters.ledger import AuditLedger
from agent.adapters.simulated.world import World
from agent.chance import NoBoundaries
from agent.doing import Effectors
from agent.domain.proposal import Step
from agent.effects import StepCall, StepResult, run_step
from agent.scenarios.witness import Pager
from audit.log import Log


class Steps:
    """A real log beside a real server. Repairs are not what is tried here: the simulated system stands in."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self.clock = WallClock()
        self.seen = Seen(kubeconfig, self.clock)
        self.log = Log.open(folder / "log.db", durability="memory")
        repairs = World(7, datetime(2026, 11, 2, 9, tzinfo=UTC), timedelta(seconds=15)).repairs
        ledger = AuditLedger(self.log, self.clock, "watchkeeper")
        self._through = Effectors(self.seen.cluster, repairs, Pager(), ledger, NoBoundaries())

    def run(self, step: Step, *, since_s: float = 0.0, dry_run: bool = True, undo: bool = False) -> StepResult:
        """`since_s`: for how long its turn has been here."""
        now = self.clock.now()
        call = StepCall(proposal(step), 0, now, since=now - timedelta(seconds=since_s), dry_run=dry_run, undo=undo)
        return run_step(call, self._through)

    def kinds(self) -> list[str]:
        return [record.kind for record in self.log.query()]

    def outcomes(self) -> list[str]:
        return [f"{r.payload['outcome']}: {r.payload['detail']}" for r in self.log.query(kind="outcome")]

    def close(self) -> None:
        self.seen.close()
        self.log.close()
