"""A thread's checkpoints survive the process, and a thread that has ended is forgotten."""

import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from agent.adapters import checkpoints
from agent.adapters.checkpoints import Checkpoints, close, open_checkpointer
from agent.ports import StoreUnavailable


class State(TypedDict, total=False):
    incident: dict[str, Any]
    answer: str


def graph(saver: BaseCheckpointSaver[str]) -> Any:
    built = StateGraph(State)
    built.add_node("ask", lambda state: {"answer": interrupt({"asked": state["incident"]})})
    built.add_edge(START, "ask")
    built.add_edge("ask", END)
    return built.compile(checkpointer=saver)


def test_an_interrupted_thread_goes_on_in_another_process(tmp_path: Path) -> None:
    thread = {"configurable": {"thread_id": "inc-1"}}
    saver = open_checkpointer(tmp_path / "checkpoints.db")
    incident = {"id": "inc-1", "count": 3, "share": 0.5, "signals": [{"xid": 79}], "closed": None}
    graph(saver).invoke({"incident": incident}, thread, durability="sync")
    close(saver)

    saver = open_checkpointer(tmp_path / "checkpoints.db", durability="memory")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state = graph(saver).invoke(Command(resume="approved"), thread, durability="sync")
    assert state == {"incident": incident, "answer": "approved"}
    saver.delete_thread("inc-1")
    assert list(saver.list(thread)) == []
    close(saver)


@contextmanager
def locked(_saver: Checkpoints, path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full(saver: Checkpoints, _path: Path) -> Iterator[None]:
    (pages,) = saver.conn.execute("PRAGMA page_count").fetchone()
    saver.conn.execute(f"PRAGMA max_page_count={pages}")
    yield
    saver.conn.execute(f"PRAGMA max_page_count={2**30}")


@pytest.mark.parametrize("hindered", [locked, full])
def test_a_file_that_cannot_be_written_is_a_fault_that_passes_and_the_thread_goes_on_where_it_stood(
    hindered: Callable[[Checkpoints, Path], AbstractContextManager[None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoints, "LOCK_TIMEOUT_S", 0.05)
    path, thread = tmp_path / "checkpoints.db", {"configurable": {"thread_id": "inc-1"}}
    saver = open_checkpointer(path)
    incident = {"id": "inc-1", "quoted": "x" * 100_000}
    graph(saver).invoke({"incident": incident}, thread, durability="sync")
    with hindered(saver, path), pytest.raises(StoreUnavailable) as fault:
        graph(saver).invoke(Command(resume="approved" * 100_000), thread, durability="sync")
    assert fault.value.passes
    assert graph(saver).invoke(Command(resume="approved"), thread, durability="sync")["answer"] == "approved"
    close(saver)


def test_a_damaged_file_does_not_mend_itself(tmp_path: Path) -> None:
    path, thread = tmp_path / "checkpoints.db", {"configurable": {"thread_id": "inc-1"}}
    saver = open_checkpointer(path)
    saver.conn.execute("DROP TABLE checkpoints")
    with pytest.raises(StoreUnavailable) as fault:
        graph(saver).invoke({"incident": {"id": "inc-1"}}, thread, durability="sync")
    assert not fault.value.passes
    close(saver)
