"""Twelve generated days, of which `tests/agent/scenarios` plays one. It needs no server, only minutes."""

from pathlib import Path

import pytest

from tests.agent.scenarios.days import faults, played


@pytest.mark.parametrize("seed", range(1, 13))
def test_a_day_ends_without_a_wrong_action(seed: int, tmp_path: Path) -> None:
    assert faults(played(seed, tmp_path)) == []
