# METADATA
# title: Attempts
# description: A fault that comes back after several repairs is not mended by one more; it goes to support.
package watchkeeper.guardrails.attempts

own_limit := data.limits.attempts[input.proposal.action]

limit := own_limit

limit := data.limits.attempts["default"] if not own_limit

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
	not data.watchkeeper.lib.gives_back
	not data.watchkeeper.lib.calls_support
	window := limit.window
	tried := count(data.watchkeeper.lib.recent(data.watchkeeper.lib.alike_on_target, window))
	tried >= limit.count
	action := input.proposal.action
	target := data.watchkeeper.lib.target_ref
}
