# METADATA
# title: The cost of being wrong
# description: |
#   Some changes are right only if the diagnosis is, and cost their owner dearly if it is not: fewer replicas of what
#   serves, an older version of what was just released, a gang out of its queue. A person looks at those first, whatever
#   the level of autonomy. Which ones, the limits say.
package watchkeeper.guardrails.cost

# METADATA
# title: Ask first
# custom:
#   code: cost.ask_first
#   message: "{action} on {target} stops work that runs, and being wrong about it costs its owner dearly"
#   remedy: Look at the evidence, then approve or reject; cost.ask_first in the limits says which actions ask
escalate contains {"code": "cost.ask_first", "params": {"action": action, "target": target}} if {
	input.proposal.destructive
	not data.watchkeeper.lib.is_undo
	action := input.proposal.action
	action in data.limits.cost.ask_first
	target := data.watchkeeper.lib.target_ref
}
