"""Changing what is asked, breaking the glass, and whose account is whose, at the command line."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.answering import Answering, Said
from agent.cli import approvals
from agent.domain.approval import Person
from agent.domain.identity import Claims, Directory
from agent.ports import AnswerRefused

MORE = """
  - {name: carol, groups: [incident-commanders], links: {slack: [T1/U3], terminal: [carol]}}
break_glass: [incident-commanders]
"""


@pytest.fixture
def house(site: Any) -> Any:
    site.config.write_text(site.config.read_text() + MORE.lstrip("\n"))
    return site


def call(*arguments: str) -> Any:
    return CliRunner().invoke(approvals.app, list(arguments), env={"COLUMNS": "80"})


def test_a_page_fits_eighty_columns_and_names_who_is_still_needed(house: Any) -> None:
    page = call("show", "apr-1").stdout
    assert max(map(len, page.splitlines())) <= 80
    assert "still wanted: 2 of gpu-oncall (alice, bob)" in page
    assert "silence is a no; a yes is good for 30 min" in page
    assert "watchkeeper audit timeline inc-1" in page
    assert call("approve", "apr-1", "--as", "alice").exit_code == 0
    assert "still wanted: 1 of gpu-oncall (bob)" in call("show", "apr-1").stdout
    assert json.loads(call("show", "apr-1", "--json").stdout)["still_wanted"] == ["gpu-oncall"]


def test_an_edit_is_held_to_the_parameters_of_the_action(house: Any) -> None:
    """A cordon has none."""
    refused = call("edit", "apr-1", "--as", "alice", "--set", "delay_s=600", "--reason", "later")
    assert refused.exit_code == 4 and "cordon_node has no parameter delay_s." in refused.stderr
    assert "[parameters.invalid]" in refused.stderr
    assert call("edit", "apr-1", "--as", "alice", "--set", "delay_s", "--reason", "later").exit_code == 2
    assert call("edit", "apr-1", "--as", "alice", "--set", "delay_s=600").exit_code == 2


def test_the_glass_is_broken_with_a_reason_by_whoever_may(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "[break_glass_not_theirs]" in call("approve", "apr-1", "--as", "alice", "--break-glass").stderr
    assert "carol" in call("approve", "apr-1", "--as", "carol", "--break-glass").stderr  # not her login
    monkeypatch.setattr("agent.cli.house.login_name", lambda: "carol")
    assert "[reason_missing]" in call("approve", "apr-1", "--break-glass").stderr
    broken = call("approve", "apr-1", "--break-glass", "--reason", "the run is lost at noon")
    assert broken.exit_code == 0 and "approved" in broken.stdout
    (record,) = house.log.query(kind="break_glass", approver="carol")
    assert record.payload["skipped"] == ["alice", "bob", "group:gpu-oncall"]
    page = " ".join(call("show", "apr-12345678").stdout.split())
    assert "carol approved by BREAK-GLASS, without the others, at" in page


def test_a_yes_is_taken_back_by_who_gave_it(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.cli.house.login_of", lambda uid: "alice")
    assert call("approve", "apr-1").exit_code == 0
    assert call("withdraw", "apr-1").exit_code == 2, "it wants a reason"
    monkeypatch.setattr("agent.cli.house.login_of", lambda uid: "bob")
    assert "[nothing_to_withdraw]" in call("withdraw", "apr-1", "--reason", "not mine").stderr
    approved = call("approve", "apr-1", "--json")
    assert json.loads(approved.stdout)["state"] == "approved"
    back = call("withdraw", "apr-1", "--reason", "they have a deadline")
    assert back.exit_code == 0 and "the yes is taken back" in back.stdout
    assert "bob took the yes back at" in " ".join(call("show", "apr-12345678").stdout.split())
    *_, record = house.log.query(kind="approval", approver="bob")
    assert record.payload["reason"] == "they have a deadline"


def test_links_are_shown_and_made_in_the_settings_alone(house: Any) -> None:
    shown = call("link").stdout
    assert "alice" in shown and "slack:T1/U3, terminal:carol" in " ".join(shown.split())
    made = call("link", "carol", "slack", "T1/U9")
    assert made.exit_code == 0 and "- T1/U9" in made.stdout
    assert "linked to carol already" in call("link", "alice", "slack", "T1/U3").stderr
    assert call("link", "carol", "telephone", "1").exit_code == 2
    assert call("link", "carol").exit_code == 2
    assert "nobody named mallory" in call("link", "mallory", "slack", "T1/U9").stderr
    assert call("link").stdout == shown, "nothing was linked"


def test_who_pressed_without_being_linked_is_named(house: Any) -> None:
    desk = Answering(house.store.desk, Directory(people=(Person(name="alice", groups=()),)), house.ledger._clock)
    with pytest.raises(AnswerRefused):
        desk.answer(Said("apr-12345678", house.request.digest, "approve"), Claims(door="slack", account="T1/\x1b[2JU9"))
    shown = call("link").stdout
    assert "Linked to nobody" in shown and "T1/\\x1b[2JU9" in shown and "\x1b" not in shown
    assert json.loads(call("link", "--json").stdout)["unlinked"][0]["door"] == "slack"
