"""What the agent tells Prometheus of itself, by Prometheus' own conventions of names and units.

One registry for each agent, none of the process: two agents in one test do not count together. Labels come from our
own lists (actions, outcomes, kinds of record): no stranger's text becomes a series.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FAST_S = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""A bound at each of the promised 300 and 500 ms, and beside them; what waits for a grace takes minutes."""

STAGE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_PLACES = ("apiserver", "prometheus")


disable_created_metrics()  # type: ignore[no-untyped-call]  # a series for each series, that nobody reads


class Instruments:
    """`text` is what /metrics answers."""

    def __init__(self, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        Info("watchkeeper_build", "Which agent this is.", registry=registry).info({"version": version})
        self._counters(registry)
        self._histograms(registry)
        self._gauges(registry)

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def _counters(self, registry: CollectorRegistry) -> None:
        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"watchkeeper_{name}", what, labels, registry=registry)

        self.signals = counter("signals", "Signals stored, redeliveries left out.", "type")
        self.refused = counter("refused", "Things sent that could not be read.", "door")
        self.incidents = counter("incidents", "Incidents opened.")
        self.closed = counter("incidents_closed", "Incidents closed, by how they ended.", "state")
        self.verdicts = counter("verdicts", "Decisions of the policies.", "decision")
        self.actions = counter("actions", "Steps of actions that came to an end.", "action", "outcome")
        self.asked = counter("approval_requests", "Requests put to people.")
        self.answers = counter("approval_answers", "Answers of people that counted.", "answer")
        self.records = counter("records", "Records appended to the log.", "kind")
        self.admission = counter("admission_checks", "Answers of Kueue's admission check, by decision.", "decision")
        for decision in ("allow", "hold", "retry", "reject"):
            self.admission.labels(decision)
        self.lists = counter("watch_lists", "Times that a kind was listed whole: at first, and after each gap.", "kind")
        self.breaks = counter("watch_breaks", "Times that following a kind broke.", "kind")
        self.unrecorded = counter("log_append_failures", "Records that could not be appended to the log.", "kind")
        self.faults = counter("faults", "Times that something outside did not work.", "place")

    def _histograms(self, registry: CollectorRegistry) -> None:
        self.decision = Histogram(
            "watchkeeper_decision_seconds",
            "From a signal's arrival to the first verdict on what it led to.",
            buckets=FAST_S,
            registry=registry,
        )
        self.action = Histogram(
            "watchkeeper_signal_to_action_seconds",
            "From a signal's arrival to the first step that was executed for it.",
            ("asked",),
            buckets=FAST_S,
            registry=registry,
        )
        for asked in ("nobody", "person"):
            self.action.labels(asked)
        self.append = Histogram(
            "watchkeeper_log_append_seconds", "One record, until it is durable.", buckets=STAGE_S, registry=registry
        )
        self.policy = Histogram(
            "watchkeeper_policy_decision_seconds",
            "One question to the policy engine, whatever came of it.",
            ("came_of_it",),
            buckets=STAGE_S,
            registry=registry,
        )
        for came_of_it in ("decision", "fault"):
            self.policy.labels(came_of_it)
        self.stage = Histogram(
            "watchkeeper_stage_seconds", "One run of a stage.", ("stage",), buckets=STAGE_S, registry=registry
        )

    def _gauges(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(f"watchkeeper_{name}", what, labels, registry=registry)

        self.inbox = gauge("inbox_signals", "Signals stored and not sensed yet.")
        self.open = gauge("open_incidents", "Incidents that are not closed.")
        self.pending = gauge("pending_approvals", "Requests that wait for a person.")
        self.asked_since = gauge("oldest_pending_approval_seconds", "How long the oldest of them waits; 0 without one.")
        self.leader = gauge("leader", "1 while this process may act.")
        self.looked = gauge("last_look_timestamp_seconds", "When it was last looked at with success.", "source")
        self.admission_waiting = gauge("admission_waiting_workloads", "Workloads that the admission check holds.")
        self.kueue = gauge("kueue_state", "1 for how the cluster's Kueue is.", "state")
        self.lag = gauge("watch_lag_seconds", "Since the API server last told anything on a watch.", "kind")
        for place in _PLACES:
            self.looked.labels(place)
