"""Which nodes' dcgm-exporter is heard. Where the cluster has the exporter's pods, they decide; else all are heard.

An exporter's faults are its pod's behaviour: `crashes` (nothing is heard), `repeats` (everything as it was),
`reads-zero: NAME` (one counter is stuck). A new pod has none of them.
"""

from enum import StrEnum

from agent.adapters.simulated import pods
from agent.adapters.simulated.behaviour import Behaviour, behaviour_of
from agent.adapters.simulated.exporters.sample import Sample
from agent.adapters.simulated.exposition import Labels
from agent.adapters.simulated.store import ObjectStore
from agent.ports import JsonObject

MARKS = (("app.kubernetes.io/name", "dcgm-exporter"), ("app", "nvidia-dcgm-exporter"))  # the chart's, the operator's


class Heard(StrEnum):
    LIVE = "live"
    REPEATING = "repeating"
    SILENT = "silent"


Hearing = dict[str, tuple[Heard, str]]  # node -> how, and the counter that reads zero


def hearing(store: ObjectStore) -> Hearing | None:
    """None: this cluster says nothing of its exporters."""
    here = [pod for pod in store.of_kind("", "Pod") if _marked(pod)]
    if not here and not any(_has_lost_all(each) for each in store.of_kind("apps", "DaemonSet")):
        return None
    return {pods.node_of(pod) or "": _heard(behaviour_of(store, pod)) for pod in here if pods.ready(pod)}


def at(node: str, heard: Hearing | None) -> tuple[Heard, str]:
    return (Heard.LIVE, "") if heard is None else heard.get(node, (Heard.SILENT, ""))


def with_zero(series: dict[Labels, Sample], metric: str) -> dict[Labels, Sample]:
    """As an exporter says it of which that counter is stuck."""
    return {labels: Sample(0.0) if ("__name__", metric) in labels else sample for labels, sample in series.items()}


def frozen(before: dict[Labels, Sample]) -> dict[Labels, Sample]:
    """What was shown last, for ever: counters stand still too."""
    return {labels: Sample(sample.value) for labels, sample in before.items()}


def _heard(behaviour: Behaviour | None) -> tuple[Heard, str]:
    if behaviour is None:
        return Heard.LIVE, ""
    if behaviour.word == "repeats":
        return Heard.REPEATING, ""
    return Heard.LIVE, behaviour.detail if behaviour.word == "reads-zero" else ""


def _marked(manifest: JsonObject) -> bool:
    return any((manifest["metadata"].get("labels") or {}).get(name) == value for name, value in MARKS)


def _has_lost_all(daemon_set: JsonObject) -> bool:
    """The exporters' DaemonSet, of which there should be pods; one that is only mentioned says nothing."""
    template = (daemon_set.get("spec") or {}).get("template") or {}
    wanted = (daemon_set.get("status") or {}).get("desiredNumberScheduled")
    return bool(wanted) and _marked({"metadata": template.get("metadata") or {}})
