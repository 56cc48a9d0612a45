"""The day that `watchkeeper demo` draws from a number, whole; `tests/agent/scenarios` plays a shorter story. It needs
no server, only a minute.
"""

import json

import pytest
from typer.testing import CliRunner

from agent.cli.main import app


def test_a_seed_alone_is_a_day_of_its_own_beside_the_same_day_without_the_agent() -> None:
    result = CliRunner().invoke(app, ["demo", "--seed", "1", "--approve", "all", "--json"])
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (told["wrong_actions"], told["partial_gangs"]) == (0, [])
    hours = told["gpu_hours"]
    assert hours["lost"]["all"] == pytest.approx(sum(hours["lost"].values()) / 2, abs=0.4)
    assert told["gpu_hours_won_back"] > hours["lost_without_agent"]["all"] / 4 > 0
    assert told["waits_s"]["with_agent"]["gangs"] > 10
