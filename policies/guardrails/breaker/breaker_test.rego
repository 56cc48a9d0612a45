package watchkeeper.guardrails.breaker_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.breaker.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

after(action, nodes) := object.union(data.watchkeeper.examples.cordon_with({"proposal": {"action": action}}), {
	"facts": {"nodes": {"total": 4, "eligible": 2}},
	"history": [data.watchkeeper.examples.past("cordon_node", node, "2026-11-02T08:56:00Z") | some node in nodes],
})

test_half_of_all_nodes_trips_it if {
	deny(after("cordon_node", ["a"]), limits) == set()
	deny(after("cordon_node", ["a", "a"]), limits) == set()
	deny(after("cordon_node", ["a", "b"]), limits) == {"breaker.tripped"}
	deny(after("requeue_gang", ["a", "b"]), limits) == {"breaker.tripped"}
}

test_it_never_stops_an_uncordon if deny(after("uncordon_node", ["a", "b"]), limits) == set()

test_an_empty_cluster_has_no_breaker_to_trip if {
	deny(object.union(after("cordon_node", []), {"facts": {"nodes": {"total": 0, "eligible": 0}}}), limits) == set()
}

breaker(state) := {"standing": {"breaker": state}}

test_once_tripped_it_stays_so if {
	tripped := breaker({"tripped_at": "2026-11-01T08:00:00Z"})
	deny(object.union(after("cordon_node", []), tripped), limits) == {"breaker.open"}
	deny(object.union(after("uncordon_node", []), tripped), limits) == set()
}

test_what_was_touched_before_the_reset_counts_no_more if {
	reset := breaker({"reset_at": "2026-11-02T08:57:00Z"})
	deny(object.union(after("cordon_node", ["a", "b"]), reset), limits) == set()
	early := breaker({"reset_at": "2026-11-02T08:56:00Z"})
	deny(object.union(after("cordon_node", ["a", "b"]), early), limits) == {"breaker.tripped"}
}
