"""One list of placement policies: what the core takes, what the benchmark offers, what the documentation explains."""

import re
from pathlib import Path

import pytest

from scheduler_core.errors import Unknown
from scheduler_core.gpus import GPU_POLICIES
from scheduler_core.policies import POLICIES
from scheduler_core.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "scheduling.md").read_text(encoding="utf-8")
GANGS = [name for name, _ in POLICIES]


def rows(heading: str) -> list[str]:
    """The names in the first column of the first table below a heading."""
    table = PAGE.split(f"{heading}\n", 1)[1].split("|---", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def test_the_documentation_explains_every_policy_and_no_other() -> None:
    assert rows("## Placement on single GPUs") == list(GPU_POLICIES)
    assert rows("## Placement of gangs") == GANGS


def test_every_policy_was_measured_and_the_table_says_how_it_came_out() -> None:
    measured = re.findall(r"^\| (\w+) \|", PAGE.split("### What was measured", 1)[1], re.MULTILINE)
    assert set(GPU_POLICIES) <= set(measured)


def test_a_policy_for_gangs_is_one_for_single_gpus_by_the_same_name() -> None:
    assert set(GANGS) <= set(GPU_POLICIES)


@pytest.mark.parametrize("name", GANGS)
def test_the_settings_take_every_policy_for_gangs(name: str) -> None:
    assert Settings(policy=name).policy == name


@pytest.mark.parametrize("name", [*sorted(set(GPU_POLICIES) - set(GANGS)), "best"])
def test_the_settings_refuse_any_other_and_say_which_there_are(name: str) -> None:
    with pytest.raises(Unknown, match=f"Policy '{name}'.*bestfit, binpack, spread"):
        Settings(policy=name)
