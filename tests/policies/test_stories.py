"""What an officer of the watch may do, told as decisions of the shipped policies with the shipped limits."""

from collections.abc import Callable

from tests.policies.conftest import Gate
from tests.policies.inputs import ago, cordon, past, reclaim, repair, requeue, seen, tell, uncordon

GateWith = Callable[..., Gate]


def test_as_shipped_the_agent_only_suggests() -> None:
    as_shipped = Gate({})
    assert as_shipped(cordon()) == ("deny", {"autonomy.suggest"})
    assert as_shipped(tell()) == ("allow", {"autonomy.notify"})


def test_an_xid_79_node_is_cordoned_its_gang_requeued_whole_and_a_reboot_asked_for(gate: Gate) -> None:
    assert gate(cordon()) == ("allow", {"autonomy.act"})
    cordoned = past("cordon_node", "gpu-7", minutes=1)
    assert gate(requeue().after(cordoned)) == ("allow", {"autonomy.act"})
    assert gate(repair().in_a_cluster_of(20, eligible=19).after(cordoned)) == ("allow", {"autonomy.act"})


def test_a_reboot_under_a_running_gang_waits_for_the_requeue(gate: Gate) -> None:
    gang = {"ref": "Workload/law/llama", "minimum": 8, "running": 8, "touched": 1, "whole": False, "healthy": False}
    assert gate(repair().seen(gangs=[gang])) == ("deny", {"gang.partial"})


def test_the_second_sick_node_of_sixteen_needs_a_person(gate: Gate) -> None:
    given = cordon("gpu-8").in_a_cluster_of(16, eligible=15).after(past("cordon_node", "gpu-7", minutes=10))
    assert gate(given) == ("escalate", {"blast_radius.node_limit"})
    message = gate.verdict(given)["reasons"][0]["message"]
    assert message == "2 nodes would be touched within 30m; the limit is 1 (15 are eligible)"


def test_when_half_of_the_nodes_were_touched_only_uncordoning_and_telling_go_on(gate: Gate) -> None:
    storm = [past("cordon_node", f"gpu-{i}", minutes=2) for i in range(8)]
    decision, reasons = gate(cordon("gpu-9").in_a_cluster_of(16, eligible=8).after(*storm))
    assert (decision, reasons) == ("deny", {"breaker.tripped"})
    assert gate(requeue().in_a_cluster_of(16, eligible=8).after(*storm))[0] == "deny"
    assert gate(uncordon("gpu-1").in_a_cluster_of(16, eligible=8).after(*storm))[0] == "allow"
    assert gate(tell().in_a_cluster_of(16, eligible=8).after(*storm))[0] == "allow"


def test_a_fault_that_returns_goes_to_support(gate: Gate) -> None:
    repaired = [past("request_node_repair", "gpu-7", days=day) for day in (1, 3, 5)]
    assert gate(repair().after(*repaired)) == ("deny", {"attempts.cap"})
    assert gate(repair(operation="support").after(*repaired)) == ("allow", {"autonomy.act"})


def test_a_reboot_that_did_not_help_is_not_repeated_at_once(gate: Gate) -> None:
    assert gate(repair().after(past("request_node_repair", "gpu-7", minutes=50))) == ("deny", {"cooldown.target"})
    assert gate(repair().after(past("request_node_repair", "gpu-7", minutes=60))) == ("allow", {"autonomy.act"})


def test_four_repairs_in_an_hour_are_enough_for_the_whole_cluster(gate: Gate) -> None:
    repaired = [past("request_node_repair", f"gpu-{i}", minutes=50) for i in range(4)]
    assert gate(repair("gpu-9").in_a_cluster_of(1000).after(*repaired)) == ("deny", {"cooldown.total"})


def test_an_idle_notebook_is_reclaimed_after_its_owner_had_time_to_speak_up(gate: Gate) -> None:
    assert gate(reclaim()) == ("allow", {"autonomy.act"})
    assert gate.verdict(reclaim())["obligations"]["notice_s"] == 15 * 60
    assert gate(reclaim().at_execution()) == ("deny", {"idle.notice"})
    assert gate(reclaim().at_execution(told=ago(minutes=14, seconds=59))) == ("deny", {"idle.grace"})
    assert gate(reclaim().at_execution(told=ago(minutes=15))) == ("allow", {"autonomy.act"})


def test_idleness_is_proven_or_it_is_none(gate: Gate) -> None:
    assert gate(reclaim(witnesses=["utilisation"])) == ("deny", {"idle.witnesses"})
    assert gate(reclaim(contradictions=["power_draw"])) == ("deny", {"idle.contradiction"})
    assert gate(reclaim(idle_s=3599)) == ("deny", {"idle.too_short"})
    assert gate(reclaim(idle_s=3600, workload_class="serving")) == ("deny", {"idle.too_short"})


def test_who_opts_out_is_left_alone_and_gets_back_what_was_taken(gate_with: GateWith) -> None:
    marked = {"labels": {}, "annotations": {"watchkeeper.dev/opt-out": "true"}}
    careful = gate_with(autonomy={"default": "act_with_approval"})
    assert careful(reclaim().seen(target=marked)) == ("deny", {"protected.opt_out"})
    assert careful(reclaim().seen(target=marked).undoing()) == ("allow", {"autonomy.undo"})


def test_the_platform_itself_is_never_touched(gate: Gate) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "gpu-operator", "name": "operator"}
    assert gate(reclaim().proposed(target=target)) == ("deny", {"protected.namespace"})


def test_a_smaller_healthy_gang_is_requeued_only_by_a_person(gate: Gate) -> None:
    assert gate(requeue(healthy=True)) == ("escalate", {"gang.healthy"})
    assert gate(requeue(healthy=False, running=5, touched=5)) == ("allow", {"autonomy.act"})


def test_a_model_alone_changes_nothing(gate: Gate) -> None:
    assert gate(requeue().by_a_model(confidence=1.0)) == ("escalate", {"confidence.model"})
    assert gate(cordon().by_a_model()) == ("escalate", {"confidence.model_change"})
    assert gate(cordon().by_a_model(confidence=0.4)) == ("escalate", {"confidence.low", "confidence.model_change"})


def test_a_freeze_stops_changes_but_not_what_it_excepts(gate_with: GateWith) -> None:
    freeze = {"name": "year-end", "from": ago(days=1), "to": ago(days=-1), "except": ["cordon_node"]}
    frozen = gate_with(freezes=[freeze])
    assert frozen(requeue()) == ("deny", {"freeze.active"})
    assert frozen(cordon()) == ("allow", {"autonomy.act"})
    assert frozen(tell()) == ("allow", {"autonomy.notify"})


def test_the_kill_switch(gate_with: GateWith) -> None:
    off = gate_with(autonomy={"default": "act", "kill_switch": True})
    assert off(cordon()) == ("deny", {"autonomy.kill_switch"})
    assert off(reclaim().undoing()) == ("deny", {"autonomy.kill_switch"})
    assert off(uncordon()) == ("allow", {"autonomy.act"})
    assert off(tell()) == ("allow", {"autonomy.notify"})


def test_a_tenants_incident_stays_with_the_tenant(gate_with: GateWith) -> None:
    scoped = gate_with(tenants={"research": {"namespaces": ["research-dev"]}})
    assert scoped(reclaim()) == ("deny", {"tenant.scope"})


def test_old_evidence_and_other_peoples_work(gate: Gate) -> None:
    assert gate(cordon().seen(evidence=[seen("metric", minutes=6), seen()])) == ("deny", {"freshness.stale"})
    assert gate(cordon().seen(evidence=[seen(minutes=-2)])) == ("deny", {"freshness.future"})
    assert gate(cordon().seen(evidence=[])) == ("deny", {"freshness.unknown"})
    assert gate(cordon().seen(conflicts=["nvsentinel"])) == ("deny", {"conflict.other_actor"})


def test_all_reasons_of_the_decision_are_given_and_none_of_a_milder_one(gate: Gate) -> None:
    given = requeue(healthy=True).by_a_model().seen(conflicts=["alice"], evidence=[])
    assert gate(given) == ("deny", {"conflict.other_actor", "freshness.unknown"})
    assert gate(requeue(healthy=True).by_a_model()) == ("escalate", {"confidence.model", "gang.healthy"})


def test_the_approvers_of_an_action(gate: Gate) -> None:
    asked = gate.verdict(cordon().by_a_model(confidence=0.1).proposed(action="set_queue_quota"))["approval"]
    assert [group["name"] for group in asked["groups"]] == ["gpu-oncall", "platform-leads"]
    assert (asked["approve_within_s"], asked["execute_within_s"]) == (3600, 1800)
    assert gate.verdict(cordon())["approval"] is None
