"""Letters that nobody sees make neither a second person nor a reason."""

import pytest
from desk_world import PEOPLE, request, said

from agent.domain.approval import Person, Rules
from agent.domain.counting import counted
from agent.domain.identity import Directory
from agent.domain.proposal import Refusal

UNSEEN = ["\u200b", "\u2060", "\u00ad", "\u202e", "\ufeff"]


@pytest.mark.parametrize("unseen", UNSEEN)
def test_a_letter_that_shows_nothing_makes_no_second_person(unseen: str) -> None:
    with pytest.raises(ValueError, match="belongs to two people"):
        Directory(people=tuple(Person(name=name, groups=("gpu-oncall",)) for name in ("alice", f"ali{unseen}ce")))
    with pytest.raises(ValueError, match="the agent's own name"):
        Directory(people=(Person(name=f"watch{unseen}keeper", groups=("gpu-oncall",)),))


@pytest.mark.parametrize("blank", ["", " \n\t", *UNSEEN, " \u200b \u3164 ", "\u2800"])
@pytest.mark.parametrize("decision", ["reject", "break_glass"])
def test_a_reason_has_something_to_read_in_it(blank: str, decision: str) -> None:
    asked = request()
    result = counted(
        asked, said(asked, "alice", decision, reason=blank), PEOPLE["alice"], Rules(break_glass=("gpu-oncall",))
    )
    assert isinstance(result, Refusal) and result.code == "reason_missing"


@pytest.mark.parametrize("reason", ["ok", "次のノード", "👍", "?"])
def test_in_whatever_script(reason: str) -> None:
    asked = request()
    assert not isinstance(counted(asked, said(asked, "alice", "reject", reason=reason), PEOPLE["alice"]), Refusal)
