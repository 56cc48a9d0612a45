"""The questions a case may ask, each with the file that has the core answer it."""

from collections.abc import Callable, Mapping

from scheduler_core.cases import ask_explain, ask_flavors, ask_preempt, ask_quota, ask_schedule, ask_share, ask_topology
from scheduler_core.cases.form import Answer, Ask, Case
from scheduler_core.snapshot import Snapshot

ASKS: Mapping[Ask, Callable[[Case, Snapshot], Answer]] = {
    Ask.QUOTA: ask_quota.answer,
    Ask.SHARE: ask_share.answer,
    Ask.TOPOLOGY: ask_topology.answer,
    Ask.FLAVORS: ask_flavors.answer,
    Ask.PREEMPT: ask_preempt.answer,
    Ask.SCHEDULE: ask_schedule.answer,
    Ask.EXPLAIN: ask_explain.answer,
}
