"""The one place where adapters meet the workflow. Nothing decides here."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Literal, Protocol, TypeVar

from agent.adapters.checkpoints import close as close_checkpointer, open_checkpointer
from agent.adapters.gate import Live, PoliciesInForce, in_words, policies_for
from agent.adapters.inbound.observing import Observer
from agent.adapters.kubernetes.fields import MalformedObject
from agent.adapters.kubernetes.mirror import events_of
from agent.adapters.kubernetes.views import ClusterViews
from agent.adapters.kueue.configuration import KueueConfiguration
from agent.adapters.ledger import AuditLedger
from agent.adapters.ledger.read_notes import take_over
from agent.adapters.llm import reasoner_for
from agent.adapters.playbooks.library import load_playbooks
from agent.adapters.prometheus.detect import Surveyor
from agent.adapters.refusals import Refusals
from agent.adapters.scheduler.forecaster import SchedulerForecaster, scenarios_kueue
from agent.adapters.store import Store
from agent.adapters.store.chat import SqlChat
from agent.adapters.store.inbox import SqlInbox
from agent.adapters.succession import Succession
from agent.adapters.switch import FreezeSwitch
from agent.adapters.telemetry.outages import Outages
from agent.blindness import Blindness
from agent.chance import InOrder, NoBoundaries
from agent.config import Settings
from agent.domain.base import digest_of, rfc3339
from agent.domain.cluster import ClusterView, ObjectRef
from agent.domain.signal import Signal
from agent.evidence.holders import idle_minimum_s
from agent.ports import (
    Boundaries,
    Clock,
    Cluster,
    Fault,
    Metrics,
    MetricsNotConfigured,
    MetricsUnavailable,
    Notifier,
    Ports,
    RepairSystem,
    TaskOrder,
)
from agent.resources import bundled
from agent.trust import watch_breaker
from agent.watch import Watch
from agent.workflow import Workflow, unseen
from audit.log import Log

ACTOR = "watchkeeper"
_NOT_ACTED_BY = {
    *("database", "policies", "playbooks", "freeze_file", "inbound_token_file", "model_key_file", "retention_days"),
    *("kubeconfig", "kube_context", "prometheus_token_file", "lease"),
    *("policy_key_file", "opa_token_file", "opa_ca_file", "opa_certificate_file", "opa_key_file"),
}
logger = logging.getLogger("watchkeeper.assembly")
Refused = Callable[[str, str, str], None]
Durability = Literal["full", "memory"]
T = TypeVar("T")
Looked = Callable[[str, Fault | None], None]
"""Told what came of each look: at the API server, at Prometheus, or which other place it failed of."""
Interpose = Callable[[str, Any], Any]
"""Puts something between the agent and a port, by its name: how a simulation injects faults, and how a process that
runs for long measures and, where it may not act, holds back. `stages` is what is entered around each run of a stage,
`looks` who is told of each look; `cluster` is what is acted through, reads for the view pass it by."""


class World(Protocol):
    """What acts and is acted upon, live or simulated."""

    @property
    def clock(self) -> Clock: ...
    @property
    def cluster(self) -> Cluster: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def repairs(self) -> RepairSystem: ...


@dataclass(frozen=True, slots=True)
class Agent:
    """A watch that is ready to be driven, and what has to be closed after it."""

    ports: Ports
    watch: Watch
    log: Log
    chat: SqlChat
    policies: PoliciesInForce
    kueue: KueueConfiguration | None  # of a live cluster
    refused: Refusals
    _observer: Observer
    _surveyor: Surveyor
    _blindness: Blindness
    _looked: Looked
    _outages: Outages
    _inbox: SqlInbox
    _succession: Succession
    _close: tuple[Callable[[], None], ...]

    def receive(self, signals: Sequence[Signal]) -> int:
        """Stores signals; the number of new ones. Raises Fault when they could not be stored."""
        return self.watch.receive(signals)

    def look(self) -> None:
        """One look of the agent's own at objects and metrics. A world that does not answer is looked at again later."""
        self.watch.heartbeat()
        self.refused.close_windows()
        take_over(self.log, self.ports.ledger)
        self._reload()
        self.look_at_objects()
        self._look("prometheus", self._survey)
        with suppress(Fault):  # said above, or at the next step, which does not begin without it
            watch_breaker(self.ports)

    def look_at_objects(self) -> None:
        """Events and node conditions alone: asked for when the API server has told of a change."""
        self._look("apiserver", self._observer.observe)

    def _look(self, at: str, look: Callable[[ClusterView, datetime], Sequence[Signal]]) -> None:
        try:
            self.watch.receive(look(self.ports.views.take(), self.ports.clock.now()))
        except Fault as fault:
            self._outages.away(fault.place, fault)
            self.watch.absence.fails("a look at the cluster", None, fault, self.ports.clock.now())
            self._looked(fault.place, fault)
        else:
            self.watch.absence.works("a look at the cluster")
            self._outages.answers(at)
            self._looked(at, None)

    def _survey(self, view: ClusterView, now: datetime) -> Sequence[Signal]:
        try:
            found = self._surveyor.survey(view, now)
        except MetricsNotConfigured:
            raise
        except MetricsUnavailable as fault:
            self._blindness.blind(str(fault), now)
            raise
        self._blindness.sees()
        return found

    def _reload(self) -> None:
        """Other policies on the disk are taken between two decisions, or refused and said so."""
        reloaded = self.policies.reload()
        if reloaded is None:
            return
        payload: dict[str, Any] = {"digest": reloaded.digest}
        if reloaded.fault is not None:
            fault = reloaded.fault
            logger.error("the policies on the disk are refused, the old ones stay: %s: %s", fault.code, fault)
            payload = {**payload, "code": fault.code, "reason": str(fault), "at": rfc3339(self.ports.clock.now())}
        else:
            payload = {**payload, **reloaded.told}
            logger.log(
                logging.WARNING if "lost" in reloaded.told else logging.INFO,
                "other policies are in force: %s: %s",
                reloaded.digest,
                in_words(reloaded.told),
            )
        with suppress(Fault):
            self.ports.ledger.record("policy_refused" if reloaded.fault else "policy_loaded", payload)

    def run_until_idle(self, hold: Callable[[], bool] = lambda: False) -> None:
        self.watch.run_until_idle(hold)

    def waiting(self) -> dict[str, int]:
        """How much waits: signals, open incidents, people. Raises Fault when the store does not answer."""
        asked, now = self.ports.desk.pending(), self.ports.clock.now()
        return {
            "inbox": self._inbox.waiting(),
            "open": len(self.ports.incidents.open()),
            "pending": len(asked),
            "oldest_s": max((int((now - request.requested_at).total_seconds()) for request in asked), default=0),
        }

    def note_what_is_known(self, still: Callable[[], bool]) -> None:
        """That all of the log is known here up to now, if it is `still` us who lead."""
        self._succession.note(still)

    def close(self) -> None:
        self.refused.close()
        for close in self._close:
            close()


def _always_heeded(_target: ObjectRef) -> str:
    return ""


def assemble(
    settings: Settings,
    world: World,
    *,
    notifier: Notifier,
    order: TaskOrder | None = None,
    boundaries: Boundaries | None = None,
    durability: Durability = "full",
    interpose: Interpose = lambda name, port: port,
    in_turn: bool = False,  # nothing runs beside the watch, not even a model: a simulation's time stands still then
) -> Agent:
    """Opens the stores and loads policies and playbooks; any of them that cannot be read stops start-up."""
    engine = policies_for(settings)
    playbooks = load_playbooks(settings.playbooks or bundled("playbooks"))
    log = Log.open(settings.log_place, durability=durability)
    ledger = interpose("log", AuditLedger(log, world.clock, ACTOR, seal=durability == "full"))
    store = Store.open(settings.database, clock=world.clock, ledger=ledger, durability=durability)
    checkpointer = open_checkpointer(settings.checkpoints, durability)
    succession = _succession_of(settings, Succession(store, log, checkpointer.delete_thread))
    refused = Refusals(ledger, world.clock)
    kueue, forecaster = _foresight(settings, world, refused)
    reasoner = reasoner_for(settings, world.clock, world.cluster, world.metrics, forecaster, ledger, in_turn=in_turn)
    ports = Ports(
        clock=world.clock,
        cluster=interpose("cluster", world.cluster),
        views=_views(world, refused),
        metrics=world.metrics,
        repairs=interpose("repairs", world.repairs),
        notifier=notifier,
        forecaster=forecaster,
        policy=interpose("policy", engine),
        switch=_switch(settings, world),
        playbooks=playbooks,
        reasoner=interpose("llm", reasoner),
        ledger=ledger,
        inbox=interpose("inbox", store.inbox),
        timers=store.timers,
        incidents=store.incidents,
        desk=interpose("approvals", store.desk),
        boundaries=interpose("boundaries", boundaries or NoBoundaries()),
        tenants=Live(lambda: _tenants(engine.bundle.limits)),
        idle_minimum_s=Live(lambda: idle_minimum_s(engine.bundle.limits)),
        call_when_away_s=settings.call_when_away_s,
        thresholds=settings.thresholds,
        unheeded=interpose("unheeded", _always_heeded),
    )
    _record_start(settings, engine, ports)
    return Agent(
        ports=ports,
        watch=Watch(ports, Workflow(ports, checkpointer, interpose("stages", unseen)), order or InOrder(), refused),
        log=log,
        chat=store.chat,
        policies=engine,
        kueue=kueue,
        refused=refused,
        _observer=Observer(world.cluster, refused, events_of(world.cluster)),
        _surveyor=Surveyor(world.metrics, engine.bundle.limits, ledger, settings.thresholds, refused),
        _blindness=Blindness(notifier, ledger, settings.call_when_away_s),
        _looked=interpose("looks", _unheeded),
        _outages=Outages(world.clock),
        _inbox=store.inbox,
        _succession=succession,
        _close=(lambda: close_checkpointer(checkpointer), engine.close, store.close, log.close),
    )


def _succession_of(settings: Settings, succession: Succession) -> Succession:
    """In one file, store and log are always of one moment."""
    if settings.log is not None and not settings.observes:
        succession.take_over(elected=settings.leader_election)
    return succession


def _foresight(
    settings: Settings, world: World, refused: Refused
) -> tuple[KueueConfiguration | None, SchedulerForecaster]:
    """A live cluster's Kueue goes by its configuration, and reads its objects to the letter."""
    live = settings.world == "live"
    kueue = KueueConfiguration(world.cluster, world.clock, refused, settings.kueue_configuration) if live else None
    rules = kueue.rules if kueue else scenarios_kueue
    forecaster = SchedulerForecaster(settings.reservations, rules, lambda ref, why: refused("objects", str(ref), why))
    return kueue, forecaster


def _switch(settings: Settings, world: World) -> FreezeSwitch:
    steady = monotonic if settings.world == "live" else None
    namespace, name = settings.freeze_config_map.split("/")
    return FreezeSwitch(settings.freeze_at, world.cluster, namespace, name, steady)


def _views(world: World, refused: Callable[[str, str, str], None]) -> ClusterViews:
    def malformed(bad: MalformedObject) -> None:
        refused("objects", f"{bad.object_name}: {bad.field}", bad.reason)

    return ClusterViews(world.cluster, world.clock, on_malformed=malformed)


def _unheeded(_at: str, _fault: Fault | None) -> None:
    """Nobody asks how the looks went."""


def _tenants(limits: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(tenant.get("namespaces", ())) for name, tenant in (limits.get("tenants") or {}).items()}


def _record_start(settings: Settings, policies: PoliciesInForce, ports: Ports) -> None:
    """What it ran with, on the record. A log that is down at the start is no reason not to watch."""
    shown = settings.model_dump(
        mode="json",
        # Places on this machine; and what the agent does not act by (`audit retain` states it in a record of its own).
        exclude=_NOT_ACTED_BY,
    )
    try:
        ports.ledger.record("configuration", {"digest": digest_of(shown), "settings": shown})
        loaded = {"reasons": sorted(policies.bundle.reasons), "limits": dict(policies.limits)}
        ports.ledger.record("policy_loaded", {"digest": policies.digest, **loaded})
    except Fault:
        return
