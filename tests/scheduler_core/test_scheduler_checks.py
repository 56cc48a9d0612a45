"""Admission checks: quota first, pods when all checks are ready."""

from dataclasses import replace

import pytest

from scheduler_core import Backoff, Gang, Node, Phase, PodSet, Queue, Quota, Settings, Snapshot, cycle, run
from scheduler_core.checks import verdict
from scheduler_core.state import CheckState

GPU = "nvidia.com/gpu"
QUOTA = (Quota(resource=GPU, nominal=8),)


def world(*checks):
    snapshot = Snapshot(nodes=[Node("n", {GPU: 8})], queues=[Queue(name="q", quotas=QUOTA, checks=checks)])
    pods = (PodSet(count=2, requests={GPU: 4}),)
    snapshot.add_gang(Gang(name="g", pod_sets=pods, queue="q"))
    return snapshot


def say(snapshot, **checks):
    snapshot.restore("g", replace(snapshot.state_of("g"), checks=checks))


def test_until_all_checks_are_ready_a_gang_holds_quota_and_has_no_pods():
    snapshot = world("provision", "budget")
    run(snapshot, 0)
    assert (snapshot.phase("g"), snapshot.pods_of("g")) == (Phase.ADMITTED, ())
    say(snapshot, provision=CheckState.READY)
    run(snapshot, 1)
    assert snapshot.pods_of("g") == ()
    say(snapshot, provision=CheckState.READY, budget=CheckState.READY)
    run(snapshot, 2)
    assert snapshot.phase("g") is Phase.RUNNING


def test_a_queue_without_checks_waits_for_none():
    snapshot = world()
    run(snapshot, 0)
    assert snapshot.phase("g") is Phase.RUNNING


def test_retry_gives_the_quota_back_and_comes_again_by_the_back_off_rule():
    snapshot, settings = world("budget"), Settings(backoff=Backoff(base_s=60))
    run(snapshot, 0, settings)
    say(snapshot, budget=CheckState.RETRY)
    assert cycle(snapshot, 10, settings).drained == ("g",)
    state = snapshot.state_of("g")
    assert (snapshot.phase("g"), state.requeue_at_s, state.returns) == (Phase.PENDING, 70, 1)
    run(snapshot, 70, settings)
    assert snapshot.phase("g") is Phase.ADMITTED
    assert verdict(snapshot, snapshot.gang("g")) is CheckState.PENDING, "it is asked about anew"


def test_rejected_switches_the_gang_off():
    snapshot = world("budget")
    run(snapshot, 0)
    say(snapshot, budget=CheckState.REJECTED)
    assert cycle(snapshot, 10).drained == ("g",)
    assert (snapshot.phase("g"), snapshot.gang("g").active) == (Phase.PENDING, False)


@pytest.mark.parametrize(
    ("first", "second", "worst"),
    [
        (CheckState.READY, CheckState.PENDING, CheckState.PENDING),
        (CheckState.RETRY, CheckState.PENDING, CheckState.RETRY),
        (CheckState.RETRY, CheckState.REJECTED, CheckState.REJECTED),
        (CheckState.READY, CheckState.READY, CheckState.READY),
    ],
)
def test_the_worst_word_counts(first, second, worst):
    snapshot = world("a", "b")
    say(snapshot, a=first, b=second)
    assert verdict(snapshot, snapshot.gang("g")) is worst
