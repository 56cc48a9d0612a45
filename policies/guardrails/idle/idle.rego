# METADATA
# title: Idle evidence
# description: |
#   GPUs are taken back only when independent witnesses agree for as long as the kind of workload asks, and after the
#   owner was told and had time to speak up. Notice and grace are matters of the moment of execution: before, they show
#   as the obligation notice_s, which is the longest of idle.notice, idle.grace and what the proposal promised.
package watchkeeper.guardrails.idle

reclaims if {
	input.proposal.action == "reclaim_idle_gpu"
	not data.watchkeeper.lib.is_undo
}

class_minimum := data.limits.idle.minimum[input.facts.idle.workload_class]

# An unknown kind of workload gets the benefit of the doubt.
minimum_s := data.watchkeeper.lib.seconds(class_minimum)

minimum_s := longest if {
	reclaims
	not class_minimum
	longest := max([data.watchkeeper.lib.seconds(minimum) | some minimum in data.limits.idle.minimum])
}

default idle_s := 0

idle_s := seconds if {
	seconds := input.facts.idle.idle_s
	is_number(seconds)
}

default notice_given := false

notice_given if is_string(input.facts.notice.given_at)

# METADATA
# title: Too few witnesses
# custom:
#   code: idle.witnesses
#   message: "{count} of {needed} independent witnesses say that {target} is idle"
#   remedy: Make more telemetry available (engine activity, power draw, requests served), or ask the owner
deny contains {"code": "idle.witnesses", "params": {"count": found, "needed": needed, "target": target}} if {
	reclaims
	found := count({witness | some witness in input.facts.idle.witnesses})
	needed := data.limits.idle.witnesses
	found < needed
	target := data.watchkeeper.lib.target_ref
}

# METADATA
# title: The witnesses contradict each other
# custom:
#   code: idle.contradiction
#   message: "Telemetry contradicts itself about {target}: {witnesses}"
#   remedy: Mend the telemetry; a contradiction is a fault of it, not idleness
deny contains {"code": "idle.contradiction", "params": {"witnesses": named, "target": target}} if {
	reclaims
	named := input.facts.idle.contradictions
	count(named) > 0
	target := data.watchkeeper.lib.target_ref
}

# METADATA
# title: Not idle for long enough
# custom:
#   code: idle.too_short
#   message: "{target} has been idle for {idle_s} s; a {class} must be idle for {minimum_s} s"
#   remedy: Wait; most of what pauses is soon busy again
deny contains {"code": "idle.too_short", "params": {
	"target": target,
	"idle_s": seconds,
	"minimum_s": minimum,
	"class": class,
}} if {
	reclaims
	seconds := idle_s
	minimum := minimum_s
	seconds < minimum
	target := data.watchkeeper.lib.target_ref
	class := object.get(input.facts, ["idle", "workload_class"], "workload")
}

# METADATA
# title: The owner was not told
# custom:
#   code: idle.notice
#   message: The owner of {target} has not been told that its GPUs will be taken back
#   remedy: Tell the owner and wait
deny contains {"code": "idle.notice", "params": {"target": target}} if {
	reclaims
	input.phase == "execute"
	not notice_given
	target := data.watchkeeper.lib.target_ref
}

# METADATA
# title: The owner still has time to speak up
# custom:
#   code: idle.grace
#   message: "The owner of {target} was told at {given_at} and has {notice_s} s to speak up"
#   remedy: Wait until that time is over
deny contains {"code": "idle.grace", "params": {"target": target, "given_at": given_at, "notice_s": notice_s}} if {
	reclaims
	input.phase == "execute"
	notice_given
	given_at := input.facts.notice.given_at
	notice_s := data.watchkeeper.lib.notice_s
	data.watchkeeper.lib.age_s(given_at) < notice_s
	target := data.watchkeeper.lib.target_ref
}
