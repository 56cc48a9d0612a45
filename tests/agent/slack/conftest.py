"""A site of the agent beside a local server that speaks Slack's Web API and signs like Slack."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from slack_server import slack_server
from slack_site import Site

from tests.agent.store.desk_world import Opened


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    opened = Opened(tmp_path / "watchkeeper.db")
    with slack_server() as slack:
        made = Site(opened, slack)
        yield made
        made.close()
    opened.close()
