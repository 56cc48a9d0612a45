# METADATA
# title: GPU-hours stopped per tenant
# description: |
#   Each action that stops work costs its tenant GPU-hours. What was spent within the window and what is proposed now
#   stay below the tenant's cap, or it is not done. Taking back our own deed is free. What belongs to no tenant counts
#   together, under the name "". An action in the history that does not say how many GPUs it stopped may have stopped
#   any number.
package watchkeeper.guardrails.stopped_gpu_hours

limits := data.limits.stopped_gpu_hours

tenant := input.proposal.tenant

cap := object.get(limits.tenants, tenant, limits["default"])

asks := gpus * limits.hours[input.proposal.action] if {
	gpus := input.proposal.blast_radius.gpus
	is_number(gpus)
}

counted := [past |
	some past in data.watchkeeper.lib.within(limits.window)
	past.tenant == tenant
	limits.hours[past.action] > 0
]

spent := sum([cost |
	some past in counted
	is_number(past.gpus)
	cost := past.gpus * limits.hours[past.action]
])

unknown contains when if {
	some past in counted
	gpus := object.get(past, "gpus", null)
	not is_number(gpus)
	when := past.at
}

unknown contains when if {
	gpus := object.get(input.proposal.blast_radius, "gpus", null)
	not is_number(gpus)
	when := input.now
}

limited if {
	limits.hours[input.proposal.action] > 0
	not data.watchkeeper.lib.is_undo
}

# METADATA
# title: The cap is reached
# custom:
#   code: stopped_gpu_hours.cap
#   message: "Tenant {tenant} lost {spent} GPU-hours within {window}; this would add {asks}, and the cap is {cap}"
#   remedy: Ask the tenant and do it by hand, raise the cap, or wait until the window has passed
deny contains {"code": "stopped_gpu_hours.cap", "params": {
	"tenant": whose,
	"spent": before,
	"asks": more,
	"cap": most,
	"window": window,
}} if {
	limited
	before := spent
	more := asks
	most := cap
	before + more > most
	whose := tenant
	window := limits.window
}

# METADATA
# title: Nobody can say how much was lost
# custom:
#   code: stopped_gpu_hours.unknown
#   message: "Nobody can say how many GPUs were stopped at {when}, or would be now"
#   remedy: Do it by hand; once that action is out of the window it is counted again
deny contains {"code": "stopped_gpu_hours.unknown", "params": {"when": when}} if {
	limited
	count(unknown) > 0
	when := sort(unknown)
}
