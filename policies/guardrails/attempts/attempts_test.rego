package watchkeeper.guardrails.attempts_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.attempts.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

repair := data.watchkeeper.examples.repair

days := ["2026-10-27T09:00:00Z", "2026-10-29T09:00:00Z", "2026-10-31T09:00:00Z"]

repaired(times) := [data.watchkeeper.examples.past("request_node_repair", "gpu-7", at) | some at in times]

after(given, history) := object.union(given, {"history": history})

test_the_fourth_repair_goes_to_support if {
	deny(after(repair, repaired(days)), limits) == {"attempts.cap"}
	deny(after(repair, repaired([days[0], days[1]])), limits) == set()
}

test_support_itself_passes if {
	call := object.union(repair, {"proposal": {"parameters": {"operation": "support"}}})
	deny(after(call, repaired(days)), limits) == set()
}

test_what_is_past_the_window_is_forgotten if {
	deny(after(repair, repaired(["2026-10-26T09:00:00Z", days[1], days[2]])), limits) == set()
}

test_other_targets_do_not_count if {
	history := [data.watchkeeper.examples.past("request_node_repair", "gpu-8", at) | some at in days]
	deny(after(repair, history), limits) == set()
}

test_an_action_without_a_cap_has_the_default_or_none if {
	cordon := data.watchkeeper.examples.cordon
	history := [data.watchkeeper.examples.past("cordon_node", "gpu-7", at) | some at in days]
	deny(after(cordon, history), limits) == set()
	capped := object.union(limits, {"attempts": {"default": {"count": 3, "window": "7d"}}})
	deny(after(cordon, history), capped) == {"attempts.cap"}
}

test_support_may_be_called_again_and_again if {
	call := object.union(repair, {"proposal": {"parameters": {"operation": "support"}}})
	called := [object.union(past, {"parameters": {"operation": "support"}}) | some past in repaired(days)]
	deny(after(call, called), limits) == set()
}

test_taking_back_is_never_one_too_many if {
	deny(after(object.union(repair, {"proposal": {"undoes": "inc-1/0", "destructive": false}}), repaired(days)), limits) == set()
}

test_its_own_cap_goes_before_the_default if {
	strict := object.union(limits, {"attempts": {"default": {"count": 1, "window": "7d"}}})
	deny(after(repair, repaired([days[0]])), strict) == set()
}
