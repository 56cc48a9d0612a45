# METADATA
# title: Fresh evidence
# description: |
#   What was seen too long ago is no reason to act. A diagnosis rests on every piece of evidence that a look brought, so
#   the oldest of them counts, never the newest; what somebody told (a line, an event, an alert) is told once and looked
#   at again and again, so it has a limit of its own. A time that is ahead of ours by more than clocks differ is no time
#   at which anything was seen. Taking back our own deed needs no telemetry.
package watchkeeper.guardrails.freshness

looks := [seen.age_s |
	some seen in input.facts.evidence
	seen.kind != "signal"
]

told := [seen.age_s |
	some seen in input.facts.evidence
	seen.kind == "signal"
]

# What must be fresh, in seconds: where nothing was looked at, what was told last is all there is.
seen_s := age if {
	age := max(looks)
} else := min(told)

resting := array.concat([age | age := seen_s], [age | age := idle_age_s])

reclaims if input.proposal.action == "reclaim_idle_gpu"

idle_age_s := data.watchkeeper.lib.age_s(moment) if {
	reclaims
	moment := input.facts.idle.observed_at
	is_string(moment)
}

youngest := min(array.concat(resting, array.concat(looks, told)))

undated if count(resting) == 0

undated if {
	reclaims
	not idle_age_s
}

# METADATA
# title: Stale evidence
# custom:
#   code: freshness.stale
#   message: "The evidence was seen {age_s} s ago; it may be at most {limit} old"
#   remedy: Look again; if the telemetry has stopped, mend that first
deny contains {"code": "freshness.stale", "params": {"age_s": age, "limit": allowed}} if {
	age := floor(max(resting))
	allowed := data.limits.freshness.evidence
	age > data.watchkeeper.lib.seconds(allowed)
	not data.watchkeeper.lib.is_undo
}

# METADATA
# title: Old news
# custom:
#   code: freshness.old_news
#   message: "It was told {age_s} s ago for the last time; that may be at most {limit} ago"
#   remedy: Find out whether it is so still; what is told again is looked at again
deny contains {"code": "freshness.old_news", "params": {"age_s": age, "limit": allowed}} if {
	age := floor(min(told))
	allowed := object.get(data.limits, ["freshness", "signal"], "24h")
	age > data.watchkeeper.lib.seconds(allowed)
	not data.watchkeeper.lib.gives_back
	not data.watchkeeper.lib.calls_support
}

# METADATA
# title: Evidence of the future
# custom:
#   code: freshness.future
#   message: "Evidence is dated {ahead_s} s after the moment of this decision; clocks may differ by {skew}"
#   remedy: Set the clocks of the agent and of what sends it telemetry right
deny contains {"code": "freshness.future", "params": {"ahead_s": ahead, "skew": allowed}} if {
	ahead := ceil(0 - youngest)
	ahead > 0
	not data.watchkeeper.lib.is_undo
	allowed := object.get(data.limits, ["freshness", "skew"], "1m")
	ahead > data.watchkeeper.lib.seconds(allowed)
}

# METADATA
# title: No evidence
# custom:
#   code: freshness.unknown
#   message: Nobody can say when the evidence was seen
#   remedy: Attach evidence with the time at which it was observed
deny contains {"code": "freshness.unknown", "params": {}} if {
	undated
	not data.watchkeeper.lib.is_undo
}
