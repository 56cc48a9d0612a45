# METADATA
# title: Fresh evidence
# description: What was seen too long ago is no reason to act. Taking back our own deed needs no telemetry.
package watchkeeper.guardrails.freshness

limit := data.limits.freshness.evidence

seen contains moment if {
	moment := input.facts.evidence_observed_at
	is_string(moment)
}

seen contains moment if {
	input.proposal.action == "reclaim_idle_gpu"
	moment := input.facts.idle.observed_at
	is_string(moment)
}

dated if is_string(input.facts.evidence_observed_at)

# METADATA
# title: Stale evidence
# custom:
#   code: freshness.stale
#   message: "The evidence was seen {age_s} s ago; it may be at most {limit} old"
#   remedy: Look again; if the telemetry has stopped, mend that first
deny contains {"code": "freshness.stale", "params": {"age_s": age, "limit": allowed}} if {
	not data.watchkeeper.lib.is_undo
	age := floor(max([data.watchkeeper.lib.age_s(moment) | some moment in seen]))
	allowed := limit
	age > data.watchkeeper.lib.seconds(allowed)
}

# METADATA
# title: No evidence
# custom:
#   code: freshness.unknown
#   message: Nobody can say when the evidence was seen
#   remedy: Attach evidence with the time at which it was observed
deny contains {"code": "freshness.unknown", "params": {}} if {
	not data.watchkeeper.lib.is_undo
	not dated
}
