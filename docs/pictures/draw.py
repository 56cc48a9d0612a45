"""Draws the demo's own screen in the middle of its day: demo.svg for the README, and two more sizes to look at.

`make pictures` runs it. The day is the demo's default one, with every request approved.
"""

import io
import tempfile
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from agent.cli.demo import SEED_DEFAULT
from agent.cli.live_facts import Lookout
from agent.cli.live_feed import Feed
from agent.cli.live_view import Moment, screen
from agent.scenarios.days import approve_all, day
from agent.scenarios.performance import Performance

SIZES = {"demo": (112, 30), "demo-small": (80, 24), "demo-large": (200, 60)}
MOMENT = timedelta(hours=4, minutes=14)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        performance = Performance(day(SEED_DEFAULT), Path(folder))
        while performance.now < performance.scenario.spec.start + MOMENT and performance.step():
            approve_all(performance)
        feed = Feed()
        feed.read(performance.agent.log)
        moment = Moment(performance.now, performance.scenario.spec.start, performance.end, performance.seed, "")
        facts = Lookout(performance.world).look()
        performance.close()
    for name, (width, height) in SIZES.items():
        console = Console(record=True, width=width, height=height, file=io.StringIO(), force_terminal=True)
        console.print(screen(moment, facts, feed, width, height), height=height)
        console.save_svg(str(Path(__file__).with_name(f"{name}.svg")), title="watchkeeper demo")


if __name__ == "__main__":
    main()
