package watchkeeper.guardrails.cooldown_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.cooldown.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.with_limits({"cooldown": {
	"default": {"per_target": "30m"},
	"request_node_repair": {"per_target": "1h", "total": {"count": 2, "window": "1h"}},
}})

cordon := data.watchkeeper.examples.cordon

repair := data.watchkeeper.examples.repair

after(given, history) := object.union(given, {"history": history})

past(action, node, at) := data.watchkeeper.examples.past(action, node, at)

test_the_same_on_the_same_target_waits if {
	deny(after(cordon, [past("cordon_node", "gpu-7", "2026-11-02T08:31:00Z")]), limits) == {"cooldown.target"}
	deny(after(cordon, [past("cordon_node", "gpu-7", "2026-11-02T08:30:00Z")]), limits) == set()
	deny(after(cordon, [past("cordon_node", "gpu-8", "2026-11-02T08:59:00Z")]), limits) == set()
	deny(after(cordon, [past("drain_node", "gpu-7", "2026-11-02T08:59:00Z")]), limits) == set()
}

test_what_was_asked_for_matters_to_repairs_alone if {
	earlier := object.union(past("cordon_node", "gpu-7", "2026-11-02T08:31:00Z"), {"parameters": {"operation": "support"}})
	deny(after(cordon, [earlier]), limits) == {"cooldown.target"}
}

test_an_action_has_its_own_cooldown if {
	deny(after(repair, [past("request_node_repair", "gpu-7", "2026-11-02T08:05:00Z")]), limits) == {"cooldown.target"}
}

test_one_kind_of_action_is_limited_in_all if {
	history := [past("request_node_repair", node, "2026-11-02T08:30:00Z") | some node in ["gpu-1", "gpu-2"]]
	deny(after(repair, history), limits) == {"cooldown.total"}
	deny(after(repair, [history[0]]), limits) == set()
}

test_support_can_be_called_at_any_time if {
	call := object.union(repair, {"proposal": {"parameters": {"operation": "support"}}})
	history := [past("request_node_repair", node, "2026-11-02T08:30:00Z") | some node in ["gpu-7", "gpu-2"]]
	deny(after(call, history), limits) == set()
	called := object.union(history[0], {"parameters": {"operation": "support"}})
	deny(after(call, [called]), limits) == {"cooldown.target"}
	deny(after(repair, [called]), limits) == set()
}

test_taking_back_waits_for_nothing_and_delays_nothing if {
	history := [past("cordon_node", "gpu-7", "2026-11-02T08:59:00Z")]
	deny(after(object.union(cordon, {"proposal": {"undoes": "inc-1/0"}}), history), limits) == set()
	deny(after(cordon, [object.union(history[0], {"undo": true})]), limits) == set()
}

test_the_total_does_not_stop_what_takes_back_or_calls_support if {
	history := [past("request_node_repair", node, "2026-11-02T08:30:00Z") | some node in ["gpu-1", "gpu-2"]]
	back := object.union(repair, {"proposal": {"undoes": "inc-1/0", "destructive": false}})
	deny(after(back, history), limits) == set()
	call := object.union(repair, {"proposal": {"parameters": {"operation": "support"}}})
	called := [object.union(one, {"parameters": {"operation": "support"}}) | some one in history]
	deny(after(call, called), limits) == set()
}

test_the_next_rung_of_one_incident_does_not_wait if {
	reset := object.union(past("request_node_repair", "gpu-7", "2026-11-02T08:30:00Z"), {
		"incident": "inc-1",
		"parameters": {"operation": "reset_gpu", "gpu_uuid": "GPU-1"},
	})
	deny(after(repair, [reset]), limits) == set()
	deny(after(repair, [object.union(reset, {"incident": "inc-0"})]), limits) == {"cooldown.target"}
	same := object.union(repair, {"proposal": {"parameters": {"operation": "reset_gpu", "gpu_uuid": "GPU-1"}}})
	deny(after(same, [reset]), limits) == {"cooldown.target"}
	other := object.union(repair, {"proposal": {"parameters": {"operation": "reset_gpu", "gpu_uuid": "GPU-2"}}})
	deny(after(other, [reset]), limits) == set()
}

test_a_diagnosis_and_a_repair_do_not_delay_each_other if {
	diagnosis := object.union(past("request_node_repair", "gpu-7", "2026-11-02T08:30:00Z"), {"parameters": {"operation": "diagnose"}})
	deny(after(repair, [diagnosis]), limits) == set()
	again := object.union(repair, {"proposal": {"parameters": {"operation": "diagnose"}}})
	deny(after(again, [diagnosis]), limits) == {"cooldown.target"}
}

test_what_is_being_decided_on_is_not_its_own_past if {
	held_up := object.union(past("request_node_repair", "gpu-7", "2026-11-02T08:30:00Z"), {"proposal": repair.proposal.id})
	deny(after(repair, [held_up]), limits) == set()
	earlier := object.union(held_up, {"proposal": "inc-0/2"})
	deny(after(repair, [earlier]), limits) == {"cooldown.target"}
}
