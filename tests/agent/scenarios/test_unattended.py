"""The world without an agent loses what it loses beside an agent that only observes: that one changes nothing."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from agent.scenarios.days import day
from agent.scenarios.drawing import with_day
from agent.scenarios.format import Scenario, load_scenario
from agent.scenarios.losses import LossMeter
from agent.scenarios.performance import Performance
from agent.scenarios.unattended import Unattended

FILES = Path(__file__).parents[3] / "scenarios"


def short_day(seed: int) -> Scenario:
    """Drawn like any other day, but only its first hour."""
    story = with_day(day(seed))
    return story.model_copy(update={"spec": story.spec.model_copy(update={"duration": timedelta(hours=1)})})


STORIES = [
    load_scenario(FILES / f"{name}.yaml")
    for name in ("flapping-node", "exporter-reads-zero-in-the-world", "crash-around-an-approval")
]


@pytest.mark.parametrize("scenario", [short_day(3), short_day(7), *STORIES], ids=lambda each: each.metadata.name)
def test_without_an_agent_and_beside_one_that_only_observes(scenario: Scenario, tmp_path: Path) -> None:
    observed = scenario.model_copy(update={"spec": scenario.spec.model_copy(update={"autonomy": "observe"})})
    beside, without = LossMeter(), LossMeter()
    with closing(Performance(observed, tmp_path, meter=beside)) as performance:
        while performance.step():
            pass
    unattended = Unattended(scenario)
    unattended.play(without)
    assert without.tally == beside.tally
    assert unattended.world.view() == performance.world.view()
