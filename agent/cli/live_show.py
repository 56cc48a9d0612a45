"""The demo on a terminal: plays the day at its speed, draws it, and stops it when a person is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from rich.live import Live
from rich.prompt import Prompt
from rich.text import Text

from agent.cli.live_facts import Lookout
from agent.cli.live_feed import Feed
from agent.cli.live_view import Moment, screen
from agent.cli.output import clean, console
from agent.cli.request_page import page
from agent.domain.approval import ApprovalRequest
from agent.ports import AnswerRefused, Fault
from agent.scenarios.days import approve_all
from agent.scenarios.performance import Performance

FRAME_S = 0.1
"""Ten frames a second look smooth; each costs a few milliseconds."""

END_S = 1.5
"""How long the last picture stays."""


class Show:
    def __init__(self, performance: Performance, speed: float, *, ask: bool, approve_all: bool) -> None:
        self._performance = performance
        self._speed = speed
        self._ask = ask
        self._approve_all = approve_all
        self._feed = Feed()
        self._lookout = Lookout(performance.world)
        self._console = console()
        self._left: set[str] = set()  # requests that the person left unanswered
        self._shown = performance.now
        self._due_s = 0.0  # time that has been shown but not slept yet

    def run(self, sleep: Callable[[float], None] = time.sleep) -> None:
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            self._draw(live)
            while self._performance.step():
                self._pass_time(live, sleep)
                self._answer(live)
            self._draw(live)
            sleep(END_S)

    def _pass_time(self, live: Live, sleep: Callable[[float], None]) -> None:
        """Lets the shown clock reach the world's: frame by frame, or in one when the day is fast."""
        while self._shown < self._performance.now:
            left_s = (self._performance.now - self._shown).total_seconds() / self._speed
            step_s = min(left_s, FRAME_S)
            self._shown = min(self._shown + timedelta(seconds=step_s * self._speed), self._performance.now)
            self._due_s += step_s
            if self._due_s >= FRAME_S:
                self._draw(live)
                sleep(self._due_s)
                self._due_s = 0.0

    def _draw(self, live: Live, note: str = "") -> None:
        performance = self._performance
        self._feed.read(performance.agent.log)
        moment = Moment(self._shown, performance.scenario.spec.start, performance.end, performance.seed, note)
        size = self._console.size
        live.update(screen(moment, self._lookout.look(), self._feed, size.width, size.height), refresh=True)

    # --- the person ---------------------------------------------------------------------------------------------------

    def _answer(self, live: Live) -> None:
        if self._approve_all:
            approve_all(self._performance)
            return
        while self._ask and (request := self._waiting()) is not None:
            self._draw(live, "a person is asked")
            live.stop()
            self._prompt(request)
            live.start()

    def _waiting(self) -> ApprovalRequest | None:
        try:
            pending = self._performance.agent.ports.desk.pending()
        except Fault:
            return None
        return next((request for request in pending if request.id not in self._left), None)

    def _prompt(self, request: ApprovalRequest) -> None:
        self._console.clear()
        for line in page(request, self._performance.now):
            self._console.print(Text(clean(line.text), style=line.style))
        said = Prompt.ask(
            "\n[a]pprove, [r]eject, leave it [u]nanswered, or approve [e]verything from here on",
            choices=["a", "r", "u", "e"],
            default="a",
            console=self._console,
            show_choices=False,
        )
        self._approve_all = said == "e"
        if said == "u":
            self._left.add(request.id)
            return
        reason = Prompt.ask("Why?", default="seen in the demo", console=self._console)
        self._say(request, "reject" if said == "r" else "approve", reason)

    def _say(self, request: ApprovalRequest, decision: str, reason: str) -> None:
        try:
            name = self._performance.answer(request, decision, reason)
        except AnswerRefused as refused:
            name = ""
            self._console.print(Text(clean(f"Not counted: {refused}")))
        if not name:
            self._left.add(request.id)
