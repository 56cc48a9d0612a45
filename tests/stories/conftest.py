"""The stages on which the stories play."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from telling import Cluster, Story

Begin = Callable[..., Story]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Begins a story, and ends it whatever happens: `begin(cluster, autonomy={...})`."""
    begun: list[Story] = []

    def start(told: Cluster, **more: Any) -> Story:
        begun.append(Story(tmp_path, told, **more))
        return begun[-1]

    yield start
    for story in begun:
        story.close()
