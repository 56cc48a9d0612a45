"""How the site's Kueue is set up, from its own ConfigMap; what cannot be read changes nothing."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from kueue_reading import seen
from kueue_world import NOW, Json, condition, workload

from agent.adapters.kueue.configuration import FILE, LOOK_EVERY, NOT_ASKED, READ, KueueConfiguration, rules_in
from agent.adapters.kueue.rules import TO_THE_LETTER
from agent.domain.cluster import ObjectRef
from agent.ports import ClusterUnavailable, Forbidden, NotFound
from scheduler_core.quota import Undeclared
from scheduler_core.settings import FairStrategy

NEW, OLD = "apiVersion: config.kueue.x-k8s.io/v1beta2\n", "apiVersion: config.kueue.x-k8s.io/v1beta1\n"


def config_map(text: Any) -> Json:
    about = {"name": "kueue-manager-config", "namespace": "kueue-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {FILE: text}}


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        (f"{NEW}fairSharing: {{preemptionStrategies: [LessThanInitialShare]}}", True),
        (f"{NEW}fairSharing: {{}}", True),
        (f"{OLD}fairSharing: {{enable: true}}", True),
        (f"{OLD}fairSharing: {{preemptionStrategies: [LessThanInitialShare]}}", False),
        (NEW, False),
    ],
)
def test_fair_sharing_is_on_where_its_version_says_so(text: str, shares: bool) -> None:
    assert rules_in(config_map(text)).fair_sharing is shares


def test_what_else_it_says() -> None:
    rules = rules_in(
        config_map(
            f"{NEW}fairSharing: {{preemptionStrategies: [LessThanInitialShare]}}\n"
            "resources: {quotaCheckStrategy: IgnoreUndeclared, excludeResourcePrefixes: [example.com/]}"
        )
    )
    assert rules.fair_strategies == (FairStrategy.INITIAL_SHARE,)
    assert (rules.undeclared, rules.ignored_prefixes, rules.literal) == (Undeclared.IGNORE, ("example.com/",), True)
    assert rules_in(config_map("")) == TO_THE_LETTER


class Cluster:
    def __init__(self, answer: Json | Exception) -> None:
        self.answer, self.asked = answer, 0
        self.refs: list[ObjectRef] = []

    def get(self, ref: ObjectRef) -> Json:
        self.asked += 1
        self.refs.append(ref)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Clock:
    moment = NOW

    def now(self) -> datetime:
        return self.moment


def asked(answer: Json | Exception) -> tuple[KueueConfiguration, Cluster, Clock, list[str]]:
    cluster, clock, told = Cluster(answer), Clock(), list[str]()
    read: Any = cluster
    return KueueConfiguration(read, clock, lambda door, place, why: told.append(why)), cluster, clock, told


def test_it_is_read_once_a_minute() -> None:
    configuration, cluster, clock, _ = asked(config_map(f"{NEW}fairSharing: {{}}"))
    assert all(configuration.rules().fair_sharing for _ in range(5)) and cluster.asked == 1
    cluster.answer, clock.moment = config_map(NEW), NOW + LOOK_EVERY
    assert not configuration.rules().fair_sharing and cluster.asked == 2


@pytest.mark.parametrize(
    "answer",
    [
        ClusterUnavailable("away"),
        Forbidden("no right"),
        config_map("a: [b"),
        config_map("a: 1\na: 2"),
        config_map("[" * 5000),
        config_map(f"{NEW}resources: {{transformations: [{{}}]}}"),
        config_map(f"{NEW}waitForPodsReady: {{requeuingStrategy: {{timestamp: Never}}}}"),
        config_map("- a"),
        config_map(5),
        config_map(f"{NEW}resources: {{quotaCheckStrategy: Perhaps}}"),
        config_map(f"{NEW}fairSharing: {{preemptionStrategies: [First]}}"),
        config_map(f"{NEW}fairSharing: on"),
    ],
)
def test_what_cannot_be_read_is_told_once_and_changes_nothing(answer: Json | Exception) -> None:
    configuration, cluster, clock, told = asked(config_map(f"{NEW}fairSharing: {{}}"))
    before = configuration.rules()
    cluster.answer = answer
    for minute in (1, 2):
        clock.moment = NOW + timedelta(minutes=minute)
        assert configuration.rules() == before
    assert len(told) == 1
    assert configuration.standing()["configuration"] == told[0]
    cluster.answer, clock.moment = config_map(NEW), NOW + timedelta(minutes=3)
    assert not configuration.rules().fair_sharing and configuration.standing()["configuration"] == READ


def test_a_kueue_that_is_configured_elsewhere_has_the_defaults() -> None:
    configuration, _, _, told = asked(NotFound("no such ConfigMap"))
    assert configuration.standing()["configuration"] == NOT_ASKED
    assert configuration.rules() == TO_THE_LETTER and told == []
    assert "no such ConfigMap" in str(configuration.standing()["configuration"])


def test_it_is_read_where_the_site_has_it() -> None:
    _, cluster, clock, _ = asked(config_map(NEW))
    KueueConfiguration(cluster, clock, lambda door, place, why: None, "queues/settings").rules()
    assert [(ref.namespace, ref.name) for ref in cluster.refs] == [("queues", "settings")]


def test_who_is_sent_back_for_pods_that_were_not_ready_queues_by_its_age_where_kueue_is_told_so() -> None:
    gone = condition("Evicted", reason="PodsReadyTimeout", at="2026-11-02T08:30:00Z")
    for timestamp, since in (("Eviction", NOW.timestamp() - 1800), ("Creation", None)):
        text = f"{NEW}waitForPodsReady: {{timeout: 5m, requeuingStrategy: {{timestamp: {timestamp}}}}}"
        state = seen(workload("w", status={"conditions": [gone]}), rules=rules_in(config_map(text)))
        assert state.snapshot.state_of("Workload/research/w").queued_s == since
