package watchkeeper.guardrails.freshness_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.freshness.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

piece(kind, age_s) := {"kind": kind, "age_s": age_s}

seen(pieces) := data.watchkeeper.examples.cordon_with({"facts": {"evidence": pieces}})

reclaim_with(idle) := object.union(data.watchkeeper.examples.reclaim, {"facts": {"idle": idle}})

test_evidence_may_be_five_minutes_old if {
	deny(seen([piece("object", 300)]), limits) == set()
	deny(seen([piece("object", 301)]), limits) == {"freshness.stale"}
}

test_the_look_itself_makes_nothing_else_fresh if {
	deny(seen([piece("object", 0), piece("metric", 301)]), limits) == {"freshness.stale"}
	deny(seen([piece("metric", 301), piece("object", 0), piece("forecast", 0)]), limits) == {"freshness.stale"}
	deny(seen([piece("signal", 0), piece("metric", 301)]), limits) == {"freshness.stale"}
}

test_a_kind_that_nobody_thought_of_is_a_look if deny(seen([piece("dream", 301)]), limits) == {"freshness.stale"}

test_what_was_told_is_looked_at_again_and_may_be_a_day_old if {
	deny(seen([piece("object", 0), piece("signal", 86400)]), limits) == set()
	deny(seen([piece("object", 0), piece("signal", 86401)]), limits) == {"freshness.old_news"}
	deny(seen([piece("object", 0), piece("signal", 86401), piece("signal", 60)]), limits) == set()
}

test_other_limits_for_what_was_told_and_for_clocks if {
	own := data.watchkeeper.examples.with_limits({"freshness": {"evidence": "5m", "signal": "1h", "skew": "10s"}})
	deny(seen([piece("object", 0), piece("signal", 3601)]), own) == {"freshness.old_news"}
	deny(seen([piece("object", -11)]), own) == {"freshness.future"}
	deny(seen([piece("object", -10)]), own) == set()
}

test_what_was_told_alone_is_as_fresh_as_a_look if {
	deny(seen([piece("signal", 300)]), limits) == set()
	deny(seen([piece("signal", 301)]), limits) == {"freshness.stale"}
	deny(seen([piece("signal", 900), piece("signal", 300)]), limits) == set()
}

test_old_news_keeps_nobody_from_giving_back_or_calling if {
	old := {"facts": {"evidence": [piece("object", 0), piece("signal", 86401)]}}
	back := object.union(data.watchkeeper.examples.cordon_with({"proposal": {"action": "uncordon_node"}}), old)
	deny(back, limits) == set()
	support := {"proposal": {"parameters": {"operation": "support"}}}
	deny(object.union_n([data.watchkeeper.examples.repair, support, old]), limits) == set()
	deny(object.union(data.watchkeeper.examples.repair, old), limits) == {"freshness.old_news"}
}

test_clocks_differ_by_a_minute_at_most if {
	deny(seen([piece("object", -60)]), limits) == set()
	deny(seen([piece("object", -61)]), limits) == {"freshness.future"}
	deny(seen([piece("object", -60.5)]), limits) == {"freshness.future"}
	deny(seen([piece("object", 0), piece("signal", -61)]), limits) == {"freshness.future"}
	deny(seen([piece("metric", -61), piece("object", 0)]), limits) == {"freshness.future"}
	deny(reclaim_with({"observed_at": "2026-11-02T09:01:01Z"}), limits) == {"freshness.future"}
}

test_no_evidence_is_not_fresh if deny(seen([]), limits) == {"freshness.unknown"}

test_idleness_must_be_fresh_itself if {
	deny(data.watchkeeper.examples.reclaim, limits) == set()
	deny(reclaim_with({"observed_at": "2026-11-02T08:54:00Z"}), limits) == {"freshness.stale"}
}

test_idleness_without_a_time_is_no_evidence if {
	deny(reclaim_with({"observed_at": null}), limits) == {"freshness.unknown"}
	deny(object.union(data.watchkeeper.examples.reclaim, {"facts": {"idle": null}}), limits) == {"freshness.unknown"}
}

test_idleness_matters_to_a_reclaim_only if {
	given := data.watchkeeper.examples.cordon_with({"facts": {"idle": {"observed_at": "2026-11-02T08:00:00Z"}}})
	deny(given, limits) == set()
}

test_the_way_back_needs_no_telemetry if {
	none := {"facts": {"evidence": [], "idle": null}}
	deny(object.union(data.watchkeeper.examples.restore, none), limits) == set()
	every pieces in [[piece("object", 3601)], [piece("object", -3601)], [piece("object", 0), piece("signal", 86401)]] {
		deny(object.union(seen(pieces), {"proposal": {"undoes": "inc-1/0"}}), limits) == set()
	}
}
