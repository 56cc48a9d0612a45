package watchkeeper.main_test

verdict(given) := decided if {
	decided := data.watchkeeper.main.verdict with input as given with data.limits as data.watchkeeper.examples.limits
}

test_what_the_level_allows_is_allowed if {
	decided := verdict(data.watchkeeper.examples.cordon)
	decided.decision == "allow"
	data.watchkeeper.examples.codes(decided.reasons) == {"autonomy.act"}
	decided.approval == null
}

test_deny_beats_escalate if {
	decided := verdict(object.union(data.watchkeeper.examples.requeue, {
		"proposal": {"confidence": 0.1},
		"facts": {"conflicts": ["nvsentinel"]},
	}))
	decided.decision == "deny"
	data.watchkeeper.examples.codes(decided.reasons) == {"conflict.other_actor"}
}

test_escalate_beats_allow_and_asks_the_default_group if {
	decided := verdict(data.watchkeeper.examples.cordon_with({"proposal": {"confidence": 0.1}}))
	decided.decision == "escalate"
	data.watchkeeper.examples.codes(decided.reasons) == {"confidence.low"}
	decided.approval == {
		"groups": [{"name": "gpu-oncall", "count": 1}],
		"approve_within_s": 3600,
		"execute_within_s": 1800,
		"tiers": [],
	}
}

test_tiers_are_asked_in_their_order_and_an_action_may_have_its_own if {
	leads := {"groups": [{"name": "platform-leads", "count": 2}], "approve_within": "30m"}
	chief := {"groups": [{"name": "chief", "count": 1}], "approve_within": "2h"}
	times := {"approve_within": "1h", "execute_within": "30m"}
	everybody := object.union({"groups": [{"name": "gpu-oncall", "count": 1}], "tiers": [leads, chief]}, times)
	limits := data.watchkeeper.examples.with_limits({"approvals": {"default": everybody, "cordon_node": {"tiers": [chief]}}})
	quota := data.watchkeeper.examples.cordon_with({"proposal": {"action": "drain_node", "confidence": 0.1}})
	asked := data.watchkeeper.main.verdict.approval.tiers with input as quota with data.limits as limits
	[[tier.groups[0].name, tier.approve_within_s] | some tier in asked] == [["platform-leads", 1800], ["chief", 7200]]
	unsure := data.watchkeeper.examples.cordon_with({"proposal": {"confidence": 0.1}})
	own := data.watchkeeper.main.verdict.approval.tiers with input as unsure with data.limits as limits
	[tier.groups[0].name | some tier in own] == ["chief"]
}

test_more_is_owed_where_the_limits_say_so if {
	limits := data.watchkeeper.examples.with_limits({"obligations": {
		"canary": ["cordon_node"],
		"eviction_only": ["*"],
		"rollback": ["drain_node"],
	}})
	cordon := data.watchkeeper.examples.cordon
	owed := data.watchkeeper.main.verdict.obligations with input as cordon with data.limits as limits
	[owed.canary, owed.eviction_only, owed.rollback] == [true, true, false]
	drain := data.watchkeeper.examples.cordon_with({"proposal": {"action": "drain_node"}})
	more := data.watchkeeper.main.verdict.obligations with input as drain with data.limits as limits
	[more.canary, more.eviction_only, more.rollback] == [false, true, true]
	bare := data.watchkeeper.examples.with_limits({"obligations": {"canary": [], "eviction_only": [], "rollback": []}})
	none := data.watchkeeper.main.verdict.obligations with input as cordon with data.limits as bare
	[none.canary, none.eviction_only, none.rollback] == [false, false, false]
}

test_an_action_may_have_its_own_approvers_and_the_default_times if {
	decided := verdict(data.watchkeeper.examples.cordon_with({"proposal": {"action": "set_queue_quota", "confidence": 0.1}}))
	decided.approval.groups == [{"name": "platform-leads", "count": 2}]
	decided.approval.approve_within_s == 3600
}

test_approvers_that_nobody_can_read_are_a_deny if {
	every asked in [
		"platform-leads",
		{"name": "platform-leads", "count": 1},
		["platform-leads"],
		{"platform-leads"},
		{{"name": "platform-leads"}},
		{{"name": "", "count": 1}},
		{{"name": 7, "count": 1}},
		{{"name": "platform-leads", "count": 0}},
		{{"name": "platform-leads", "count": 1.5}},
		{{"name": "platform-leads", "count": "2"}},
		{{"name": "platform-leads", "count": 1, "why": "so"}},
	] {
		decided := verdict(data.watchkeeper.examples.cordon) with data.watchkeeper.guardrails.site as {"approvers": asked}
		data.watchkeeper.examples.codes(decided.reasons) == {"main.approvers"}
		decided.reasons[0].params == {"guardrail": "site"}
	}
}

test_approvers_that_can_be_read_are_heard if {
	asked := {{"name": "platform-leads", "count": 1}}
	decided := verdict(data.watchkeeper.examples.cordon) with data.watchkeeper.guardrails.site as {"approvers": asked}
	not data.watchkeeper.examples.codes(decided.reasons) == {"main.approvers"}
}

test_a_person_is_told_whatever_the_approvers if {
	told := data.watchkeeper.examples.cordon_with({"proposal": {"action": "notify"}})
	decided := verdict(told) with data.watchkeeper.guardrails.site as {"approvers": "leads"}
	decided.decision == "allow"
}

test_what_nobody_allows_is_denied if {
	unknown := data.watchkeeper.examples.with_limits({"autonomy": {"default": "whatever"}})
	decided := data.watchkeeper.main.verdict with input as data.watchkeeper.examples.cordon with data.limits as unknown
	decided.decision == "deny"
	data.watchkeeper.examples.codes(decided.reasons) == {"main.nothing_allows"}
}

test_a_missing_fact_leaves_nothing_but_deny if {
	every path in [
		["now"], ["phase"], ["proposal", "action"], ["proposal", "blast_radius"], ["facts", "nodes"],
		["standing"], ["standing", "frozen"], ["standing", "levels"], ["facts", "windows"], ["facts", "evidence"],
	] {
		decided := verdict(json_without(data.watchkeeper.examples.cordon, path))
		decided.decision == "deny"
		data.watchkeeper.examples.codes(decided.reasons) == {"main.no_verdict"}
	}
}

json_without(document, path) := object.remove(document, path) if count(path) == 1

json_without(document, path) := object.union(object.remove(document, [path[0]]), {path[0]: rest}) if {
	count(path) > 1
	rest := object.remove(document[path[0]], [path[1]])
}

test_telling_people_is_heard_by_no_guardrail_but_autonomy if {
	decided := verdict(data.watchkeeper.examples.cordon_with({
		"proposal": {"action": "notify", "confidence": 0.1},
		"facts": {"conflicts": ["nvsentinel"], "evidence": []},
	}))
	decided.decision == "allow"
	decided.obligations.dry_run == false
}

test_a_reclaim_obliges_to_the_longest_of_notice_and_grace if {
	verdict(data.watchkeeper.examples.reclaim).obligations.notice_s == 900
	promised := object.union(data.watchkeeper.examples.reclaim, {"proposal": {"notice_s": 3600}})
	verdict(promised).obligations.notice_s == 3600
	verdict(data.watchkeeper.examples.restore).obligations.notice_s == 0
}

test_a_proposal_may_promise_its_owner_more_time_for_any_action if {
	verdict(data.watchkeeper.examples.cordon_with({"proposal": {"notice_s": 60}})).obligations.notice_s == 60
}

test_that_nothing_allows_it_is_said_only_when_nothing_else_is if {
	suggesting := data.watchkeeper.examples.with_limits({"autonomy": {"default": "suggest"}})
	decided := data.watchkeeper.main.verdict with input as data.watchkeeper.examples.cordon with data.limits as suggesting
	data.watchkeeper.examples.codes(decided.reasons) == {"autonomy.suggest"}
	asked := data.watchkeeper.examples.with_limits({"autonomy": {"default": "act_with_approval"}})
	escalated := data.watchkeeper.main.verdict with input as data.watchkeeper.examples.cordon with data.limits as asked
	escalated.decision == "escalate"
}
