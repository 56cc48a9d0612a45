package watchkeeper.guardrails.blast_radius_test

escalate(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.blast_radius.escalate with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

nodes(names) := data.watchkeeper.examples.cordon_with({"proposal": {"blast_radius": {"nodes": names}}})

after(given, history) := object.union(given, {"history": history})

past(node, at) := data.watchkeeper.examples.past("cordon_node", node, at)

test_two_of_twenty_are_ten_percent if {
	escalate(nodes(["gpu-7", "gpu-8"]), limits) == set()
	escalate(nodes(["gpu-7", "gpu-8", "gpu-9"]), limits) == {"blast_radius.node_limit"}
}

test_the_share_is_of_the_eligible_and_rounded_down if {
	given := object.union(nodes(["gpu-7", "gpu-8"]), {"facts": {"nodes": {"eligible": 19}}})
	escalate(given, limits) == {"blast_radius.node_limit"}
}

test_the_absolute_number_holds_in_a_large_cluster if {
	large := {"facts": {"nodes": {"total": 1000, "eligible": 1000}}}
	escalate(object.union(nodes(["a", "b", "c", "d"]), large), limits) == set()
	escalate(object.union(nodes(["a", "b", "c", "d", "e"]), large), limits) == {"blast_radius.node_limit"}
}

test_the_window_counts_different_names if {
	history := [past("gpu-1", "2026-11-02T08:31:00Z"), past("gpu-1", "2026-11-02T08:40:00Z")]
	escalate(after(nodes(["gpu-7"]), history), limits) == set()
	more := array.concat(history, [past("gpu-2", "2026-11-02T08:50:00Z")])
	escalate(after(nodes(["gpu-7"]), more), limits) == {"blast_radius.node_limit"}
}

test_the_window_ends if {
	history := [past("gpu-1", "2026-11-02T08:30:00Z"), past("gpu-2", "2026-11-02T08:30:00Z")]
	escalate(after(nodes(["gpu-7"]), history), limits) == set()
}

test_its_own_cordon_is_no_reason_against_the_repair_of_a_node if {
	facts := {"nodes": {"total": 10, "eligible": 9, "ineligible": ["gpu-7"]}}
	ten := object.union(data.watchkeeper.examples.repair, {"facts": facts})
	escalate(after(ten, [past("gpu-7", "2026-11-02T08:59:00Z")]), limits) == set()
	escalate(ten, limits) == {"blast_radius.node_limit"}
}

test_what_we_cordoned_ourselves_does_not_shrink_the_share if {
	facts := {"nodes": {"total": 20, "eligible": 19, "ineligible": ["gpu-1"]}}
	given := object.union(nodes(["gpu-7"]), {"facts": facts})
	escalate(after(given, [past("gpu-1", "2026-11-02T08:59:00Z")]), limits) == set()
	escalate(after(given, [past("gpu-2", "2026-11-02T08:59:00Z")]), limits) == {"blast_radius.node_limit"}
}

test_the_limit_never_exceeds_the_whole_cluster if {
	given := object.union(nodes(["gpu-7", "gpu-8"]), {"facts": {"nodes": {"total": 19, "eligible": 19}}})
	escalate(after(given, [past("gpu-7", "2026-11-02T08:59:00Z")]), limits) == {"blast_radius.node_limit"}
}

test_giving_back_widens_nothing if {
	given := object.union(nodes(["a", "b", "c"]), {"proposal": {"action": "uncordon_node"}})
	escalate(given, limits) == set()
	escalate(object.union(nodes(["a", "b", "c"]), {"proposal": {"undoes": "inc-1/0"}}), limits) == set()
	history := [object.union(past(node, "2026-11-02T08:59:00Z"), {"undo": true}) | some node in ["a", "b", "c"]]
	escalate(after(nodes(["gpu-7"]), history), limits) == set()
}

test_gangs_and_workloads_have_limits_of_their_own if {
	two := data.watchkeeper.examples.cordon_with({"proposal": {"blast_radius": {"gangs": ["a", "b"]}}})
	escalate(two, limits) == set()
	three := data.watchkeeper.examples.cordon_with({"proposal": {"blast_radius": {"gangs": ["a", "b", "c"]}}})
	escalate(three, limits) == {"blast_radius.gang_limit"}
	five := data.watchkeeper.examples.cordon_with({"proposal": {"blast_radius": {"workloads": ["a", "b", "c", "d", "e"]}}})
	escalate(five, limits) == set()
	six := object.union(five, {"proposal": {"blast_radius": {"workloads": ["a", "b", "c", "d", "e", "f"]}}})
	escalate(six, limits) == {"blast_radius.workload_limit"}
}

test_what_touches_no_node_is_not_stopped_for_nodes if {
	history := [past(node, "2026-11-02T08:59:00Z") | some node in ["a", "b", "c"]]
	escalate(after(data.watchkeeper.examples.requeue, history), limits) == set()
}

test_giving_back_gangs_and_workloads_widens_nothing if {
	many := {"gangs": ["a", "b", "c"], "workloads": ["a", "b", "c", "d", "e", "f"]}
	given := data.watchkeeper.examples.cordon_with({"proposal": {"blast_radius": many, "undoes": "inc-1/0"}})
	escalate(given, limits) == set()
}

test_what_touches_no_gang_or_workload_is_not_stopped_for_them if {
	many := {"gangs": ["a", "b", "c"], "workloads": ["a", "b", "c", "d", "e", "f"]}
	history := [object.union(past("requeue_gang", "2026-11-02T08:59:00Z"), many)]
	escalate(after(nodes([]), history), limits) == set()
}

test_telling_people_and_uncordoning_touch_nothing if {
	history := [data.watchkeeper.examples.past(action, node, "2026-11-02T08:59:00Z") |
		some action in ["notify", "uncordon_node"]
		some node in ["a", "b", "c"]
	]
	escalate(after(nodes(["gpu-7"]), history), limits) == set()
}
