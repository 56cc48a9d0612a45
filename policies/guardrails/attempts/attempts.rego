# METADATA
# title: Attempts
# description: A fault that comes back after several repairs is not mended by one more; it goes to support.
package watchkeeper.guardrails.attempts

limit := own if {
	own := data.limits.attempts[input.proposal.action]
} else := data.limits.attempts["default"]

# METADATA
# title: Tried often enough
# custom:
#   code: attempts.cap
#   message: "{action} was tried {tried} times on {target} within {window}, and here it is again"
#   remedy: Hand the case to support (request_node_repair with operation support)
deny contains {"code": "attempts.cap", "params": {
	"action": action,
	"target": target,
	"tried": tried,
	"window": window,
}} if {
	window := limit.window
	not data.watchkeeper.lib.gives_back
	not data.watchkeeper.lib.calls_support
	tried := count(data.watchkeeper.lib.on_target_within(window))
	tried >= limit.count
	action := input.proposal.action
	target := data.watchkeeper.lib.target_ref
}
