"""New codes in the gauges of last XIDs: one query per look, and one more when a code is seen for the first time."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta

from agent.adapters.prometheus.findings import Standing, signal_of
from agent.domain.base import rfc3339
from agent.domain.cluster import node_ref
from agent.domain.incident import Symptom
from agent.domain.signal import Signal, XidBody
from agent.evidence.condition import Condition
from agent.evidence.labels import node_of, pod_of
from agent.evidence.node_names import ClusterNames
from agent.evidence.reading import XID_METRIC, gpu_name
from agent.evidence.xid import HARMLESS_TO_THE_GPU, FirstAction, code_in, first_action
from agent.ports import Metrics, Series

LOOK_BACK = timedelta(hours=6)  # a code older than this stands there; since when, nobody needs to know
GRID_S = 60

Gpu = tuple[str, str]


Refused = Callable[[str, str, str], None]


def unheeded(_door: str, _place: str, _reason: str) -> None:
    """Nobody asks what was not believed."""


class XidWatch:
    """Remembers the last code of each GPU, since a gauge that holds it says nothing of when.

    One Prometheus may serve several clusters: of a node that this one does not have nothing is told, but that.
    """

    def __init__(self, metrics: Metrics, refused: Refused = unheeded) -> None:
        self._metrics, self._refused = metrics, refused
        self._codes: dict[Gpu, int] = {}

    def look(self, standing: Standing, now: datetime, nodes: Collection[str] = ()) -> list[Signal]:
        """Raises MetricsUnavailable, and then remembers what it knew before."""
        metrics = ClusterNames(self._metrics, nodes)
        seen = {_gpu(s): s for s in metrics.instant(XID_METRIC, now) if s.points and node_of(s.labels)}
        fresh = {g: s for g, s in sorted(seen.items()) if _code(s) and _code(s) != self._codes.get(g)}
        unknown = any(gpu not in self._codes for gpu in fresh)
        since = _beginnings(metrics, now) if unknown else {}
        signals = [x for g, s in fresh.items() for x in self._told(g, s, since.get(g), standing, now, nodes)]
        self._codes.update({gpu: _code(series) for gpu, series in seen.items()})
        return signals + self._cleared(standing, now)

    def _told(
        self, gpu: Gpu, series: Series, since: str | None, standing: Standing, now: datetime, nodes: Collection[str]
    ) -> list[Signal]:
        if nodes and gpu[0] not in nodes:
            self._refused("prometheus", f"{XID_METRIC} of {gpu[0]}", f"XID {_code(series)} on a node that is not here")
            return []
        return self._news(gpu, series, since, standing, now)

    def _news(self, gpu: Gpu, series: Series, since: str | None, standing: Standing, now: datetime) -> list[Signal]:
        code, node = _code(series), gpu[0]
        if first_action(code) is FirstAction.NONE:
            return []  # nothing is ever done about it
        since = since or rfc3339(_ceiling(now))
        if first_action(code) in HARMLESS_TO_THE_GPU:
            standing.begin(Condition(Symptom.GPU_FAULT, node_ref(node), since), now)
        return [signal_of(_body(code, series), f"Node/{node}", ["xid", *gpu, code, since], now)]

    def _cleared(self, standing: Standing, now: datetime) -> list[Signal]:
        """A fault of the application is over when its node shows no code any more. A sick GPU does not heal so."""
        sick = {node for (node, _), code in self._codes.items() if code}
        told = [ref for ref in standing.subjects(Symptom.GPU_FAULT) if ref.name not in sick]
        return [s for ref in told for s in standing.end(Symptom.GPU_FAULT, ref, now)]


def _beginnings(metrics: Metrics, now: datetime) -> Mapping[Gpu, str]:
    start = _floor(now - LOOK_BACK)
    found = metrics.range(XID_METRIC, start, now, timedelta(seconds=GRID_S))
    return {_gpu(s): since for s in found if (since := _beginning(s, start)) is not None}


def _beginning(series: Series, start: datetime) -> str | None:
    """Since when the series has had its newest value; `standing` for longer than we look back."""
    newest, since = series.points[-1][1], None
    for at, value in reversed(series.points):
        if value != newest:
            break
        since = at
    return "standing" if since == start else rfc3339(since) if since else None


def _gpu(series: Series) -> Gpu:
    return node_of(series.labels), gpu_name(series.labels)


def _code(series: Series) -> int:
    return code_in(series.points[-1][1]) or 0


def _body(code: int, series: Series) -> XidBody:
    labels = series.labels
    namespace, pod = pod_of(labels)
    return XidBody(
        node=node_of(labels),
        xid=code,
        gpu=labels.get("gpu"),
        gpu_uuid=labels.get("UUID"),
        pci_bus_id=labels.get("pci_bus_id"),
        namespace=namespace or None,
        pod=pod or None,
    )


def _floor(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // GRID_S * GRID_S, UTC)


def _ceiling(moment: datetime) -> datetime:
    floor = _floor(moment)
    return floor if floor == moment else floor + timedelta(seconds=GRID_S)
