package watchkeeper.guardrails.disruption_test

deny(given) := codes if {
	reasons := data.watchkeeper.guardrails.disruption.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

escalate(given) := codes if {
	reasons := data.watchkeeper.guardrails.disruption.escalate with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

# Four pods of which so many go.
scaled_down(gone, class, allowed) := object.union(data.watchkeeper.examples.requeue, {
	"proposal": {"action": "scale_workload", "destructive": true, "blast_radius": {"pods": gone}},
	"facts": {"workload": {"class": class, "pods": 4, "disruptions_allowed": allowed}},
})

too_few := {"disruption.minimum_replicas"}

test_no_more_go_than_the_budget_lets_go if {
	deny(scaled_down(1, "batch", 1)) == set()
	deny(scaled_down(2, "batch", 1)) == too_few
	deny(scaled_down(4, "batch", null)) == set()
}

test_what_serves_keeps_one if {
	deny(scaled_down(3, "serving", null)) == set()
	deny(scaled_down(4, "serving", null)) == too_few
	deny(scaled_down(5, "serving", null)) == too_few
}

test_more_pods_and_other_actions_are_not_meant if {
	up := object.union(scaled_down(4, "serving", 0), {"proposal": {"destructive": false}})
	deny(up) == set()
	reclaimed := object.union(scaled_down(4, "serving", 0), {"proposal": {"action": "reclaim_idle_gpu"}})
	deny(reclaimed) == set()
	deny(object.union(scaled_down(4, "serving", 0), {"facts": {"workload": null}})) == set()
}

# A repair of a node on which so many pods run, under a budget that lets so many go.
repaired(operation, pods, allowed) := object.union(data.watchkeeper.examples.repair, {
	"proposal": {"parameters": {"operation": operation}, "blast_radius": {"pods": pods}},
	"facts": {"budgets": [{"ref": "PodDisruptionBudget/law/chat", "disruptions_allowed": allowed, "touched": pods}]},
})

test_a_repair_asks_the_budget_that_it_would_break if {
	deny(repaired("reboot", 2, 1)) == {"disruption.budget"}
	deny(repaired("replace", 1, 0)) == {"disruption.budget"}
	deny(repaired("reset_gpu", 1, 0)) == {"disruption.budget"}
	deny(repaired("reboot", 1, 1)) == set()
	deny(repaired("diagnose", 1, 0)) == set()
	deny(object.union(repaired("reboot", 1, 0), {"proposal": {"action": "drain_node"}})) == set()
}

test_a_repair_under_running_pods_is_for_a_person if {
	escalate(repaired("reboot", 1, 1)) == {"disruption.running_pods"}
	escalate(repaired("reset_gpu", 1, 1)) == {"disruption.running_pods"}
	escalate(repaired("replace", 3, 3)) == {"disruption.running_pods"}
	escalate(repaired("reboot", 0, 0)) == set()
	escalate(repaired("support", 1, 0)) == set()
	escalate(object.union(repaired("reboot", 1, 0), {"proposal": {"action": "drain_node"}})) == set()
}
