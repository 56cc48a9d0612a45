"""A thread's checkpoints survive the process, and a thread that has ended is forgotten."""

import warnings
from pathlib import Path
from typing import Any, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from agent.adapters.checkpoints import close, open_checkpointer


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
