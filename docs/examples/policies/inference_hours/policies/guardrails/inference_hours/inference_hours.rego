# METADATA
# title: Production inference in business hours
# description: |
#   Nodes that serve production are drained in business hours only if their own people agree, too. Who is asked anyway
#   is still asked. Hours that nobody looked up count as business hours.
package watchkeeper.guardrails.inference_hours

hours := data.limits.inference_hours

serves_production if {
	input.proposal.action in hours.actions
	input.facts.target.labels[hours.label.key] == hours.label.value
}

outside if {
	some window in input.facts.windows
	window.name == hours.window
	window.open == false
}

# METADATA
# title: Its own people must agree
# custom:
#   code: inference_hours.ask_owners
#   message: "{target} serves production, and it is within {window}: {count} of {group} must agree, too"
#   remedy: Approve it if it cannot wait, or wait until the window has closed
escalate contains {"code": "inference_hours.ask_owners", "params": {
	"target": target,
	"window": window,
	"count": needed,
	"group": group,
}} if {
	serves_production
	not outside
	target := data.watchkeeper.lib.target_ref
	window := hours.window
	needed := hours.approvers.count
	group := hours.approvers.name
}

approvers contains group if {
	serves_production
	not outside
	group := hours.approvers
}
