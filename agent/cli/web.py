"""Puts the HTTP door for people together for `watchkeeper run`: the same page as in the terminal, behind ID tokens."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.assembly import Agent
    from agent.config import Settings
    from agent.web import PeopleDoor

SECRET_BYTES = 32


def people_door(settings: Settings, agent: Agent, wake: Callable[[], None]) -> PeopleDoor | None:
    """None where no issuer is configured: without somebody to say who is there, there is no door."""
    if not settings.issuers:
        return None
    from agent.adapters.oidc import Tokens
    from agent.answering import Answering
    from agent.cli.house import WallClock
    from agent.cli.output import clean
    from agent.cli.request_page import page
    from agent.web import PeopleDoor, Words
    from agent.web.forms import Seals
    from agent.web.pages import Pages
    from agent.web.visitors import Visitors

    clock, desk, directory = WallClock(), agent.ports.desk, settings.directory
    return PeopleDoor(
        Visitors(Tokens(settings.issuers), directory, clock, agent.refused),
        Answering(desk, directory, clock),
        desk,
        clock,
        Pages(Words(lambda request: page(request, clock.now(), directory), clean)),
        Seals(secrets.token_bytes(SECRET_BYTES)),
        wake,
    )
