package watchkeeper.guardrails.freeze_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.freeze.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

year_end := {"name": "year-end", "from": "2026-11-01T00:00:00Z", "to": "2026-11-03T00:00:00Z"}

frozen(changes) := data.watchkeeper.examples.with_limits({"freezes": [object.union(year_end, changes)]})

cordon := data.watchkeeper.examples.cordon

reclaim := data.watchkeeper.examples.reclaim

test_a_freeze_denies_what_it_names if {
	deny(cordon, frozen({})) == {"freeze.active"}
	deny(cordon, frozen({"actions": ["*"]})) == {"freeze.active"}
	deny(cordon, frozen({"actions": ["cordon_node"]})) == {"freeze.active"}
	deny(cordon, frozen({"actions": ["drain_node"]})) == set()
}

test_selectors_are_joined_by_and if {
	deny(reclaim, frozen({"actions": ["*"], "tenants": ["research"]})) == {"freeze.active"}
	deny(reclaim, frozen({"actions": ["*"], "tenants": ["law"]})) == set()
	deny(reclaim, frozen({"actions": ["drain_node"], "tenants": ["research"]})) == set()
}

test_what_is_excepted_goes_on if deny(cordon, frozen({"except": ["cordon_node", "uncordon_node"]})) == set()

test_it_begins_and_ends_on_time if {
	deny(cordon, frozen({"from": "2026-11-02T09:00:00Z"})) == {"freeze.active"}
	deny(cordon, frozen({"from": "2026-11-02T09:00:01Z"})) == set()
	deny(cordon, frozen({"to": "2026-11-02T09:00:00Z"})) == set()
	deny(cordon, frozen({"to": "2026-11-02T10:00:01+01:00"})) == {"freeze.active"}
}

test_taking_back_our_own_deed_is_no_change if deny(data.watchkeeper.examples.restore, frozen({})) == set()
