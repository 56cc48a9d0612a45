"""What an agent with a new file takes over from the log, and what it leaves there."""

from collections.abc import Callable
from pathlib import Path

import pytest
from desk_world import Opened
from test_store_state import incident

from agent.adapters.store import Store
from agent.adapters.succession import KEPT_DAYS, Succession
from agent.domain.incident import IncidentState


def told(opened: Opened, name: str, *, closed: bool) -> None:
    one = incident(name, at=opened.clock.now())
    opened.ledger.record("incident", one.json_object(), attributes={"incident": name})
    if closed:
        opened.ledger.record("incident_closed", {"incident": name, "state": "resolved"})


def fresh(opened: Opened, folder: Path) -> tuple[Store, Callable[[bool], int]]:
    store = Store.open(folder / "fresh.db", clock=opened.clock, ledger=opened.ledger, durability="memory")
    return store, lambda elected: Succession(store, opened.log, lambda _: None).take_over(elected=elected)


def test_what_is_open_is_taken_over_however_old_and_what_has_ended_lately(opened: Opened, tmp_path: Path) -> None:
    told(opened, "inc-old", closed=True)
    opened.clock.pass_by(days=1)
    told(opened, "inc-open", closed=False)
    opened.clock.pass_by(days=KEPT_DAYS + 5)
    told(opened, "inc-lately", closed=True)
    store, take_over = fresh(opened, tmp_path)
    assert take_over(True) == 2
    assert [each.id for each in store.incidents.open()] == ["inc-open"]
    row = store.incidents.row("inc-lately")
    assert row is not None and row.state is IncidentState.RESOLVED
    store.close()


def test_of_a_log_in_which_all_has_ended_long_ago_nothing_is_read(opened: Opened, tmp_path: Path) -> None:
    told(opened, "inc-old", closed=True)
    opened.clock.pass_by(days=KEPT_DAYS + 1)
    store, take_over = fresh(opened, tmp_path)
    assert take_over(True) == 0
    store.close()


@pytest.mark.parametrize(("elected", "taken"), [(True, 1), (False, 0)])
def test_beside_others_only_who_knows_nothing_takes_over(
    opened: Opened, tmp_path: Path, elected: bool, taken: int
) -> None:
    store, take_over = fresh(opened, tmp_path)
    told(opened, "inc-1", closed=False)
    assert take_over(elected) == 1
    Succession(store, opened.log, lambda _: None).note(lambda: True)
    assert take_over(elected) == 0, "nobody else was in charge"
    opened.ledger.record("configuration", {"digest": "d", "settings": {}})
    told(opened, "inc-2", closed=False)
    assert take_over(elected) == taken
    store.close()


def test_who_leads_no_more_notes_nothing(opened: Opened, tmp_path: Path) -> None:
    store, _ = fresh(opened, tmp_path)
    told(opened, "inc-1", closed=False)
    Succession(store, opened.log, lambda _: None).note(lambda: False)
    assert store.seen.get() is None
    store.close()
