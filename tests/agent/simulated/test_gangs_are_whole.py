"""Whatever comes, goes, fails and is switched: once things have settled, a gang runs whole or not at all.

A gang that lost a node may be short of pods for as long as there is no room for them, as on any cluster; so here nodes
are only closed, and what runs on them stays.
"""

from datetime import timedelta

from hypothesis import given, strategies as st
from queued_kinds import KINDS, of_kind, queued, site
from test_preemption import RULES, queue
from world_builders import KUEUE, Json, node, ref, world

from agent.adapters.kubernetes.translate import translate
from agent.adapters.simulated.world import World
from agent.domain.cluster import GangState
from tests.tried import tried

ARRIVAL = st.tuples(st.just("arrives"), st.sampled_from(sorted(KINDS)), st.integers(2, 4))
SWITCH = st.tuples(st.sampled_from(["off", "on"]), st.integers(0, 5), st.just(0))
NODE = st.tuples(st.sampled_from(["closes", "opens"]), st.integers(1, 5), st.just(0))
DELETION = st.tuples(st.just("leaves"), st.integers(0, 5), st.just(0))
STEPS = st.lists(st.one_of(ARRIVAL, SWITCH, NODE, DELETION), max_size=10)


def site_with_rules() -> World:
    flavor: Json = {"apiVersion": KUEUE, "kind": "ResourceFlavor", "metadata": {"name": "default"}, "spec": {}}
    made = world(*[node(f"n{index}") for index in range(1, 6)], flavor, *queue("main", 56, **RULES))
    made.advance_to(made.clock.now())
    return made


def play(made: World, step: tuple[str, object, int], number: int) -> None:
    what, which, size = step
    jobs = [each for each in made.objects() if each["kind"] in KINDS and not each["metadata"].get("ownerReferences")]
    workloads = of_kind(made, "Workload")
    if what == "arrives":
        made.apply({**queued(KINDS[str(which)](f"job{number}", size))})
    elif what in ("off", "on") and workloads:
        chosen = workloads[int(str(which)) % len(workloads)]["metadata"]["name"]
        made.cluster.patch(ref(KUEUE, "Workload", chosen), {"spec": {"active": what == "on"}})
    elif what in ("closes", "opens"):
        made.cluster.patch(ref("v1", "Node", f"n{which}", None), {"spec": {"unschedulable": what == "closes"}})
    elif what == "leaves" and jobs:
        job = jobs[int(str(which)) % len(jobs)]
        made.delete(ref(job["apiVersion"], job["kind"], job["metadata"]["name"]))


@tried(25)
@given(STEPS, st.integers(10, 400))
def test_gangs_are_whole_or_absent(steps: list[tuple[str, object, int]], apart_s: int) -> None:
    made = site_with_rules()
    for number, step in enumerate(steps):
        play(made, step, number)
        made.advance_to(made.clock.now() + timedelta(seconds=apart_s))
    made.advance_to(made.clock.now() + timedelta(seconds=30))
    seen = translate(made.objects(), made.clock.now())
    assert seen.malformed == ()
    for gang in seen.view.gangs.values():
        assert gang.state is not GangState.STUCK, f"{gang.ref}: {len(gang.running)} of {gang.minimum}"
        assert len(gang.running) in (0, gang.minimum)


def test_the_same_days_are_the_same_byte_for_byte() -> None:
    def day() -> bytes:
        made = site()
        for number, kind in enumerate(sorted(KINDS)):
            made.apply(queued(KINDS[kind](f"job{number}")))
            made.advance_to(made.clock.now() + timedelta(seconds=200))
        return made.dump()

    assert day() == day()
