"""How the site's Kueue is configured, from the ConfigMap that its manager reads, looked at again now and then.

The one object is read by name, so that the right to read it is the right to read nothing else. Where it is not there or
may not be read, Kueue's defaults are taken: whether shares count is then told by the queues' own statuses. Only what
changes who is let in is read.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from agent.adapters.kubernetes.fields import Fields
from agent.adapters.kueue.rules import TO_THE_LETTER, KueueRules
from agent.adapters.kueue.transformations import transformations
from agent.adapters.kueue.words import texts
from agent.domain.cluster import ObjectRef
from agent.domain.plain_yaml import NotPlain, plain_yaml
from agent.ports import Clock, ClusterFault, JsonObject, NotFound
from scheduler_core.quota import Undeclared
from scheduler_core.settings import FairStrategy

PLACE = "kueue-system/kueue-manager-config"
FILE = "controller_manager_config.yaml"
READ, NOT_ASKED = "read", "not asked for yet"
REASON_AT_MOST = 300  # characters
LOOK_EVERY = timedelta(seconds=60)  # its manager reads it at its start alone
_TIMESTAMPS = ("Eviction", "Creation")
_STRATEGIES = {"IgnoreUndeclared": Undeclared.IGNORE, "BlockUndeclared": Undeclared.BLOCK}


class Reader(Protocol):
    """The one verb of the Cluster port that it needs."""

    def get(self, ref: ObjectRef) -> JsonObject: ...


class KueueConfiguration:
    """`rules()` never raises: a forecast goes on by what is known."""

    def __init__(
        self, cluster: Reader, clock: Clock, refused: Callable[[str, str, str], None], place: str = PLACE
    ) -> None:
        """`place` is namespace/name. `refused` (door, place, reason) puts on the record what could not be read, once
        for each reason."""
        self._ref = reference(place)
        self._cluster, self._clock, self._refused = cluster, clock, refused
        self._rules, self._told = TO_THE_LETTER, ""
        self._until: datetime | None = None
        self._standing = NOT_ASKED

    def rules(self) -> KueueRules:
        now = self._clock.now()
        if self._until is None or now >= self._until:
            self._until = now + LOOK_EVERY
            self._look()
        return self._rules

    def standing(self) -> dict[str, object]:
        """For /readyz: where the rules of the forecasts come from."""
        return {"place": str(self._ref), "configuration": self._standing}

    def _look(self) -> None:
        """What does not answer, is gone or makes no sense changes nothing that is known."""
        try:
            self._rules = rules_in(self._cluster.get(self._ref))
        except (ClusterFault, ValueError) as wrong:
            self._standing = " ".join(str(wrong).split())[:REASON_AT_MOST]
            if not isinstance(wrong, NotFound) and self._standing != self._told:
                self._told = self._standing
                self._refused("kueue", str(self._ref), self._standing)
        else:
            self._standing, self._told = READ, ""


def reference(place: str) -> ObjectRef:
    namespace, _, name = place.partition("/")
    return ObjectRef(api_version="v1", kind="ConfigMap", namespace=namespace, name=name)


def rules_in(config_map: JsonObject) -> KueueRules:
    """Raises ValueError, naming the object and the field."""
    root = Fields.of(config_map)
    text = root.within("data").text(FILE)
    if not text:
        return TO_THE_LETTER
    try:
        said = plain_yaml(text)
    except NotPlain as wrong:
        raise root.wrong(f"data.{FILE}", str(wrong)) from wrong
    if not isinstance(said, dict):
        raise root.wrong(f"data.{FILE}", "is no map")
    return _rules(Fields(config_map, f"data.{FILE}", said))


def _rules(config: Fields) -> KueueRules:
    sharing, resources = config.within("fairSharing"), config.within("resources")
    told = resources.text("quotaCheckStrategy") or "BlockUndeclared"
    if told not in _STRATEGIES:
        raise resources.wrong("quotaCheckStrategy", f"expected one of {', '.join(_STRATEGIES)}, found {told!r}")
    strategies = texts(sharing, "preemptionStrategies")
    if not set(strategies) <= set(FairStrategy):
        raise sharing.wrong("preemptionStrategies", f"expected some of {', '.join(FairStrategy)}")
    by_being_there = not config.text("apiVersion").endswith("/v1beta1")  # there it has to be enabled, too
    return KueueRules(
        literal=True,
        undeclared=_STRATEGIES[told],
        fair_sharing=config.has("fairSharing") and sharing.boolean("enable", by_being_there),
        fair_strategies=tuple(FairStrategy(each) for each in dict.fromkeys(strategies)) or tuple(FairStrategy),
        ignored_prefixes=texts(resources, "excludeResourcePrefixes"),
        transformations=transformations(resources),
        queues_by_creation=_queues_by_creation(config.within("waitForPodsReady", "requeuingStrategy")),
    )


def _queues_by_creation(strategy: Fields) -> bool:
    told = strategy.text("timestamp") or "Eviction"
    if told not in _TIMESTAMPS:
        raise strategy.wrong("timestamp", f"expected one of {', '.join(_TIMESTAMPS)}, found {told!r}")
    return told == "Creation"
