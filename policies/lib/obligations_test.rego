package watchkeeper.lib_test

notice_s(given) := notice if {
	notice := data.watchkeeper.lib.notice_s with input as given with data.limits as data.watchkeeper.examples.limits
}

test_the_owner_has_the_longest_of_what_was_said if {
	notice_s(data.watchkeeper.examples.reclaim) == 900
	notice_s(object.union(data.watchkeeper.examples.reclaim, {"proposal": {"notice_s": 901}})) == 901
}

test_what_is_given_back_comes_without_notice if notice_s(data.watchkeeper.examples.restore) == 0

test_other_actions_give_the_notice_that_they_promise if {
	notice_s(data.watchkeeper.examples.cordon) == 0
	promised := {"notice_s": 60}
	notice_s(data.watchkeeper.examples.cordon_with({"proposal": promised})) == 60
	back := object.union(promised, {"undoes": "inc-1/0"})
	notice_s(data.watchkeeper.examples.cordon_with({"proposal": back})) == 60
}

asking(groups) := asked if {
	asked := data.watchkeeper.lib.approval with input as data.watchkeeper.examples.cordon
		with data.limits as data.watchkeeper.examples.limits
		with data.watchkeeper.lib.wanted as groups
}

test_who_is_asked_is_what_the_limits_say if {
	asking(set()).groups == [{"name": "gpu-oncall", "count": 1}]
}

test_a_guardrail_asks_one_group_more_or_more_of_a_group if {
	asking({{"name": "owners", "count": 2}}).groups == [
		{"name": "gpu-oncall", "count": 1},
		{"name": "owners", "count": 2},
	]
	asking({{"name": "gpu-oncall", "count": 2}}).groups == [{"name": "gpu-oncall", "count": 2}]
	asking({{"name": "b", "count": 1}, {"name": "a", "count": 1}, {"name": "a", "count": 3}}).groups == [
		{"name": "gpu-oncall", "count": 1},
		{"name": "a", "count": 3},
		{"name": "b", "count": 1},
	]
}

test_no_guardrail_asks_less_than_the_limits if {
	some few in [{{"name": "platform-leads", "count": 1}}]
	asked := data.watchkeeper.lib.approval with input.proposal.action as "set_queue_quota"
		with data.limits as data.watchkeeper.examples.limits
		with data.watchkeeper.lib.wanted as few
	asked.groups == [{"name": "platform-leads", "count": 2}]
}

test_a_later_tier_asks_no_less if {
	tier := {"groups": [{"name": "leads", "count": 1}], "approve_within": "30m"}
	some approvals in [{"approvals": {"default": {"tiers": [tier]}}}]
	limits := object.union(data.watchkeeper.examples.limits, approvals)
	asked := data.watchkeeper.lib.approval with input as data.watchkeeper.examples.cordon
		with data.limits as limits
		with data.watchkeeper.lib.wanted as {{"name": "owners", "count": 2}}
	asked.tiers == [{"approve_within_s": 1800, "groups": [
		{"name": "leads", "count": 1},
		{"name": "owners", "count": 2},
	]}]
}

test_a_guardrail_is_heard if {
	wanted := data.watchkeeper.lib.wanted with data.watchkeeper.guardrails.site as {"approvers": {{"name": "a", "count": 1}}}
	wanted == {{"name": "a", "count": 1}}
}
