"""ports.Reasoner with a model behind it: ask, look for it, ask again, and after a few turns that is that.

Every exchange is on the record before anything follows from it, with what the model was told, and is recalled from
there: a model is not asked twice. A model that fails, dawdles or talks nonsense explains nothing: a person is called
with the evidence. While it thinks the watch goes on (`StillThinking`); in simulated time nothing happens meanwhile.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Final

from agent.adapters.llm.answer import MAX_ANSWER_BYTES, AnswerInvalid, Concluded, ToolCall, plain, read_answer
from agent.adapters.llm.aside import Aside
from agent.adapters.llm.client import Chat, Message, ModelFault
from agent.adapters.llm.prompt import LAST_WORD, answer_schema, opening, system_prompt
from agent.adapters.llm.reach import Reach
from agent.adapters.llm.tools import Sources, Tools
from agent.domain.base import digest_of
from agent.domain.cluster import ClusterView
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident
from agent.ports import Clock, JsonObject, Ledger, StillThinking
from agent.recording import once

MAX_TURNS: Final = 8  # what a person would look at before calling the next one
MAX_NONSENSE: Final = 2  # answers that do not count; a model that cannot mend one after being told will not mend more
MAX_REASONING_S: Final = 90.0  # for as long a person is not called; what a model finds, it finds in that time
MAX_ASKED: Final = 4  # incidents that wait for the model at once; in a storm of unknown things a person is called
AGAIN: Final = "You asked just that before. Conclude now, or look at something else."
Seconds = Callable[[], float]


@dataclass(frozen=True, slots=True)
class _Call:
    """An exchange that has begun: what the model was told, and its answer when there is one."""

    turn: int
    told: str
    prompt_digest: str
    answer: Future[str]


class ModelReasoner:
    """`seconds` is a clock that only moves forward: real time, since real servers take it.

    `in_turn`: an answer is waited for at once, so that a simulation comes to the same end each time.
    """

    def __init__(
        self,
        chat: Chat,
        model: str,
        sources: Sources,
        ledger: Ledger,
        clock: Clock,
        *,
        seconds: Seconds,
        in_turn: bool,
    ) -> None:
        self._chat, self._model, self._sources, self._ledger, self._clock = chat, model, sources, ledger, clock
        self._seconds, self._in_turn = seconds, in_turn
        self._aside = Aside()
        self._ends_at: dict[str, float] = {}  # by incident
        self._calls: dict[str, _Call] = {}  # by incident

    def thinking(self, incident: str) -> bool:
        call = self._calls.get(incident)
        return call is not None and not call.answer.done() and self._seconds() < self._ends_at[incident]

    def explain(self, incident: Incident, view: ClusterView) -> Diagnosis | None:
        """Raises StillThinking, and LedgerUnavailable: what cannot be recorded is not asked."""
        reach = Reach(incident.subject, view)
        tools = Tools(incident, view, self._clock.now(), self._sources)
        made = self._concluded(incident, reach, tools)
        self._forget([incident.id])
        return made

    def _concluded(self, incident: Incident, reach: Reach, tools: Tools) -> Diagnosis | None:
        messages = [_says("system", system_prompt())]
        asked: list[ToolCall] = []
        nonsense = 0
        tell = _reply(opening(incident))
        for turn in range(MAX_TURNS):
            exchange = self._exchange(incident, turn, messages, tell, reach)
            if exchange["answer"] is None:
                return None
            messages += [_says("user", exchange["told"]), _says("assistant", exchange["answer"])]
            try:
                said = read_answer(exchange["answer"], incident.id, self._source, reach)
            except AnswerInvalid as error:
                nonsense, tell = nonsense + 1, _reply(f"That does not count: {error}")
            else:
                if isinstance(said, Concluded):
                    return said.diagnosis
                if said in asked:
                    nonsense, tell = nonsense + 1, _reply(AGAIN)
                else:
                    asked.append(said)
                    tell = _found(tools, said)
            if nonsense == MAX_NONSENSE:
                return None
        return None

    @property
    def _source(self) -> str:
        return f"model:{self._model}"

    # --- one exchange -------------------------------------------------------------------------------------------------

    def _exchange(
        self, incident: Incident, turn: int, messages: Sequence[Message], tell: Callable[[], str], reach: Reach
    ) -> JsonObject:
        """What the model is told and answers, from the record where it stands there."""
        return once(
            self._ledger,
            "reasoning",
            f"reasoning:{incident.id}/{turn}",
            lambda: self._asked(incident, turn, messages, tell, reach),
            lambda made: {"incident": incident.id, "outcome": made["meaning"]},
        )

    def _asked(
        self, incident: Incident, turn: int, messages: Sequence[Message], tell: Callable[[], str], reach: Reach
    ) -> JsonObject:
        call = self._calls.get(incident.id)
        if call is None or call.turn != turn:
            call = self._calls[incident.id] = self._begun(incident.id, turn, messages, tell)
        exchange = {"model": self._model, "turn": turn, "prompt_digest": call.prompt_digest, "told": call.told}
        try:
            answer = self._answer(incident.id, call)
        except ModelFault as fault:
            understood: JsonObject = {"answer": None, "meaning": "fault", "notes": [str(fault)]}
        else:
            understood = self._understood(answer, incident, reach)
        return {**exchange, "incident": incident.id, **understood}

    def _begun(self, incident: str, turn: int, messages: Sequence[Message], tell: Callable[[], str]) -> _Call:
        told = tell()
        if turn == MAX_TURNS - 1:
            told = f"{told}\n{LAST_WORD}"
        prompt = [dict(message) for message in (*messages, _says("user", told))]
        left_s = self._left_s(incident)
        answer: Future[str] = Future()
        if left_s is None:
            answer.set_exception(ModelFault(f"{MAX_ASKED} other incidents wait for the model"))
        else:
            answer = self._aside.begin(lambda: self._chat.ask(prompt, answer_schema(), left_s))
        return _Call(turn, told, digest_of(prompt), answer)

    def _left_s(self, incident: str) -> float | None:
        """How long the model may still take over this incident; None when it has too much to do."""
        now = self._seconds()
        if incident not in self._ends_at:
            self._forget([other for other, ends_at in self._ends_at.items() if ends_at < now])
            if len(self._ends_at) >= MAX_ASKED:
                return None
            self._ends_at[incident] = now + MAX_REASONING_S
        return self._ends_at[incident] - now

    def _forget(self, incidents: Sequence[str]) -> None:
        """Nobody waits for these any more; some were explained otherwise."""
        for incident in incidents:
            self._ends_at.pop(incident, None)
            self._calls.pop(incident, None)

    def _answer(self, incident: str, call: _Call) -> str:
        """Raises ModelFault when there will be none, StillThinking when there is none yet."""
        left_s = self._ends_at.get(incident, 0.0) - self._seconds()
        if self._in_turn and left_s > 0:
            wait([call.answer], timeout=left_s)
        if call.answer.done() and (call.answer.exception() is None or not self._over(incident)):
            return call.answer.result()
        if not self._in_turn and left_s > 0:
            raise StillThinking(incident)
        call.answer.cancel()
        raise ModelFault(f"no conclusion within {MAX_REASONING_S:g} s")

    def _over(self, incident: str) -> bool:
        """The time that it was given: what the transport, whose clock ends as early, says then is no more than that."""
        return incident in self._ends_at and self._ends_at[incident] <= self._seconds()

    def _understood(self, answer: str, incident: Incident, reach: Reach) -> JsonObject:
        """The answer as far as it may be long, what it was taken for, and what of it was dropped."""
        kept = answer.encode()[: MAX_ANSWER_BYTES + 1].decode("utf-8", "ignore")
        try:
            said = read_answer(kept, incident.id, self._source, reach)
        except AnswerInvalid as error:
            return {"answer": kept, "meaning": "invalid", "notes": [plain(str(error), 500)]}
        if isinstance(said, ToolCall):
            return {"answer": kept, "meaning": "tool", "tool": said.tool, "notes": []}
        return {"answer": kept, "meaning": "conclusion", "notes": list(said.notes)}


def _says(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _reply(text: str) -> Callable[[], str]:
    return lambda: text


def _found(tools: Tools, call: ToolCall) -> Callable[[], str]:
    """Looked up when it is told: what was told already stands on the record."""
    return lambda: tools.call(call.tool, call.arguments)
