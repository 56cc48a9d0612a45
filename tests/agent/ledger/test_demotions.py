"""Anybody may demote, so no order of demotions comes to more than any one of them says."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from agent.adapters.ledger.standing import StandingFold
from agent.domain.standing import ANY_TENANT, Level
from agent.evidence.trust import effective
from tests.agent.store.desk_world import START

LIMITS: dict[str, Any] = {"autonomy": {"default": "act"}}
LAW = "law"


def said(change: str, tenant: str = ANY_TENANT, to: str = "") -> dict[str, str]:
    return {"change": change, "action": "drain_node", "tenant": tenant, "to": to, "by": "bob", "reason": "why"}


def level_after(*changes: dict[str, str], tenant: str = LAW) -> Level:
    fold = StandingFold()
    for minute, change in enumerate(changes):
        fold.see(START + timedelta(minutes=minute), change)
    return effective(LIMITS, fold.standing(), "drain_node", tenant)


@pytest.mark.parametrize("deep", [ANY_TENANT, LAW])
@pytest.mark.parametrize("shallow", [ANY_TENANT, LAW])
def test_a_demotion_never_raises(deep: str, shallow: str) -> None:
    lost = [said("demoted", deep, "observe"), said("demoted", shallow, "act_with_approval")]
    for order in permutations(lost):
        assert level_after(*order) is Level.OBSERVE


def test_of_another_tenant_it_says_nothing() -> None:
    lost = [said("demoted", LAW, "observe"), said("demoted", ANY_TENANT, "suggest")]
    assert level_after(*lost, tenant="web") is Level.SUGGEST


def test_restoring_ends_all_that_was_lost() -> None:
    lost = [said("demoted", ANY_TENANT, "observe"), said("demoted", LAW, "suggest"), said("withdrawn")]
    assert level_after(*lost) is Level.ACT
    assert level_after(*lost, said("demoted", LAW, "act_with_approval")) is Level.ACT_WITH_APPROVAL


def test_a_tenant_that_is_restored_stays_under_what_was_said_of_all() -> None:
    lost = [said("demoted", ANY_TENANT, "observe"), said("demoted", LAW, "suggest"), said("withdrawn", LAW)]
    assert level_after(*lost) is Level.OBSERVE
