"""The kill switch as a file, or an annotation: whatever is there freezes, and what cannot be read does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from thread_house import House

from agent.adapters.switch import FreezeSwitch


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def by(house: House, file: Path) -> str | None:
    return FreezeSwitch(file, house.world.cluster, "watchkeeper", "watchkeeper").frozen()


def test_nothing_there_freezes_nothing(house: House, tmp_path: Path) -> None:
    assert by(house, tmp_path / "freeze") is None


@pytest.mark.parametrize("kind", ["empty", "folder", "link to nothing", "link to itself", "below a file"])
def test_whatever_is_there_freezes(house: House, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "freeze"
    match kind:
        case "empty":
            file.touch()
        case "folder":
            file.mkdir()
        case "link to nothing":
            file.symlink_to(tmp_path / "nothing")
        case "link to itself":
            file.symlink_to(file)
        case _:
            file.touch()
            file = file / "freeze"
    assert by(house, file) == "file"
