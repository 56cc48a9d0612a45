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
