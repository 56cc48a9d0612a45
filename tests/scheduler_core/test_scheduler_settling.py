"""A what-if knows that queues send others back, and that nobody is sent back for nothing."""

from schedule_language import cluster

from scheduler_core import Gang, PodSet, Requeue, Settings, Submit
from scheduler_core.preemption import Cause, Preemption, Victim
from scheduler_core.quota import Policy, PreemptionRules

LOWER = PreemptionRules(within_queue=Policy.LOWER_PRIORITY, reclaim=Policy.ANY)
AS_KUEUE = Settings(admit_by_quota=True)
GPU = "nvidia.com/gpu"


def vip(pods: int = 2, queue: str = "q", priority: int = 9) -> Gang:
    return Gang(name="vip", pod_sets=(PodSet(count=pods, requests={GPU: 8}),), queue=queue, priority=priority)


def test_who_is_sent_back_stops_and_who_it_is_for_starts() -> None:
    world = cluster(AS_KUEUE).nodes(2).queue("q", 16, preemption=LOWER).gang("low", pods=2, queue="q")
    world.run()
    before = world.snapshot.contents()
    effect = world.what_if(Submit(vip()))
    assert (effect.started, effect.stopped) == (("vip",), ("low",))
    assert effect.preemptions == (Preemption("vip", (Victim("low", Cause.IN_QUEUE),)),)
    assert effect.still_pending["low"].reason.value == "WaitingForQuota"
    assert world.snapshot.contents() == before


def test_a_queue_without_rules_sends_nobody_back() -> None:
    world = cluster(AS_KUEUE).nodes(2).queue("q", 16).gang("low", pods=2, queue="q")
    world.run()
    assert world.what_if(Submit(vip())).preemptions == ()


def test_what_a_borrower_gives_back_may_let_others_in_too() -> None:
    world = cluster(AS_KUEUE).nodes(4).cohort("all").queue("mine", 16, cohort="all", preemption=LOWER)
    world.queue("theirs", 16, cohort="all").gang("lent", pods=3, queue="theirs")
    world.gang("small", queue="theirs", created_s=1).run()
    effect = world.what_if(Submit(vip(queue="mine")))
    assert (effect.started, effect.stopped) == (("vip",), ("lent",))


def test_nobody_is_sent_back_where_quota_is_not_what_is_missing() -> None:
    """Half of the nodes are taken by a pod of no gang; sending the gang back would free quota and no room for both."""
    world = cluster().nodes(2).queue("q", 16, preemption=LOWER).gang("low", queue="q")
    world.run()
    world.pod("stranger", "gpu-1", gpus=8)
    effect = world.what_if(Submit(vip()))
    assert (effect.preemptions, effect.stopped) == ((), ())


def test_who_was_sent_back_by_hand_does_not_come_first_for_it() -> None:
    """A requeue frees quota; whoever waits longer takes it, and nobody else has to go."""
    world = cluster(AS_KUEUE).nodes(2).queue("q", 16, preemption=LOWER)
    world.gang("a", queue="q", priority=5).gang("b", queue="q", priority=5, created_s=1).run()
    world.gang("c", queue="q", priority=5, created_s=2)
    effect = world.what_if(Requeue("a", delay_s=0), now_s=5)
    assert (effect.started, effect.preemptions) == (("c",), ())
