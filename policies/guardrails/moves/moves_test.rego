package watchkeeper.guardrails.moves_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.moves.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

escalate(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.moves.escalate with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

moving(action, pods) := object.union(
	data.watchkeeper.examples.requeue,
	{"proposal": {"action": action, "parameters": {"moves": [{"pod": {"name": pod}} | some pod in pods]}}},
)

test_two_moves_are_housekeeping if {
	escalate(moving("defragment", ["a", "b"]), limits) == set()
	escalate(moving("defragment", ["a", "b", "c"]), limits) == {"moves.many"}
	escalate(moving("requeue_gang", ["a", "b", "c"]), limits) == set()
}

test_more_than_a_handful_is_no_defragmentation if {
	deny(moving("defragment", ["a", "b", "c", "d"]), limits) == set()
	deny(moving("defragment", ["a", "b", "c", "d", "e"]), limits) == {"moves.too_many"}
}

test_a_site_may_say_how_many if {
	strict := data.watchkeeper.examples.with_limits({"moves": {"alone": 0, "at_most": 1}})
	escalate(moving("defragment", ["a"]), strict) == {"moves.many"}
	deny(moving("defragment", ["a", "b"]), strict) == {"moves.too_many"}
}
