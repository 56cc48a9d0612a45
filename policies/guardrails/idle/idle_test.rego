package watchkeeper.guardrails.idle_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.idle.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

reclaim := data.watchkeeper.examples.reclaim

reclaim_now := data.watchkeeper.examples.reclaim_now

seen(changes) := object.union(reclaim, {"facts": {"idle": changes}})

test_two_witnesses_for_long_enough if deny(reclaim, limits) == set()

test_one_witness_is_not_enough_however_often_it_speaks if {
	deny(seen({"witnesses": ["utilisation"]}), limits) == {"idle.witnesses"}
	deny(seen({"witnesses": ["utilisation", "utilisation"]}), limits) == {"idle.witnesses"}
}

test_no_evidence_is_no_idleness if {
	deny(object.union(reclaim, {"facts": {"idle": null}}), limits) == {"idle.witnesses", "idle.too_short"}
}

test_a_contradiction_is_a_fault_of_telemetry if {
	deny(seen({"contradictions": ["power_draw"]}), limits) == {"idle.contradiction"}
}

test_each_kind_of_workload_has_its_minimum if {
	deny(seen({"idle_s": 3599}), limits) == {"idle.too_short"}
	deny(seen({"idle_s": 3600}), limits) == set()
	deny(seen({"idle_s": 7199, "workload_class": "serving"}), limits) == {"idle.too_short"}
	deny(seen({"idle_s": 7199, "workload_class": "mystery"}), limits) == {"idle.too_short"}
	deny(seen({"idle_s": 7200, "workload_class": "mystery"}), limits) == set()
}

test_before_execution_nobody_needs_to_have_been_told if {
	deny(reclaim, limits) == set()
	deny(object.union(reclaim, {"phase": "execute"}), limits) == {"idle.notice"}
}

test_the_grace_must_be_over if {
	deny(reclaim_now, limits) == set()
	early := object.union(reclaim_now, {"facts": {"notice": {"given_at": "2026-11-02T08:45:01Z"}}})
	deny(early, limits) == {"idle.grace"}
	promised := object.union(reclaim_now, {"proposal": {"notice_s": 901}})
	deny(promised, limits) == {"idle.grace"}
}

test_other_actions_and_the_way_back_need_no_idleness if {
	deny(data.watchkeeper.examples.cordon, limits) == set()
	back := object.union(data.watchkeeper.examples.restore, {"phase": "execute", "facts": {"idle": null}})
	deny(back, limits) == set()
}

test_nobody_waits_for_a_grace_before_execution if {
	told := {"facts": {"notice": {"given_at": "2026-11-02T08:59:00Z"}}}
	deny(object.union(reclaim, told), limits) == set()
	deny(object.union(object.union(reclaim, told), {"phase": "execute"}), limits) == {"idle.grace"}
}

test_contradictions_stop_no_other_action if {
	given := data.watchkeeper.examples.cordon_with({"facts": {"idle": {"contradictions": ["power_draw"]}}})
	deny(given, limits) == set()
}

test_an_idle_time_that_is_no_number_is_none if deny(seen({"idle_s": "long"}), limits) == {"idle.too_short"}

test_the_grace_of_a_reclaim_holds_for_no_other_action if {
	given := data.watchkeeper.examples.cordon_with({
		"phase": "execute",
		"facts": {"notice": {"given_at": "2026-11-02T08:59:00Z"}},
	})
	deny(given, limits) == set()
}

test_what_another_action_promised_its_owner_is_no_grace_of_a_reclaim if {
	given := data.watchkeeper.examples.cordon_with({
		"phase": "execute",
		"proposal": {"notice_s": 600},
		"facts": {"notice": {"given_at": "2026-11-02T08:59:00Z"}},
	})
	deny(given, limits) == set()
}
