"""The troubles that a day can bring, one file each: what happens, what is right about it, and what would tempt.

Adding one is a file and a line here; the order is part of what a seed means.
"""

from agent.scenarios.generate.site import Trouble
from agent.scenarios.generate.troubles import (
    admission_loop,
    alert_unknown,
    application_xid,
    contradicting_telemetry,
    exporter_vanishes,
    finished_but_alive,
    flapping_node,
    idle_notebook,
    idle_serving,
    node_comes_back,
    notebook_wakes,
    queue_starved,
    quota_without_pods,
    repair_fails,
    service_saturated,
    stuck_gang_completes,
    throttling,
    training_crashes,
    training_hangs,
    two_stuck_gangs,
    xid_74_under_gang,
    xid_79_on_empty_node,
    xid_79_under_gang,
    xid_95_under_gang,
)

ALL: tuple[Trouble, ...] = (
    xid_79_under_gang.TROUBLE,
    idle_notebook.TROUBLE,
    two_stuck_gangs.TROUBLE,
    application_xid.TROUBLE,
    xid_79_on_empty_node.TROUBLE,
    notebook_wakes.TROUBLE,
    throttling.TROUBLE,
    idle_serving.TROUBLE,
    contradicting_telemetry.TROUBLE,
    exporter_vanishes.TROUBLE,
    stuck_gang_completes.TROUBLE,
    flapping_node.TROUBLE,
    repair_fails.TROUBLE,
    alert_unknown.TROUBLE,
    training_hangs.TROUBLE,
    service_saturated.TROUBLE,
    xid_95_under_gang.TROUBLE,
    training_crashes.TROUBLE,
    finished_but_alive.TROUBLE,
    quota_without_pods.TROUBLE,
    admission_loop.TROUBLE,
    queue_starved.TROUBLE,
    xid_74_under_gang.TROUBLE,
    node_comes_back.TROUBLE,
)
