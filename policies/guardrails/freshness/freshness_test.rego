package watchkeeper.guardrails.freshness_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.freshness.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

seen_at(moment) := data.watchkeeper.examples.cordon_with({"facts": {"evidence_observed_at": moment}})

test_evidence_may_be_five_minutes_old if {
	deny(seen_at("2026-11-02T08:55:00Z"), limits) == set()
	deny(seen_at("2026-11-02T08:54:59Z"), limits) == {"freshness.stale"}
}

test_no_evidence_is_not_fresh if deny(seen_at(null), limits) == {"freshness.unknown"}

test_idleness_must_be_fresh_itself if {
	stale := {"facts": {"idle": {"observed_at": "2026-11-02T08:54:00Z"}}}
	deny(data.watchkeeper.examples.reclaim, limits) == set()
	deny(object.union(data.watchkeeper.examples.reclaim, stale), limits) == {"freshness.stale"}
}

test_the_way_back_needs_no_telemetry if {
	given := object.union(data.watchkeeper.examples.restore, {"facts": {"evidence_observed_at": null}})
	deny(given, limits) == set()
}

test_idleness_matters_to_a_reclaim_only if {
	given := data.watchkeeper.examples.cordon_with({"facts": {"idle": {"observed_at": "2026-11-02T08:00:00Z"}}})
	deny(given, limits) == set()
}

test_idleness_without_a_time_is_as_old_as_the_rest if {
	given := object.union(data.watchkeeper.examples.reclaim, {"facts": {"idle": {"observed_at": null}}})
	deny(given, limits) == set()
}

test_the_way_back_may_rest_on_old_evidence if {
	given := object.union(seen_at("2026-11-02T08:00:00Z"), {"proposal": {"undoes": "inc-1/0"}})
	deny(given, limits) == set()
}
