package watchkeeper.guardrails.autonomy_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.autonomy.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

escalate(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.autonomy.escalate with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

allow(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.autonomy.allow with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

at(changes) := data.watchkeeper.examples.with_limits({"autonomy": changes})

notify := data.watchkeeper.examples.cordon_with({"proposal": {"action": "notify"}})

uncordon := data.watchkeeper.examples.cordon_with({"proposal": {"action": "uncordon_node"}})

cordon := data.watchkeeper.examples.cordon

restore := data.watchkeeper.examples.restore

test_the_four_levels if {
	deny(cordon, at({"default": "observe"})) == {"autonomy.observe"}
	deny(cordon, at({"default": "suggest"})) == {"autonomy.suggest"}
	escalate(cordon, at({"default": "act_with_approval"})) == {"autonomy.approval"}
	allow(cordon, at({"default": "act_with_approval"})) == set()
	allow(cordon, at({"default": "act"})) == {"autonomy.act"}
}

test_an_action_is_raised_above_the_default if {
	allow(cordon, at({"default": "suggest", "actions": {"cordon_node": "act"}})) == {"autonomy.act"}
}

test_the_lowest_that_applies_counts if {
	levels := {"default": "act", "actions": {"reclaim_idle_gpu": "act"}, "tenants": {"research": "act_with_approval"}}
	escalate(data.watchkeeper.examples.reclaim, at(levels)) == {"autonomy.approval"}
	lower := object.union(levels, {"namespaces": {"research": "suggest"}})
	deny(data.watchkeeper.examples.reclaim, at(lower)) == {"autonomy.suggest"}
}

test_one_raised_namespace_of_two_raises_nothing if {
	drain := data.watchkeeper.examples.cordon_with({"facts": {"namespaces": {
		"dev": {"annotations": {}},
		"prod": {"annotations": {}},
	}}})
	deny(drain, at({"default": "suggest", "namespaces": {"dev": "act"}})) == {"autonomy.suggest"}
	allow(drain, at({"default": "suggest", "namespaces": {"dev": "act", "prod": "act"}})) == {"autonomy.act"}
}

test_a_tenant_is_known_by_the_namespaces_touched if {
	drain := data.watchkeeper.examples.cordon_with({"facts": {"namespaces": {"research": {"annotations": {}}}}})
	limits := object.union(at({"tenants": {"research": "observe"}}), {"tenants": {"research": {"namespaces": ["research"]}}})
	deny(drain, limits) == {"autonomy.observe"}
}

test_no_level_at_all_is_observe if {
	limits := object.union(object.remove(data.watchkeeper.examples.limits, ["autonomy"]), {"autonomy": {}})
	deny(cordon, limits) == {"autonomy.observe"}
}

test_the_kill_switch_stops_all_but_telling_and_uncordoning if {
	off := at({"kill_switch": true})
	deny(cordon, off) == {"autonomy.kill_switch"}
	deny(restore, off) == {"autonomy.kill_switch"}
	deny(notify, off) == set()
	deny(uncordon, off) == set()
}

test_telling_passes_from_suggest_up if {
	deny(notify, at({"default": "observe"})) == {"autonomy.observe"}
	allow(notify, at({"default": "observe"})) == set()
	deny(notify, at({"default": "suggest"})) == set()
	allow(notify, at({"default": "suggest"})) == {"autonomy.notify"}
	allow(notify, at({"default": "act"})) == {"autonomy.notify"}
	escalate(notify, at({"default": "act_with_approval"})) == set()
}

test_our_own_deed_is_taken_back_without_an_approval if {
	allow(restore, at({"default": "act_with_approval"})) == {"autonomy.undo"}
	escalate(restore, at({"default": "act_with_approval"})) == set()
	deny(restore, at({"default": "suggest"})) == {"autonomy.suggest"}
	allow(restore, at({"default": "act"})) == {"autonomy.act"}
}

test_an_undo_that_destroys_is_no_undo if {
	given := object.union(restore, {"proposal": {"destructive": true}})
	escalate(given, at({"default": "act_with_approval"})) == {"autonomy.approval"}
}

test_other_tenants_and_namespaces_have_no_say if {
	levels := {"default": "act", "tenants": {"law": "observe"}, "namespaces": {"law": "observe"}}
	allow(data.watchkeeper.examples.reclaim, at(levels)) == {"autonomy.act"}
	scoped := object.union(at(levels), {"tenants": {"law": {"namespaces": ["law"]}}})
	allow(data.watchkeeper.examples.reclaim, scoped) == {"autonomy.act"}
}
