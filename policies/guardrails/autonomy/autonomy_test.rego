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
	lesser := object.union(levels, {"namespaces": {"research": "suggest"}})
	deny(data.watchkeeper.examples.reclaim, at(lesser)) == {"autonomy.suggest"}
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

# What became of a level at run time.
standing(given, levels) := object.union(given, {"standing": {"levels": levels}})

grant(tenant, upon) := {"action": "cordon_node", "tenant": tenant, "level": "act", "change": "granted", "upon": upon}

loss(tenant) := {
	"action": "cordon_node",
	"tenant": tenant,
	"level": "act_with_approval",
	"change": "demoted",
	"upon": null,
}

asking := at({"default": "act_with_approval"})

of_research := data.watchkeeper.examples.cordon_with({"proposal": {"tenant": "research"}})

test_a_granted_level_lets_it_act if {
	allow(standing(cordon, [grant("*", "act_with_approval")]), asking) == {"autonomy.act"}
	escalate(standing(cordon, [grant("*", "act_with_approval")]), asking) == set()
}

test_a_grant_is_for_what_the_files_said_then if {
	granted := standing(cordon, [grant("*", "act_with_approval")])
	deny(granted, at({"default": "suggest"})) == {"autonomy.suggest"}
	deny(granted, at({"default": "act_with_approval", "actions": {"cordon_node": "observe"}})) == {"autonomy.observe"}
}

test_a_grant_is_for_its_action_only if {
	other := {"action": "drain_node", "tenant": "*", "level": "act", "change": "granted", "upon": "act_with_approval"}
	escalate(standing(cordon, [other]), asking) == {"autonomy.approval"}
}

test_a_grant_to_a_tenant_is_for_that_tenant if {
	granted := [grant("research", "act_with_approval")]
	allow(standing(of_research, granted), asking) == {"autonomy.act"}
	escalate(standing(cordon, granted), asking) == {"autonomy.approval"}
	law := data.watchkeeper.examples.cordon_with({"proposal": {"tenant": "law"}})
	escalate(standing(law, granted), asking) == {"autonomy.approval"}
}

test_a_grant_to_all_raises_no_tenant_that_the_files_name if {
	pinned := at({"default": "act_with_approval", "tenants": {"research": "act_with_approval"}})
	escalate(standing(of_research, [grant("*", "act_with_approval")]), pinned) == {"autonomy.approval"}
	allow(standing(of_research, [grant("research", "act_with_approval")]), pinned) == {"autonomy.act"}
}

test_a_grant_to_one_of_two_tenants_raises_nothing if {
	scoped := object.union(asking, {"tenants": {"law": {"namespaces": ["law"]}}})
	both := object.union(of_research, {"facts": {"namespaces": {"law": {"annotations": {}}}}})
	escalate(standing(both, [grant("research", "act_with_approval")]), scoped) == {"autonomy.approval"}
	granted := [grant("research", "act_with_approval"), grant("law", "act_with_approval")]
	allow(standing(both, granted), scoped) == {"autonomy.act"}
}

test_no_grant_rises_above_what_a_namespace_says if {
	seen := data.watchkeeper.examples.cordon_with({"facts": {"namespaces": {"prod": {"annotations": {}}}}})
	pinned := at({"default": "act_with_approval", "namespaces": {"prod": "act_with_approval"}})
	escalate(standing(seen, [grant("*", "act_with_approval")]), pinned) == {"autonomy.approval"}
}

test_a_lost_level_counts_whatever_the_files_say if {
	escalate(standing(cordon, [loss("*")]), at({"default": "act"})) == {"autonomy.approval"}
	deny(standing(cordon, [loss("*")]), at({"default": "suggest"})) == {"autonomy.suggest"}
}

test_the_last_word_on_a_tenant_goes_before_that_on_all if {
	levels := [loss("*"), grant("research", "act_with_approval")]
	allow(standing(of_research, levels), asking) == {"autonomy.act"}
	escalate(standing(cordon, levels), at({"default": "act"})) == {"autonomy.approval"}
	escalate(standing(of_research, [grant("*", "act_with_approval"), loss("research")]), asking) == {"autonomy.approval"}
}

test_one_lost_tenant_of_two_is_enough if {
	scoped := object.union(at({"default": "act"}), {"tenants": {"law": {"namespaces": ["law"]}}})
	both := object.union(of_research, {"facts": {"namespaces": {"law": {"annotations": {}}}}})
	escalate(standing(both, [loss("law")]), scoped) == {"autonomy.approval"}
}

test_frozen_it_does_nothing_but_tell_and_uncordon if {
	ice := {"standing": {"frozen": {"at": "2026-11-02T08:00:00Z", "by": "log"}}}
	deny(object.union(cordon, ice), at({"default": "act"})) == {"autonomy.frozen"}
	deny(object.union(restore, ice), at({"default": "act"})) == {"autonomy.frozen"}
	deny(object.union(notify, ice), at({"default": "act"})) == set()
	deny(object.union(uncordon, ice), at({"default": "act"})) == set()
}

test_a_tenant_speaks_for_itself if {
	raised := at({"default": "suggest", "tenants": {"research": "act"}})
	allow(of_research, raised) == {"autonomy.act"}
	deny(cordon, raised) == {"autonomy.suggest"}
}

test_a_word_on_another_class_leaves_the_word_on_all if {
	lost_elsewhere := object.union(loss("research"), {"action": "drain_node"})
	allow(standing(of_research, [grant("*", "act_with_approval"), lost_elsewhere]), asking) == {"autonomy.act"}
	allow(standing(of_research, [grant("*", "act_with_approval"), loss("law")]), asking) == {"autonomy.act"}
}

test_telling_somebody_is_telling_also_where_it_takes_something_back if {
	given := object.union(notify, {"proposal": {"undoes": "inc-1/0"}})
	allow(given, at({"default": "act_with_approval"})) == {"autonomy.notify"}
}
