"""The stages on which the stories play."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from handing import AtThe, Handed
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


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[Callable[..., Handed]]:
    """Begins a story that is handed over: `hand(cluster, death, autonomy={...})`."""
    begun: list[Handed] = []

    def start(told: Cluster, death: AtThe | None = None, **more: Any) -> Handed:
        folder = tmp_path / f"handed-{len(begun)}"
        folder.mkdir()
        begun.append(Handed(folder, told, death or AtThe(), **more))
        return begun[-1]

    yield start
    for story in begun:
        story.close()
