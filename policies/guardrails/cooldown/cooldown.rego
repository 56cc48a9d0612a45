# METADATA
# title: Cooldown
# description: |
#   The same action on the same target has to show its effect before it is tried again, and one kind of action may not
#   be done too often in all. An action without limits of its own has the default's. Within one incident the next rung
#   of a repair ladder does not wait: that the last one did not help has been seen.
package watchkeeper.guardrails.cooldown

limits := object.union(
	object.get(data.limits, ["cooldown", "default"], {}),
	object.get(data.limits, ["cooldown", input.proposal.action], {}),
)

# METADATA
# title: Too soon on this target
# custom:
#   code: cooldown.target
#   message: "{action} was done to {target} less than {per_target} ago, at {at}"
#   remedy: Wait for the cooldown, or look by hand into why the first time did not help
deny contains {"code": "cooldown.target", "params": {
	"action": action,
	"target": target,
	"per_target": per_target,
	"at": at,
}} if {
	not data.watchkeeper.lib.gives_back
	per_target := limits.per_target
	at := max([past.at |
		some past in data.watchkeeper.lib.on_target_within(per_target)
		not data.watchkeeper.lib.next_rung(past)
	])
	action := input.proposal.action
	target := data.watchkeeper.lib.target_ref
}

# METADATA
# title: Too often in all
# custom:
#   code: cooldown.total
#   message: "{action} was done {done} times within {window}; the limit is {limit}"
#   remedy: Find out by hand why it is needed so often, or wait until the window has passed
deny contains {"code": "cooldown.total", "params": {
	"action": action,
	"done": done,
	"window": window,
	"limit": limit,
}} if {
	limit := limits.total.count
	window := limits.total.window
	not data.watchkeeper.lib.gives_back
	not data.watchkeeper.lib.calls_support
	done := count(data.watchkeeper.lib.alike_within(window))
	done >= limit
	action := input.proposal.action
}
