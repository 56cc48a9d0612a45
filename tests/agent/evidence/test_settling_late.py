"""Words with odd dates: however old or new a line says it is, telemetry is asked about of late only; and what was said
of the machine that had the name before counts neither in this incident nor in those before it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from agent.domain.incident import Incident
from agent.evidence.contradiction import LATELY_S
from agent.evidence.facts import Facts, gather
from agent.ports import Series
from evidence.field import NOW, Cluster, Foresees, Told, cluster
from evidence.test_contradiction import place, steps
from evidence.test_nodes_in_trouble import XIDS, logged

RISING = [float(n) for n in range(30)]


class Asked(Told):
    """How far back it was asked, at most, for what goes by steps of less than a minute."""

    furthest = timedelta(0)

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        assert start <= end
        if step < timedelta(minutes=1):
            self.furthest = max(self.furthest, end - start)
        return super().range(query, start, end, step)


def dated(moment: datetime, code: int = 79) -> Incident:
    about = logged(code)
    said = tuple(s.model_copy(update={"time": moment}) for s in about.signals)
    return about.model_copy(update={"signals": said, "opened_at": NOW})


def looked_at(about: Incident, where: Cluster, metrics: Told) -> Facts:
    return gather(about, where.view(), metrics, Foresees(), NOW, ())


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "2026-10-29T09:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("since_opened_s", [0, 90, 600])
def test_however_a_line_is_dated_telemetry_is_asked_of_late_only(moment: str, since_opened_s: int) -> None:
    about = dated(datetime.fromisoformat(moment))
    about = about.model_copy(update={"opened_at": NOW - timedelta(seconds=since_opened_s)})
    metrics = Asked(steps(RISING))
    assert looked_at(about, place(), metrics).values["xid"]["code"] == 79
    assert metrics.furthest <= timedelta(seconds=LATELY_S)


def begun(minutes_ago: int, **more: Any) -> Cluster:
    born = (NOW - timedelta(minutes=minutes_ago)).isoformat()
    return cluster().node("gpu-7", **more).change("Node", "gpu-7", {"metadata": {"creationTimestamp": born}})


def test_what_was_said_of_the_former_machine_is_no_fault_of_this_one() -> None:
    told = dated(NOW - timedelta(minutes=5))
    assert looked_at(told, begun(6), Told()).values["node"]["fault_active"]
    renewed = looked_at(told, begun(4), Told()).values
    assert (renewed["xid"], renewed["node"]["fault_active"]) == (None, False)


def test_its_own_gauge_still_tells_of_it() -> None:
    shown = Series({"__name__": XIDS, "Hostname": "gpu-7", "gpu": "3"}, ((NOW, 79.0),))
    facts = looked_at(dated(NOW - timedelta(minutes=5)), begun(4), Told(shown))
    assert (facts.values["xid"]["code"], facts.values["node"]["fault_active"]) == (79, True)
