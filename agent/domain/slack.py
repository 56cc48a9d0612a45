"""Where Slack is and how it reaches us: over HTTP with signed requests, or from inside by Socket Mode.

Secrets come from files. Whoever holds the signing secret can press every button as anybody.
"""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from agent.domain.base import Noun


class SlackSettings(Noun):
    channel: str = Field(pattern=r"^[CG][A-Z0-9]{2,30}$")  # the id, not the name: names change
    bot_token_file: Path  # xoxb-…, with chat:write
    signing_secret_file: Path | None = None  # over HTTP: POST /slack/events
    app_token_file: Path | None = None  # xapp-…, with connections:write: Socket Mode, for clusters nobody can reach
    api_url: str = Field(default="https://slack.com/api/", pattern=r"^https?://[^\s?#]+/$")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.signing_secret_file is None) == (self.app_token_file is None):
            raise ValueError("give signing_secret_file (HTTP) or app_token_file (Socket Mode), one of the two")
        return self
