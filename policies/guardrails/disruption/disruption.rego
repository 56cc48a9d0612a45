# METADATA
# title: Disruption
# description: |
#   A disruption budget is asked by the Eviction API, but not by whoever writes a smaller number of replicas. So the
#   same limit is kept here, and what serves keeps at least one replica; to stop what serves nobody is to reclaim it,
#   with the evidence that this takes. Nor does a repair ask: a reboot stops whoever is on the node, whatever their budget
#   says. So a node is emptied first, and one on which somebody works is repaired only when a person says so.
package watchkeeper.guardrails.disruption

gone := input.proposal.blast_radius.pods if {
	input.proposal.action == "scale_workload"
	input.proposal.destructive
}

remaining := max([0, rest]) if rest := input.facts.workload.pods - gone

must_stay contains minimum if {
	allowed := input.facts.workload.disruptions_allowed
	is_number(allowed)
	minimum := input.facts.workload.pods - allowed
}

must_stay contains minimum if {
	input.facts.workload.class == "serving"
	minimum := 1
}

# METADATA
# title: Too few would be left
# custom:
#   code: disruption.minimum_replicas
#   message: "{target} would be left with {left} pods; {minimum} must stay"
#   remedy: Scale it less, or ask its owner for another disruption budget
deny contains {"code": "disruption.minimum_replicas", "params": {"target": target, "left": left, "minimum": minimum}} if {
	minimum := max(must_stay)
	left := remaining
	left < minimum
	target := data.watchkeeper.lib.target_ref
}

repairs if {
	input.proposal.action == "request_node_repair"
	input.proposal.parameters.operation in {"reset_gpu", "reboot", "replace"}
}

# METADATA
# title: A repair under a disruption budget
# custom:
#   code: disruption.budget
#   message: "{operation} of {target} would stop {touched} pods at once; {budget} lets {allowed} go"
#   remedy: Drain the node first, as the budget lets pods go, or ask their owner for another disruption budget
deny contains {"code": "disruption.budget", "params": params} if {
	repairs
	some budget in input.facts.budgets
	budget.touched > budget.disruptions_allowed
	params := {
		"operation": input.proposal.parameters.operation,
		"target": data.watchkeeper.lib.target_ref,
		"touched": budget.touched,
		"budget": budget.ref,
		"allowed": budget.disruptions_allowed,
	}
}

# METADATA
# title: A repair under running pods
# custom:
#   code: disruption.running_pods
#   message: "{operation} of {target} would stop the {pods} pods that run there"
#   remedy: Drain the node first, or approve it once their owners have agreed to lose what runs
escalate contains {"code": "disruption.running_pods", "params": params} if {
	repairs
	input.proposal.blast_radius.pods > 0
	params := {
		"operation": input.proposal.parameters.operation,
		"target": data.watchkeeper.lib.target_ref,
		"pods": input.proposal.blast_radius.pods,
	}
}
