"""The breaker's sum, and that it is the one that the policies make."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agent.adapters.rego.engine import EmbeddedPolicyEngine
from agent.domain.cluster import node_ref
from agent.domain.outcome import PastAction
from agent.domain.standing import Standing
from agent.evidence.breaker import NOTICED_WITHIN, trip
from agent.resources import bundled
from tests.policies.inputs import cordon
from tests.tried import tried

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
LIMITS: dict[str, Any] = {"blast_radius": {"breaker": {"percent": 50, "window": "5m"}}}


def past(node: str, *, seconds: float = 60, action: str = "cordon_node", **more: Any) -> PastAction:
    return PastAction(
        at=NOW - timedelta(seconds=seconds),
        action=action,
        target=node_ref(node),
        outcome="succeeded",
        incident="inc-1",
        proposal=f"inc-1/{node}/{seconds}",
        nodes=(node,),
        **more,
    )


def trips(*history: PastAction, total: int = 4, standing: Standing | None = None, limits: Any = None) -> bool:
    return trip(history, limits or LIMITS, standing or Standing(), total, NOW) is not None


@pytest.mark.parametrize(
    ("history", "trips_it"),
    [
        ([], False),
        ([past("a")], False),
        ([past("a"), past("a", seconds=30)], False),
        ([past("a"), past("b")], True),
        ([past("a"), past("b", action="request_node_repair")], True),
        ([past("a"), past("b", action="uncordon_node")], False),
        ([past("a"), past("b", undo=True)], False),
        ([past("a", seconds=359), past("b")], True),
        ([past("a", seconds=360), past("b")], False),
    ],
)
def test_half_of_all_nodes_within_the_window(history: list[PastAction], trips_it: bool) -> None:
    assert trips(*history) is trips_it


def test_a_burst_is_noticed_late_and_not_for_ever() -> None:
    late = NOTICED_WITHIN.total_seconds()
    assert trips(past("a", seconds=late), past("b", seconds=late))
    assert not trips(past("a", seconds=late + 1), past("b", seconds=late + 1))


def test_what_was_touched_before_the_reset_counts_no_more_and_what_stands_does_not_trip_again() -> None:
    history = [past("a"), past("b")]
    assert not trips(*history, standing=Standing(breaker_reset_at=NOW - timedelta(seconds=59)))
    assert trips(*history, standing=Standing(breaker_reset_at=NOW - timedelta(seconds=60)))
    assert not trips(*history, standing=Standing(breaker_tripped_at=NOW))


def test_a_house_without_this_limit_has_no_breaker() -> None:
    assert not trips(past("a"), past("b"), limits={"blast_radius": {}})
    assert not trips(past("a"), past("b"), limits={"autonomy": {}})


ENGINE = EmbeddedPolicyEngine(bundled("policies"), {"autonomy": {"default": "act"}})
TOUCHES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", "e"]),
        st.integers(0, 400),
        st.sampled_from(["cordon_node", "request_node_repair", "uncordon_node", "drain_node"]),
        st.booleans(),
    ),
    max_size=6,
)


@tried(150)
@given(TOUCHES, st.integers(1, 12))
def test_it_is_the_sum_that_the_policies_make(touches: list[tuple[str, int, str, bool]], total: int) -> None:
    """As of the newest touch, where the two look at the same window."""
    newest = [seconds for _, seconds, action, undo in touches if action != "uncordon_node" and not undo]
    shift = min(newest, default=0)
    history = [past(node, seconds=s - shift, action=a, undo=u) for node, s, a, u in touches if s >= shift]
    told = [_as_policies_see(each) for each in history]
    document = cordon("gpu-99").in_a_cluster_of(total).after(*told).document
    codes = {reason["code"] for reason in ENGINE.decide(document)["reasons"]}
    found = trip(history, ENGINE.limits, Standing(), total, NOW)
    assert (found is not None) == ("breaker.tripped" in codes)
    if found is not None:
        said = next(r["message"] for r in ENGINE.decide(document)["reasons"] if r["code"] == "breaker.tripped")
        assert found.reason == said


def _as_policies_see(each: PastAction) -> dict[str, Any]:
    shown = each.json_object() | {"age_s": int((NOW - each.at).total_seconds()), "at": each.at.isoformat()}
    return {name: value for name, value in shown.items() if name not in ("helped", "verified_at")}
