package watchkeeper.guardrails.holds_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.holds.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

escalate(given) := codes if {
	reasons := data.watchkeeper.guardrails.holds.escalate with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

reserve(until) := object.union(data.watchkeeper.examples.requeue, {"proposal": {
	"action": "reserve_capacity",
	"destructive": false,
	"parameters": {"nodes": ["gpu-7"], "until": until},
}})

endless := {"holds.reservation_end"}

test_a_reservation_ends_within_hours if {
	deny(reserve("2026-11-02T13:00:00Z"), limits) == set()
	deny(reserve("2026-11-02T13:00:01Z"), limits) == endless
	deny(reserve("2026-11-02T09:00:00Z"), limits) == endless
	deny(reserve(null), limits) == endless
}

test_a_site_may_say_how_long if {
	short := data.watchkeeper.examples.with_limits({"holds": {"reservation": "1h"}})
	deny(reserve("2026-11-02T10:00:00Z"), short) == set()
	deny(reserve("2026-11-02T10:30:00Z"), short) == endless
}

test_letting_go_needs_no_end if {
	deny(object.union(reserve("2026-11-02T08:00:00Z"), {"proposal": {"undoes": "inc-1/0"}}), limits) == set()
}

shut(changes) := object.union(
	data.watchkeeper.examples.requeue,
	{"proposal": object.union({"action": "hold_queue", "undoes": null, "destructive": false}, changes)},
)

test_a_person_says_yes_before_a_queue_is_shut if {
	escalate(shut({})) == {"holds.queue"}
	escalate(shut({"undoes": "inc-1/0"})) == set()
	escalate(shut({"action": "resume_queue"})) == set()
	escalate(data.watchkeeper.examples.requeue) == set()
}
