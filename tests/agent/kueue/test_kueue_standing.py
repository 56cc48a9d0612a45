"""Whether Kueue is whole and at work: by what is served, its manager, and what it answers. Odd objects end nothing."""

from datetime import timedelta
from typing import Any

import pytest
from kueue_world import NEW, NOW, Json, cluster_queue, local_queue, made, workload

from agent.adapters.kubernetes.translate import translate
from agent.adapters.kueue.standing import ANSWERS_WITHIN, MANAGER, NEEDED, Found, KueueStanding, State
from agent.domain.cluster import ClusterView, ObjectRef

ALL = frozenset({*NEEDED, "AdmissionCheck", "Cohort"})
WHOLE = {"v1beta2": ALL, "v1beta1": ALL}
QUEUE = ObjectRef(api_version=NEW, kind="ClusterQueue", name="gpu")


def view(*objects: Json, after: timedelta = timedelta()) -> ClusterView:
    return translate(objects, NOW + after).view


def queue(generation: int = 1, observed: Any = 1, name: str = "gpu") -> Json:
    active = {"type": "Active", "status": "True", "reason": "Ready", "message": "", "observedGeneration": observed}
    found = cluster_queue(name, status={"conditions": [active]} if observed is not None else {})
    found["metadata"]["generation"] = generation
    return found


def manager(ready: int | None, since: str = "2026-11-02T08:00:00Z", **labels: str) -> Json:
    available = {"type": "Available", "status": "False", "reason": "x", "message": "", "lastTransitionTime": since}
    status: Json = {"conditions": [available], **({} if ready is None else {"readyReplicas": ready})}
    about = {"labels": labels or MANAGER}
    spec = {"replicas": 1, "selector": {}, "template": {}}
    return made(
        "Deployment", "kueue-controller-manager", spec, "kueue-system", version="apps/v1", metadata=about, status=status
    )


def found(served: Any, *objects: Json) -> Found:
    standing = KueueStanding(lambda: served)
    told = standing.look(view(*objects))
    assert told is not None and standing.details()["state"] == told.state
    return told


@pytest.mark.parametrize(
    ("served", "state", "says"),
    [
        ({}, State.ABSENT, "nothing of kueue.x-k8s.io"),
        ({"v1beta2": ALL - {"ClusterQueue", "Workload"}}, State.HALF, "v1beta2 lacks ClusterQueue, Workload"),
        ({"v1beta2": {"Cohort"}, "v1beta1": ALL - {"LocalQueue"}}, State.HALF, "v1beta1 lacks LocalQueue"),
        ({"v1": ALL}, State.HALF, "it serves v1 alone"),
        ({"v1alpha1": frozenset({"Cohort"})}, State.HALF, "it serves v1alpha1 alone"),
        (WHOLE, State.WHOLE, ""),
        ({"v1beta1": ALL}, State.WHOLE, ""),
    ],
)
def test_what_is_served_says_whether_it_is_whole(served: Any, state: State, says: str) -> None:
    told = found({version: frozenset(kinds) for version, kinds in served.items()}, queue())
    assert told.state is state and says in told.why
    assert bool(told.unheeded) is (state is State.HALF)


@pytest.mark.parametrize(
    ("objects", "says"),
    [
        ((), "no manager of it is in sight"),
        ((queue(observed=None),), "nobody has answered for any ClusterQueue"),
        ((queue(), manager(0)), "Deployment/kueue-system/kueue-controller-manager, has no ready replica"),
        ((queue(), manager(None)), "no ready replica"),
        ((queue(), manager(1)), ""),
        ((manager(1),), ""),  # nobody has made a queue yet
        ((queue(), manager(0, since="2026-11-02T08:59:30Z")), ""),  # it starts on another node
        ((queue(), manager(0, **{"app.kubernetes.io/name": "kueue"})), ""),  # its pages, not its manager
    ],
)
def test_whole_is_only_where_somebody_is_at_work(objects: tuple[Json, ...], says: str) -> None:
    told = found(WHOLE, *objects)
    assert told.state is (State.IDLE if says else State.WHOLE) and says in told.why


def test_who_has_not_answered_for_a_while_is_not_at_work_and_is_when_it_answers() -> None:
    standing = KueueStanding(lambda: WHOLE)
    assert standing.look(view(queue())) is not None and standing.unheeded(QUEUE) == ""
    assert standing.look(view(queue(2), after=timedelta(seconds=5))) is None
    assert standing.look(view(queue(2), after=timedelta(seconds=4) + ANSWERS_WITHIN)) is None
    late = standing.look(view(queue(2), after=timedelta(seconds=5) + ANSWERS_WITHIN))
    assert late is not None and "ClusterQueue/gpu within 60 s" in late.why
    assert "Kueue is not at work: nobody has answered" in standing.unheeded(QUEUE)
    again = standing.look(view(queue(3), after=timedelta(seconds=6) + ANSWERS_WITHIN))  # written anew: waited for anew
    assert again is not None and again.state is State.WHOLE


def test_only_what_is_kueues_is_left_alone() -> None:
    standing = KueueStanding(lambda: {"v1": ALL})
    assert standing.unheeded(QUEUE) == ""  # nobody has looked
    standing.look(view())
    assert standing.unheeded(QUEUE)
    for api_version in ("v1", "apps/v1", "batch/v1", "watchkeeper.dev/v1alpha1"):
        assert standing.unheeded(QUEUE.model_copy(update={"api_version": api_version})) == ""


def test_it_is_told_once() -> None:
    standing = KueueStanding(lambda: {"v1": ALL})
    looks = [standing.look(view(after=timedelta(seconds=second))) for second in range(3)]
    assert [each is not None for each in looks] == [True, False, False]
    assert standing.details()["since"] == "2026-11-02T09:00:00Z"


@pytest.mark.parametrize(
    "odd",
    [
        {**queue(), "status": "none"},
        {**queue(), "status": {"conditions": "none"}},
        {**queue(), "status": {"conditions": [5, {"observedGeneration": "two"}, {"observedGeneration": True}]}},
        {**queue(), "metadata": {"name": "gpu", "generation": "many"}},
        {**manager(1), "status": "none"},
        {**manager(1), "status": {"readyReplicas": "one"}},
        {**manager(1), "metadata": {"name": "m", "namespace": "n", "labels": ["a"]}},
        workload("w"),
        local_queue(),
    ],
)
def test_odd_objects_end_nothing(odd: Json) -> None:
    assert KueueStanding(lambda: WHOLE).look(view(queue(name="whole"), odd)) is not None
