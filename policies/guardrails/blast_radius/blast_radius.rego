# METADATA
# title: Blast radius
# description: |
#   How many different nodes, gangs and workloads may be touched within a window, this proposal included. For nodes the
#   limit is the lower of a share of the eligible ones, rounded down, and an absolute number. Beyond it a person decides.
#   A node that we made ineligible ourselves within the window still counts as eligible: the cordon of a node is no
#   reason against its reboot, and does not shrink the share that the limit is of.
package watchkeeper.guardrails.blast_radius

limits := data.limits.blast_radius

# By kind: what was touched within its window, where the proposal touches any of the kind.
earlier := {kind: names |
	some kind in ["nodes", "gangs", "workloads"]
	count(input.proposal.blast_radius[kind]) > 0
	recent := data.watchkeeper.lib.within(limits[kind].window)
	names := {name |
		some past in recent
		some name in past[kind]
	}
}

touched := {kind: total |
	some kind, names in earlier
	proposed := {name | some name in input.proposal.blast_radius[kind]}
	total := count(names | proposed)
}

eligible := input.facts.nodes.eligible + count([name |
	some name in earlier.nodes
	name in input.facts.nodes.ineligible
])

node_limit := min(array.concat(
	[limit | limit := floor((limits.nodes.percent * eligible) / 100)],
	[limit | limit := limits.nodes.absolute],
))

# METADATA
# title: Too many nodes
# custom:
#   code: blast_radius.node_limit
#   message: "{touched} nodes would be touched within {window}; the limit is {limit} ({eligible} are eligible)"
#   remedy: Approve it if this is one fault and not a mistake of the agent, or wait until the window has passed
escalate contains {"code": "blast_radius.node_limit", "params": {
	"touched": total,
	"limit": limit,
	"eligible": of,
	"window": window,
}} if {
	not data.watchkeeper.lib.gives_back
	total := touched.nodes
	limit := node_limit
	total > limit
	of := eligible
	window := limits.nodes.window
}

# METADATA
# title: Too many gangs
# custom:
#   code: blast_radius.gang_limit
#   message: "{touched} gangs would be touched within {window}; the limit is {limit}"
#   remedy: Approve it if these gangs are lost anyway, or wait until the window has passed
escalate contains {"code": "blast_radius.gang_limit", "params": {
	"touched": total,
	"limit": limit,
	"window": window,
}} if {
	not data.watchkeeper.lib.gives_back
	total := touched.gangs
	limit := limits.gangs.absolute
	total > limit
	window := limits.gangs.window
}

# METADATA
# title: Too many workloads
# custom:
#   code: blast_radius.workload_limit
#   message: "{touched} workloads would be touched within {window}; the limit is {limit}"
#   remedy: Approve it if it is meant, or wait until the window has passed
escalate contains {"code": "blast_radius.workload_limit", "params": {
	"touched": total,
	"limit": limit,
	"window": window,
}} if {
	not data.watchkeeper.lib.gives_back
	total := touched.workloads
	limit := limits.workloads.absolute
	total > limit
	window := limits.workloads.window
}
