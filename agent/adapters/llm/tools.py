"""What a model may look at. Read-only by construction: nothing here holds a port that could change anything.

Whatever a tool returns was written by strangers: it is cut to size, stripped of what may be secret, and handed over as
quoted data. What the model makes of it is checked in answer.py.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import Field, ValidationError

from agent.actions.base import read_parameters
from agent.actions.catalogue import CATALOGUE
from agent.adapters.llm.redaction import NOT_TO_BE_SEEN, without_secrets
from agent.domain.base import Noun
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.incident import Incident
from agent.domain.proposal import Refusal
from agent.evidence.foresight import bounded
from agent.look import action_changes
from agent.ports import Fault, Forecaster, JsonObject, Metrics, Remedy

MAX_TOOL_BYTES: Final = 4_000  # about 1,500 tokens: eight of them fit a context of 16,000
MAX_LISTED: Final = 50  # objects, events or series of one answer; more says nothing more
MAX_QUERY_CHARS: Final = 500
Events = Callable[[str | None], list[JsonObject]]
_NAME = Field(max_length=253)  # what Kubernetes allows


class GetObject(Noun):
    """One object as the API server has it."""

    kind: str = _NAME
    namespace: str | None = Field(default=None, max_length=253)
    name: str = _NAME


class ListObjects(Noun):
    """The names of the objects of a kind."""

    kind: str = _NAME
    namespace: str | None = Field(default=None, max_length=253)


class EventsOf(Noun):
    """The signals of this incident, and the Kubernetes events of a namespace."""

    namespace: str | None = Field(default=None, max_length=253)


class MetricsNow(Noun):
    """The value of a PromQL expression now."""

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)


class ExplainQueue(Noun):
    """Why gangs wait: the reason and the number that binds; all of them, or the one whose name is given."""

    name: str | None = Field(default=None, max_length=253)


class WhatIf(Noun):
    """What an action would bring, without doing it: who starts or waits by it, GPUs, queues and services before and
    after, and `without` it."""

    action: str
    target: ObjectRef
    parameters: dict[str, Any] = {}


ARGUMENTS: Final[dict[str, type[Noun]]] = {
    "get_object": GetObject,
    "list_objects": ListObjects,
    "events": EventsOf,
    "metrics": MetricsNow,
    "explain_queue": ExplainQueue,
    "what_if": WhatIf,
}


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a model may look beyond the view."""

    metrics: Metrics
    forecaster: Forecaster
    events: Events


@dataclass(frozen=True, slots=True)
class Tools:
    incident: Incident
    view: ClusterView
    now: datetime
    sources: Sources

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """What the tool says, as quoted data. That it cannot be used so is an answer too."""
        form = ARGUMENTS.get(name)
        if form is None:
            return _quoted(name, {"error": f"there is no such tool; there are {', '.join(ARGUMENTS)}"})
        try:
            found = self._found(form.model_validate(dict(arguments)))
        except ValidationError as error:
            first = error.errors()[0]
            found = {"error": f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"}
        except (Fault, ValueError, LookupError) as error:
            found = {"error": str(error)}
        return _quoted(name, found)

    def _found(self, asked: Noun) -> Any:
        match asked:
            case GetObject():
                return self._object(asked)
            case ListObjects():
                return self._names(asked)
            case EventsOf():
                return self._events(asked.namespace)
            case MetricsNow():
                series = self.sources.metrics.instant(asked.query, self.now)[:MAX_LISTED]
                return [{"labels": dict(s.labels), "value": s.points[-1][1]} for s in series if s.points]
            case ExplainQueue():
                waiting = self.sources.forecaster.what_if(self.view, ()).gangs_pending
                return {name: why for name, why in waiting.items() if asked.name is None or asked.name in name}
            case WhatIf():
                return self._what_if(asked)
            case _:
                raise ValueError(f"{type(asked).__name__} is no tool")

    def _object(self, asked: GetObject) -> Any:
        _seen_by_models(asked.kind)
        wanted = (asked.kind, asked.namespace, asked.name)
        found = [raw for ref, raw in self.view.objects.items() if (ref.kind, ref.namespace, ref.name) == wanted]
        if not found:
            raise LookupError(f"{asked.kind} {asked.name} is not in the cluster")
        return found[0]

    def _names(self, asked: ListObjects) -> Any:
        _seen_by_models(asked.kind)
        fits = (ref for ref in self.view.objects if ref.kind == asked.kind and asked.namespace in (None, ref.namespace))
        names = sorted(str(ref) for ref in fits)
        return {"count": len(names), "names": names[:MAX_LISTED]}

    def _events(self, namespace: str | None) -> Any:
        signals = [signal.model_dump(mode="json") for signal in self.incident.signals]
        keys = ("involvedObject", "type", "reason", "message", "count", "lastTimestamp")
        events = [{key: event.get(key) for key in keys} for event in self.sources.events(namespace)[-MAX_LISTED:]]
        return {"signals": signals, "events": events}

    def _what_if(self, asked: WhatIf) -> Any:
        action = CATALOGUE.get(asked.action)
        if action is None:
            raise ValueError(f"there is no action {asked.action!r}")
        params = read_parameters(action, asked.parameters)
        if isinstance(params, Refusal):
            raise ValueError(params.message)
        remedy = Remedy(action.name, asked.target, params.model_dump(mode="json", exclude_none=True), "", "stop")
        told = self.sources.forecaster.what_if(self.view, action_changes(remedy))
        return bounded(told, {str(asked.target)}).json_object()


def _seen_by_models(kind: str) -> None:
    if kind in NOT_TO_BE_SEEN:
        raise LookupError(f"a {kind} is not for models")


def _quoted(tool: str, found: Any) -> str:
    """A JSON string cannot be left from within, whatever it says."""
    text = json.dumps(without_secrets(found), ensure_ascii=False, sort_keys=True, default=str).encode(
        "utf-8", "replace"
    )
    cut = text[:MAX_TOOL_BYTES].decode("utf-8", "ignore")
    return json.dumps({"tool": tool[:64], "data_from_strangers": cut, "cut": len(text) > MAX_TOOL_BYTES})
