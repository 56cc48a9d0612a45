# METADATA
# title: Disruption
# description: |
#   A disruption budget is asked by the Eviction API, but not by whoever writes a smaller number of replicas. So the
#   same limit is kept here, and what serves keeps at least one replica; to stop what serves nobody is to reclaim it,
#   with the evidence that this takes.
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
