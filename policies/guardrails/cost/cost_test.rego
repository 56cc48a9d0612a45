package watchkeeper.guardrails.cost_test

escalate(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.cost.escalate with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

asking := data.watchkeeper.examples.with_limits({"cost": {"ask_first": ["rollback_workload"]}})

asked(changes) := object.union(data.watchkeeper.examples.requeue, {"proposal": changes})

test_what_costs_its_owner_dearly_is_asked_for if {
	escalate(asked({"action": "rollback_workload", "destructive": true}), asking) == {"cost.ask_first"}
	escalate(asked({"action": "requeue_gang", "destructive": true}), asking) == set()
}

test_what_stops_nothing_is_not if {
	escalate(asked({"action": "rollback_workload", "destructive": false}), asking) == set()
}

test_our_own_change_is_taken_back if {
	given := {"action": "rollback_workload", "destructive": false, "undoes": "inc-1/0"}
	escalate(asked(given), asking) == set()
}

test_without_a_list_nothing_asks if {
	limits := data.watchkeeper.examples.limits
	escalate(asked({"action": "rollback_workload", "destructive": true}), limits) == set()
}
