"""A story in which one agent after the other is in charge: each has the log, and none the files of the one before."""

from collections import Counter
from pathlib import Path
from typing import Any, Self

from telling import Story

from agent.assembly import Agent, assemble
from agent.scenarios.crash import AgentKilled


class AtThe:
    """ports.Boundaries: dies at the so manieth boundary of its kind, once."""

    def __init__(self, name: str = "", number: int = 0) -> None:
        self._name, self._number, self._seen = name, number, Counter[str]()

    def reached(self, name: str) -> None:
        self._seen[name] += 1
        if (name, self._seen[name]) == (self._name, self._number):
            raise AgentKilled(name)


class Handed(Story):
    """Each agent that begins has a file of its own; `again` names those that come back."""

    def __init__(self, folder: Path, told: Any, death: AtThe, **more: Any) -> None:
        self.folder, self.death, self.begun, self.again = folder, death, 0, dict[int, int]()
        self.log = f"sqlite:///{folder / 'log.db'}"
        super().__init__(folder, told, **more)

    def _assemble(self) -> Agent:
        number = self.again.get(self.begun, self.begun)
        self.begun += 1
        shared = {"log": self.log, "database": self.folder / f"of-{number}.db"}
        settings = self._settings.model_copy(update=shared)
        said: Any = {"notifier": self.pager, "boundaries": self.death, "durability": "memory", "in_turn": True}
        return assemble(settings, self.world, interpose=self._interpose, **said)

    def hands_over(self) -> Self:
        self.process.crash()
        return self

    def leads_well(self) -> Self:
        self.agent.note_what_is_known(lambda: True)
        return self
