# METADATA
# title: Breaker
# description: |
#   When this agent has touched a large share of all nodes within a short time, something is wrong with the agent or
#   with the site, and in both cases the right thing is to touch nothing more. Once tripped it stays so until a person
#   resets it, and what was touched before that counts no more. Uncordoning is never stopped.
package watchkeeper.guardrails.breaker

limit := data.limits.blast_radius.breaker

touched := {node |
	some past in data.watchkeeper.lib.within(limit.window)
	time.parse_rfc3339_ns(past.at) >= reset
	some node in past.nodes
}

default reset := 0

reset := time.parse_rfc3339_ns(input.standing.breaker.reset_at) if is_string(input.standing.breaker.reset_at)

# METADATA
# title: The breaker has tripped
# custom:
#   code: breaker.tripped
#   message: The agent touched {touched} of {total} nodes within {window}; the breaker trips at {percent}%
#   remedy: A person finds out why so many nodes needed help at once, and acts by hand until then
deny contains {"code": "breaker.tripped", "params": {
	"touched": many,
	"total": total,
	"window": window,
	"percent": percent,
}} if {
	input.proposal.action != "uncordon_node"
	many := count(touched)
	many > 0
	total := input.facts.nodes.total
	percent := limit.percent
	many * 100 >= percent * total
	window := limit.window
}

# METADATA
# title: The breaker is still open
# custom:
#   code: breaker.open
#   message: The breaker tripped at {at} and nobody has reset it
#   remedy: A person finds out why, then runs `watchkeeper policy levels reset-breaker`
deny contains {"code": "breaker.open", "params": {"at": at}} if {
	input.proposal.action != "uncordon_node"
	at := input.standing.breaker.tripped_at
	is_string(at)
}
