"""docs/approvals.md: its settings are read as written, and its worked example happens as it says."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from telling import Story
from test_approvals import LLAMA, NODES

from agent.answering import Answering, Said
from agent.cli.request_page import lost, page
from agent.config import load_settings
from agent.domain.counting import SKEW_S
from agent.domain.identity import Claims
from agent.domain.stake import Stake, StakeKind
from agent.effects import RIVAL_S
from agent.evidence.canary import GATE_S
from agent.ports import AnswerRefused

Begin = Callable[..., Story]
PAGE = (Path(__file__).parents[2] / "docs" / "approvals.md").read_text(encoding="utf-8")
SETTINGS, ISSUERS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def _blocks(heading: str) -> list[list[str]]:
    """What is shown under that heading."""
    section = PAGE.split(f"{heading}\n")[1].split("\n## ")[0]
    return [block.split("\n") for block in re.findall(r"```text\n(.*?)\n *```", section, re.DOTALL)]


(LOST,) = _blocks("### What is lost")
SHOWN = _blocks("## A worked example")


def test_the_settings_are_read_as_written(tmp_path: Path) -> None:
    file = tmp_path / "watchkeeper.yaml"
    file.write_text(SETTINGS + ISSUERS, encoding="utf-8")
    settings = load_settings(file)
    assert [person.name for person in settings.directory.people] == ["alice", "bob", "carol", "dora"]
    assert settings.issuers[0].groups == {"sre-gpu": "gpu-oncall"}


def test_the_worked_example(begin: Begin) -> None:
    from telling import cluster

    from agent.domain.approval import Person

    written = yaml.safe_load(SETTINGS)
    people = tuple(Person.model_validate(person) for person in written["identities"])
    told = cluster().nodes(*NODES).queue("research", gpus=96).gang("llama", pods=8, queue="research", on=NODES[:8])
    rules = {"break_glass": written["break_glass"]}
    story = begin(told, people=people, house_rules=rules, **written["policy_data"]).kernel_says("gpu-7")

    story.says("edit", by="alice", reason="checkpoint at ten", delay_s=600)
    assert _shows(story, SHOWN[0])
    assert _refused(story, "alice") == "requester"
    story.says("approve", by="dora")
    assert _shows(story, SHOWN[1])
    story.passes(minutes=60)
    assert _shows(story, SHOWN[2])
    assert _refused(story, "bob") == "not_in_group"
    request = story.asked()[0]
    story.says("approve", by="carol")
    answering = Answering(story.agent.ports.desk, story._settings.directory, story.world.clock)
    with pytest.raises(AnswerRefused) as late:
        answering.answer(Said(request.id, request.digest, "approve"), Claims(door="terminal", account="dora"))
    assert late.value.code == "not_pending"
    story.passes(minutes=15)
    assert story.changes().count(f"patch {LLAMA}") == 2


def test_what_is_lost_is_shown_as_the_page_says() -> None:
    at = datetime(2026, 11, 2, 8, tzinfo=UTC)
    told = {"whose": LLAMA, "tenant": "research", "kind": StakeKind.WORK, "pods": 8, "gpus": 8}
    stake = Stake(**told, since=at, gpu_hours=8.0)  # type: ignore[arg-type]
    assert [line.text.strip() for line in lost([stake])] == LOST


def test_every_code_on_the_page_is_one_of_the_product() -> None:
    table = PAGE.split("## What does not count")[1].split("## Obligations")[0]
    named = {code for code in re.findall(r"`([a-z_.]+)`", table) if code not in ("approval", "issuer", "expired")}
    root = Path(__file__).parents[2] / "agent"
    files = ["domain/counting.py", "domain/identity.py", "answering.py", "adapters/store/desk.py", "web/forms.py"]
    code = "".join((root / file).read_text(encoding="utf-8") for file in (*files, "actions/base.py"))
    missing = {name for name in named if f'"{name}"' not in code}
    assert missing == {"aud", "azp", "iat", "typ", "malformed"}, "those are the ends of token.*"


def test_every_test_that_the_page_names_is_one() -> None:
    named = set(re.findall(r"`(test_[a-z_0-9]+)`", PAGE))
    tests = Path(__file__).parents[1]
    written = {
        name for file in tests.rglob("test_*.py") for name in re.findall(r"def (test_\w+)\(", file.read_text("utf-8"))
    }
    assert named - written == set() and len(named) > 30


def test_the_numbers_on_the_page() -> None:
    flat = " ".join(PAGE.split())
    assert f"more than {SKEW_S} s before the request was made" in flat
    assert f"after {RIVAL_S} s by another" in flat and f"within {GATE_S} s" in flat


def _shows(story: Story, lines: list[str]) -> bool:
    shown = {line.text.strip() for line in page(story.asked()[0], story.now, story._settings.directory)}
    assert {line.strip() for line in lines} <= shown, shown
    return True


def _refused(story: Story, by: str) -> str:
    with pytest.raises(AnswerRefused) as refused:
        story.says("approve", by=by)
    return refused.value.code
