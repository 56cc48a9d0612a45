package watchkeeper.guardrails.window_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.window.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

nights := {"name": "nights", "cron": "0 22 * * *", "duration": "8h", "timezone": "Europe/Berlin"}

noon := {"name": "noon", "cron": "0 12 * * *", "duration": "1h", "timezone": "UTC"}

declared(changes) := data.watchkeeper.examples.with_limits({"windows": [object.union(nights, changes)]})

both := data.watchkeeper.examples.with_limits({"windows": [nights, noon]})

at(seen) := data.watchkeeper.examples.cordon_with({"facts": {"windows": seen}})

shut := {"name": "nights", "open": false, "opens": "2026-11-02T21:00:00Z", "closes": null}

open := {"name": "nights", "open": true, "opens": "2026-11-03T21:00:00Z", "closes": "2026-11-03T05:00:00Z"}

reclaim := object.union(data.watchkeeper.examples.reclaim, {"facts": {"windows": [shut]}})

test_where_none_is_declared_nothing_is_shut if deny(at([]), data.watchkeeper.examples.limits) == set()

test_outside_it_is_closed if {
	deny(at([shut]), declared({})) == {"window.closed"}
	deny(at([open]), declared({})) == set()
}

test_a_window_that_nobody_looked_at_is_shut if deny(at([]), declared({})) == {"window.closed"}

test_one_open_window_of_two_is_enough if {
	deny(at([shut, {"name": "noon", "open": true, "opens": null, "closes": null}]), both) == set()
	deny(at([shut, {"name": "noon", "open": false, "opens": null, "closes": null}]), both) == {"window.closed"}
}

test_selectors_are_joined_by_and if {
	deny(reclaim, declared({"actions": ["reclaim_idle_gpu"], "tenants": ["research"]})) == {"window.closed"}
	deny(reclaim, declared({"actions": ["reclaim_idle_gpu"], "tenants": ["law"]})) == set()
	deny(reclaim, declared({"actions": ["drain_node"], "tenants": ["research"]})) == set()
	deny(reclaim, declared({"actions": ["*"], "tenants": ["*"]})) == {"window.closed"}
}

test_what_is_excepted_goes_on if deny(at([shut]), declared({"except": ["cordon_node"]})) == set()

test_taking_back_our_own_deed_waits_for_no_window if {
	restore := object.union(data.watchkeeper.examples.restore, {"facts": {"windows": [shut]}})
	deny(restore, declared({})) == set()
}

test_it_says_when_the_next_one_opens if {
	reasons := data.watchkeeper.guardrails.window.deny with input as at([shut]) with data.limits as both
	some reason in reasons
	reason.params.windows == ["nights (opens 2026-11-02T21:00:00Z)", "noon"]
}

test_an_open_window_of_others_opens_nothing if {
	others := data.watchkeeper.examples.with_limits({"windows": [nights, object.union(noon, {"actions": ["drain_node"]})]})
	deny(at([shut, {"name": "noon", "open": true, "opens": null, "closes": null}]), others) == {"window.closed"}
}

test_one_that_never_opens_again_names_no_time if {
	never := object.union(shut, {"opens": null})
	reasons := data.watchkeeper.guardrails.window.deny with input as at([never]) with data.limits as declared({})
	some reason in reasons
	reason.params.windows == ["nights"]
}
