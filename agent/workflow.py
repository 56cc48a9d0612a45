"""The life of one incident, as a LangGraph graph. This page is the index of the product.

    sense (watch.py)  signals become incidents
    diagnose          playbooks first, then the reasoner
    propose           one action, computed on a fresh look, with its digest
    judge             the policies: allow, escalate or deny
    approve           a person answers, or it expires to a no
    notice            the owner is told and has a time of grace
    judge_again       a fresh look: still called for, still the same, still allowed?
    execute           intent record, step, outcome record; undo when a later step fails
    verify            did the cluster get better? then the next proposal, until none is left
    close             how it ended
    resume            in place of all that was, where the thread is lost: by the log

Each stage is a function `(Thread, Ports) -> Move`. A wait is an interrupt with a durable wake-up; no stage sleeps. A
stage may run again from its start, so effects stand behind the intent record and decisions behind their own.

Stages follow each other within one step of the graph, and a checkpoint is written where one ends: before whatever does
or ends something (`BEGIN_DURABLY`), and at each wait. A process that dies in between runs the stages since then again;
what they recorded stands (docs/decisions/0010-checkpoints-before-deeds.md).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from agent.domain.base import parse_rfc3339, rfc3339
from agent.domain.thread import Move, Thread, Wait
from agent.ports import Fault, Ports
from agent.stages.approve import approve
from agent.stages.cancel import cancel
from agent.stages.close import close
from agent.stages.diagnose import diagnose
from agent.stages.execute import execute, undo
from agent.stages.judge import judge, judge_again
from agent.stages.notice import notice
from agent.stages.propose import propose
from agent.stages.resume import resume
from agent.stages.verify import verify

# Stage, and where it may lead to. A stage that waits comes back to itself.
STAGES: tuple[tuple[Callable[[Thread, Ports], Move], tuple[str, ...]], ...] = (
    (diagnose, ("propose",)),
    (propose, ("judge", "cancel", "propose", "close")),
    (judge, ("approve", "notice", "propose")),
    (approve, ("notice", "judge_again", "cancel", "propose")),
    (notice, ("judge_again", "cancel")),
    (judge_again, ("execute", "approve", "cancel")),
    (execute, ("execute", "judge_again", "notice", "cancel", "verify", "undo", "propose")),
    (undo, ("undo", "propose")),
    (verify, ("propose", "undo")),
    (cancel, ("propose",)),
    (resume, ("diagnose", "propose", "approve", "execute", "verify")),
)
RESTART = "restart"
"""The cause to take up an incident that was open when the agent began."""

BEGIN_DURABLY = frozenset(stage.__name__ for stage in (execute, undo, cancel, close))
"""They act on the thread as it is: what it carries is on the disk before they begin."""

STEPS_AT_MOST = 1_000  # supersteps of one resume, and stages of one; a thread that needs more is in a loop


Around = Callable[[str, str], AbstractContextManager[None]]
"""Entered around each run of a stage, with its name and the incident: who measures or traces changes nothing."""


class State(TypedDict, total=False):
    begin: str  # the stage to begin with
    thread: dict[str, Any]
    wait: dict[str, str]  # the stage that waits, until when and why


def unseen(stage: str, incident: str) -> AbstractContextManager[None]:
    return nullcontext()


class Workflow:
    """Starts and resumes threads. One incident is one thread; its id is the thread's."""

    def __init__(self, ports: Ports, checkpointer: BaseCheckpointSaver[Any], around: Around = unseen) -> None:
        self._checkpointer = checkpointer
        self._graph = _graph(ports, around).compile(checkpointer=checkpointer)

    def advance(self, incident: str, cause: str) -> str | None:
        """Runs the thread until it waits or ends. Returns the approval request that it waits for, if it is one.

        Faults of the ports come through; the thread then stands where it stood.
        """
        config: Any = {"configurable": {"thread_id": incident}, "recursion_limit": STEPS_AT_MOST}
        start: Any
        if self._checkpointer.get_tuple(config) is None:
            begin = resume if cause == RESTART else diagnose
            start = State(thread=Thread(incident=incident).json_object(), begin=begin.__name__)
        else:
            start = Command(resume=cause) if self._graph.get_state(config).interrupts else None
        state = self._graph.invoke(start, config, durability="sync")
        if "__interrupt__" not in state:
            self._checkpointer.delete_thread(incident)  # the log has the whole story
            return None
        asking = state["wait"]["stage"] == approve.__name__
        return Thread.model_validate(state["thread"]).request if asking else None


def _graph(ports: Ports, around: Around) -> StateGraph[State, None, State, State]:
    graph: StateGraph[State, None, State, State] = StateGraph(State)
    stages = _Stages(ports, around)
    for stage, destinations in STAGES:
        graph.add_node(stage.__name__, stages.from_(stage.__name__), destinations=("wait", *destinations))
    graph.add_node("wait", _wait(ports), destinations=tuple(stage.__name__ for stage, _ in STAGES))
    graph.add_node("close", _close(ports, around))
    graph.add_conditional_edges(START, lambda state: state["begin"], [diagnose.__name__, resume.__name__])
    graph.add_edge("close", END)
    return graph


class _Stages:
    """Runs one stage after the other up to the next checkpoint."""

    def __init__(self, ports: Ports, around: Around) -> None:
        self._ports, self._around = ports, around
        self._stages = {stage.__name__: stage for stage, _ in STAGES}
        self._held: dict[str, Fault] = {}  # by incident: raised once where the thread stands is on the disk

    def from_(self, first: str) -> Any:
        def run(state: State) -> Command[Any]:
            thread = Thread.model_validate(state["thread"])
            held = self._held.pop(thread.incident, None)
            if held is not None:
                raise held
            return self._on(first, thread)

        return run

    def _on(self, first: str, thread: Thread) -> Command[Any]:
        name = first
        for done in range(STEPS_AT_MOST):
            try:
                with self._around(name, thread.incident):
                    move = self._stages[name](thread, self._ports)
            except Fault as fault:
                if not done:
                    raise
                self._held[thread.incident] = fault  # what was done up to here is not done again
                return _at(name, thread)
            if isinstance(move, Wait):
                wait = {"stage": name, "until": rfc3339(move.until), "why": move.why}
                return Command(goto="wait", update={"thread": move.thread.json_object(), "wait": wait})
            name, thread = move.to, move.thread
            if name in BEGIN_DURABLY:
                return _at(name, thread)
        raise RuntimeError(f"{STEPS_AT_MOST} stages of {thread.incident} came to nothing: it goes in circles")


def _at(stage: str, thread: Thread) -> Command[Any]:
    return Command(goto=stage, update={"thread": thread.json_object()})


def _wait(ports: Ports) -> Any:
    """The one place where a thread stops. What it waits with is in the checkpoint before it does."""

    def run(state: State) -> Command[Any]:
        ports.timers.set(state["thread"]["incident"], parse_rfc3339(state["wait"]["until"]))
        interrupt(state["wait"])
        return Command(goto=state["wait"]["stage"])

    return run


def _close(ports: Ports, around: Around) -> Any:
    def run(state: State) -> dict[str, Any]:
        thread = Thread.model_validate(state["thread"])
        with around(close.__name__, thread.incident):
            return {"thread": thread.but(ending=close(thread, ports)).json_object()}

    return run
