"""Tells what the finders find: once when it begins, once when it is no longer so, and nothing while nobody can know."""

from agent.adapters.prometheus.findings import Standing
from agent.domain.incident import Symptom
from agent.domain.signal import Signal
from agent.evidence.condition import Finder, Sight


def look(symptom: Symptom, find: Finder, standing: Standing, sight: Sight) -> list[Signal]:
    """Raises MetricsUnavailable, and then nothing has ended."""
    found = {condition.subject: condition for condition in find(sight)}
    over = [ref for ref in standing.subjects(symptom) if ref not in found]
    ended = [signal for ref in over for signal in standing.end(symptom, ref, sight.now)]
    return ended + [s for ref in sorted(found, key=str) for s in standing.begin(found[ref], sight.now)]
