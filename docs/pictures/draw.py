"""Draws docs/pictures/demo.svg: the demo's own screen, nine minutes into its story. `make pictures` runs it."""

import io
import tempfile
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from agent.cli.demo import approve_all
from agent.cli.live_facts import Lookout
from agent.cli.live_feed import Feed
from agent.cli.live_view import Moment, screen
from agent.resources import bundled
from agent.scenarios.format import load_scenario
from agent.scenarios.performance import Performance

WIDTH, HEIGHT = 112, 28
MOMENT = timedelta(minutes=9)


def main() -> None:
    scenario = load_scenario(bundled("scenarios") / "demo.yaml")
    with tempfile.TemporaryDirectory() as folder:
        performance = Performance(scenario, Path(folder))
        while performance.now < scenario.spec.start + MOMENT and performance.step():
            approve_all(performance)
        feed = Feed()
        feed.read(performance.agent.log)
        moment = Moment(performance.now, scenario.spec.start, performance.end, performance.seed, "")
        console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), force_terminal=True)
        console.print(screen(moment, Lookout(performance.world).look(), feed, WIDTH, HEIGHT), height=HEIGHT)
        performance.close()
    console.save_svg(str(Path(__file__).with_name("demo.svg")), title="watchkeeper demo")


if __name__ == "__main__":
    main()
