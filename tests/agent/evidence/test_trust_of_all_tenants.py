"""What one tenant's outcomes say of another: nothing in favour, and for all of them where all are let act."""

from datetime import UTC, datetime, timedelta
from typing import Any

from agent.domain.cluster import ObjectRef
from agent.domain.outcome import PastAction
from agent.domain.standing import ANY_TENANT, Change, ClassLevel, Level, Standing, WrongAction
from agent.evidence.trust import demotions

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
EARNED = {"demotion": {"failures": 3, "window": "24h"}}
ACT: dict[str, Any] = {"autonomy": {"default": "act"}, "earned": EARNED}
ASK: dict[str, Any] = {"autonomy": {"default": "act_with_approval"}, "earned": EARNED}
BROKEN = {"outcome": "failed", "helped": None}


def requeued(
    number: int, tenant: str, *, hours: float = 1, outcome: str = "succeeded", helped: Any = True
) -> PastAction:
    target = ObjectRef(api_version="batch/v1", kind="Job", namespace=tenant, name=f"job-{number}")
    at, incident = NOW - timedelta(hours=hours), f"inc-{number}"
    about = {"incident": incident, "proposal": f"{incident}/0", "tenant": tenant}
    return PastAction(at=at, action="requeue_gang", target=target, outcome=outcome, helped=helped, **about)  # type: ignore[arg-type]


def granted(tenant: str) -> ClassLevel:
    said = {"change": Change.GRANTED, "upon": Level.ACT_WITH_APPROVAL, "at": NOW - timedelta(hours=5)}
    return ClassLevel(action="requeue_gang", tenant=tenant, level=Level.ACT, **said)  # type: ignore[arg-type]


def lost(history: list[PastAction], limits: dict[str, Any], standing: Standing) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.tenant, each.proposals) for each in demotions(history, limits, standing, NOW)]


def test_a_grant_for_all_tenants_is_lost_for_all_with_the_first_failure_at_one() -> None:
    history = [requeued(1, "research"), requeued(2, "vision", helped=False)]
    assert lost(history, ASK, Standing(levels=(granted(ANY_TENANT),))) == [(ANY_TENANT, ("inc-2/0",))]


def test_a_grant_by_name_is_lost_by_that_name_alone() -> None:
    both = Standing(levels=(granted("research"), granted("vision")))
    assert lost([requeued(1, "research"), requeued(2, "vision", helped=False)], ASK, both) == [("vision", ("inc-2/0",))]


def test_what_a_person_called_wrong_for_one_tenant_ends_the_grant_for_all() -> None:
    wrong = WrongAction(proposal="inc-1/0", action="requeue_gang", tenant="vision", at=NOW)
    standing = Standing(levels=(granted(ANY_TENANT),), wrong=(wrong,))
    assert lost([requeued(1, "vision")], ASK, standing) == [(ANY_TENANT, ("inc-1/0",))]


def test_what_breaks_once_with_each_of_many_tenants_is_as_bad_as_often_with_one() -> None:
    history = [requeued(n, f"team-{n}", hours=n, **BROKEN) for n in (1, 2, 3)]
    assert lost(history[:2], ACT, Standing()) == []
    assert lost(history, ACT, Standing()) == [(ANY_TENANT, ("inc-3/0", "inc-2/0", "inc-1/0"))]


def test_what_breaks_often_with_one_tenant_is_lost_for_that_one() -> None:
    history = [requeued(n, "vision", **BROKEN) for n in (1, 2, 3)] + [requeued(4, "research", **BROKEN)]
    assert lost(history, ACT, Standing()) == [("vision", ("inc-1/0", "inc-2/0", "inc-3/0"))]


def test_who_restored_it_for_all_knew_of_every_tenants_failures() -> None:
    history = [requeued(n, "vision", hours=3, **BROKEN) for n in (1, 2, 3)]
    assert lost(history, ACT, Standing(restored=(("requeue_gang", "research", NOW - timedelta(hours=2)),))) != []
    assert lost(history, ACT, Standing(restored=(("requeue_gang", ANY_TENANT, NOW - timedelta(hours=2)),))) == []
