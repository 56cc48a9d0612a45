"""A thousand rounds of two doors and of two workers at once: on the file that ships, and on a real PostgreSQL log with
the desk of each agent in a file of its own."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from postgresql import OWNER, WRITER, Postgresql
from sqlalchemy.engine import make_url

from agent.adapters.ledger import AuditLedger
from agent.adapters.store import Store
from agent.answering import Answering, Said
from agent.domain.approval import ApprovalRequest, Person
from agent.domain.identity import Claims, Directory
from agent.domain.proposal import Refusal
from agent.effects import StepState
from agent.ports import AnswerRefused
from audit.log import Log
from audit.storage.migrate import migrate

sys.path[:0] = [str(Path(__file__).parents[1] / "agent" / room) for room in ("store", "stages")]

from desk_world import HandClock, on_record, request  # noqa: E402
from racing import Rivals, race  # noqa: E402
from step_field import STEPS  # noqa: E402

ROUNDS = 1000
HOUSE = Directory(
    people=(
        Person(name="alice", groups=("gpu-oncall",), links={"slack": ("T/A",), "terminal": ("alice",)}),
        Person(name="bob", groups=("gpu-oncall",), links={"slack": ("T/B",)}),
    )
)
ALICE, BOB = Claims(door="slack", account="T/A"), Claims(door="slack", account="T/B")
ALICE_HERE = Claims(door="terminal", account="alice")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | Path]:
    if request.param == "sqlite":
        yield tmp_path / "log.db"
        return
    server = Postgresql()
    server.sql(f"CREATE SCHEMA IF NOT EXISTS public AUTHORIZATION {OWNER}", database="audit")
    server.sql(f"ALTER SCHEMA public OWNER TO {OWNER}", database="audit")
    server.sql(f"GRANT USAGE ON SCHEMA public TO {WRITER}", OWNER, "audit")
    migrate(make_url(server.url(OWNER)), writers=(WRITER,), readers=(), redactors=())
    yield server.url(WRITER)
    server.stop()


class Process:
    """One agent or door: its own connection to the log, and the desk's projection in a file."""

    def __init__(self, place: str | Path, file: Path) -> None:
        self.clock = HandClock()
        self.log = Log.open(place, durability="memory")
        self.ledger = AuditLedger(self.log, self.clock, "watchkeeper")
        self.store = Store.open(file, clock=self.clock, ledger=self.ledger, durability="memory")

    def says(self, asked: ApprovalRequest, claims: Claims, decision: str) -> str:
        said = Said(asked.id, asked.digest, decision, "seen")  # type: ignore[arg-type]
        try:
            return Answering(self.store.desk, HOUSE, self.clock).answer(said, claims).state.value
        except AnswerRefused as refused:
            return refused.code

    def close(self) -> None:
        self.store.close()
        self.log.close()


@pytest.mark.parametrize(
    ("second", "decision", "wanted", "ends"),
    [
        (ALICE_HERE, "approve", 2, [["answered_already", "pending"]]),
        (BOB, "reject", 1, [["approved", "rejected"], ["not_pending", "rejected"]]),
    ],
    ids=["one person at two doors", "a yes and a no"],
)
def test_two_doors_at_once(
    place: str | Path, tmp_path: Path, second: Claims, decision: str, wanted: int, ends: list[list[str]]
) -> None:
    one, other = Process(place, tmp_path / "desk.db"), Process(place, tmp_path / "desk.db")
    for number in range(ROUNDS):
        made = request(f"inc-{number}/1", groups={"gpu-oncall": wanted})
        on_record(one, made)  # type: ignore[arg-type]
        asked = one.store.desk.open(made)
        outcomes = race(partial(one.says, asked, ALICE, "approve"), partial(other.says, asked, second, decision))
        assert sorted(map(str, outcomes)) in ends, number
        mine, theirs = one.store.desk.get(asked.id), other.store.desk.get(asked.id)
        assert mine is not None and mine == theirs
        assert len(mine.answers) == (2 if sorted(map(str, outcomes)) == ["approved", "rejected"] else 1)
    one.close()
    other.close()


@pytest.mark.parametrize(
    ("who", "decision", "state"), [(ALICE_HERE, "withdraw", "pending"), (BOB, "reject", "rejected")]
)
def test_a_withdrawal_or_a_rejection_and_a_beginning_at_once(
    place: str | Path, tmp_path: Path, who: Claims, decision: str, state: str
) -> None:
    """Of the two one is first: withdrawn or rejected it does not begin, begun it is neither any more."""
    one, other = Process(place, tmp_path / "desk.db"), Process(place, tmp_path / "desk.db")
    for number in range(ROUNDS):
        made = request(f"inc-{number}/1")
        on_record(one, made)  # type: ignore[arg-type]
        asked = one.store.desk.open(made)
        assert one.says(asked, ALICE, "approve") == "approved"
        begins = partial(one.store.desk.consume, asked.id)
        outcomes = race(lambda begins=begins: str(begins()), partial(other.says, asked, who, decision))  # type: ignore[misc]
        assert sorted(outcomes) in (["False", state], ["True", "begun"]), number
        mine, theirs = one.store.desk.proven(asked.id), other.store.desk.proven(asked.id)
        assert mine == theirs and not isinstance(mine, Refusal)
    one.close()
    other.close()


def test_two_workers_one_run(place: str | Path) -> None:
    rivals = Rivals(place)
    for number in range(2, ROUNDS + 2):
        outcomes = race(*rivals.begin(number, STEPS["patch"]))
        assert StepState.DONE in outcomes and StepState.FAILED not in outcomes
        assert rivals.effects() == 1 and rivals.intents(number) == 1, number
    rivals.close()
