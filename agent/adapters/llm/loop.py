"""ports.Reasoner with a model behind it: ask, look for it, ask again, and after a few turns that is that.

Every exchange is on the record before anything follows from it, and is recalled from there after a crash: a model is
not asked twice. A model that fails, dawdles or talks nonsense explains nothing: a person is called with the evidence.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.adapters.llm.answer import MAX_ANSWER_BYTES, AnswerInvalid, Concluded, ToolCall, plain, read_answer
from agent.adapters.llm.client import Chat, Message, ModelFault
from agent.adapters.llm.prompt import LAST_WORD, answer_schema, opening, system_prompt
from agent.adapters.llm.reach import Reach
from agent.adapters.llm.tools import Events, Tools
from agent.domain.base import digest_of
from agent.domain.cluster import ClusterView
from agent.domain.diagnosis import Diagnosis
from agent.domain.incident import Incident
from agent.ports import Clock, Forecaster, JsonObject, Ledger, Metrics
from agent.recording import once

MAX_TURNS: Final = 8  # what a person would look at before calling the next one
MAX_NONSENSE: Final = 2  # answers that do not count; a model that cannot mend one after being told will not mend more
MAX_REASONING_S: Final = 90.0  # the other incidents wait for as long: one thread drives the watch
Seconds = Callable[[], float]


@dataclass(frozen=True, slots=True)
class ModelReasoner:
    """`seconds` is a clock that only moves forward: real time, since real servers take it."""

    chat: Chat
    model: str
    metrics: Metrics
    forecaster: Forecaster
    events: Events
    ledger: Ledger
    clock: Clock
    seconds: Seconds

    def explain(self, incident: Incident, view: ClusterView) -> Diagnosis | None:
        """Raises LedgerUnavailable: what cannot be recorded is not asked."""
        reach = Reach(incident.subject, view)
        tools = Tools(incident, view, self.clock.now(), self.metrics, self.forecaster, self.events)
        messages = [_says("system", system_prompt()), _says("user", opening(incident))]
        ends_at = self.seconds() + MAX_REASONING_S
        nonsense = 0
        for turn in range(MAX_TURNS):
            if turn == MAX_TURNS - 1:
                messages.append(_says("user", LAST_WORD))
            exchange = self._exchange(incident, turn, messages, ends_at - self.seconds(), reach)
            if exchange["answer"] is None:
                return None
            try:
                said = read_answer(exchange["answer"], incident.id, self._source, reach)
            except AnswerInvalid as error:
                nonsense += 1
                if nonsense == MAX_NONSENSE:
                    return None
                reply = f"That does not count: {error}"
            else:
                if isinstance(said, Concluded):
                    return said.diagnosis
                reply = tools.call(said.tool, said.arguments)
            messages += [_says("assistant", exchange["answer"]), _says("user", reply)]
        return None

    @property
    def _source(self) -> str:
        return f"model:{self.model}"

    def _exchange(
        self, incident: Incident, turn: int, messages: Sequence[Message], left_s: float, reach: Reach
    ) -> JsonObject:
        """What the model answers to these messages, from the record where it stands there."""

        def ask() -> JsonObject:
            asked = {"model": self.model, "turn": turn, "prompt_digest": digest_of([dict(m) for m in messages])}
            try:
                if left_s <= 0:
                    raise ModelFault(f"no conclusion within {MAX_REASONING_S:g} s")
                answer = self.chat.ask(messages, answer_schema(), left_s)
            except ModelFault as fault:
                return {**asked, "incident": incident.id, "answer": None, "meaning": "fault", "notes": [str(fault)]}
            return {**asked, "incident": incident.id, **self._understood(answer, incident, reach)}

        return once(
            self.ledger,
            "reasoning",
            f"reasoning:{incident.id}/{turn}",
            ask,
            lambda made: {"incident": incident.id, "outcome": made["meaning"]},
        )

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
