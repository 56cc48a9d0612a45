# METADATA
# title: Who diagnosed it, and how sure
# description: |
#   Only what a playbook diagnosed is ruled. Whoever else says so, a model or something with a name that nobody thought
#   of, alone changes nothing without a person, however sure it says it is.
package watchkeeper.guardrails.confidence

ruled if {
	startswith(input.proposal.source, "playbook:")
	input.proposal.source != "playbook:"
}

# METADATA
# title: A model's idea
# custom:
#   code: confidence.model
#   message: "{source} alone diagnosed this, and {action} stops or restarts running work"
#   remedy: Check the evidence, then approve or reject; a playbook for this symptom would make it a rule
escalate contains {"code": "confidence.model", "params": {"source": source, "action": action}} if {
	input.proposal.destructive
	not ruled
	source := input.proposal.source
	action := input.proposal.action
}

# METADATA
# title: A model's change
# custom:
#   code: confidence.model_change
#   message: "{source} alone diagnosed this, and {action} changes the cluster"
#   remedy: Check the evidence, then approve or reject; a playbook for this symptom would make it a rule
escalate contains {"code": "confidence.model_change", "params": {"source": source, "action": action}} if {
	not input.proposal.destructive
	not ruled
	source := input.proposal.source
	action := input.proposal.action
	action != "notify"
}

# METADATA
# title: Not sure enough
# custom:
#   code: confidence.low
#   message: "The diagnosis has a confidence of {confidence}, below 0.5"
#   remedy: Check the evidence, then approve or reject
escalate contains {"code": "confidence.low", "params": {"confidence": confidence}} if {
	confidence := input.proposal.confidence
	confidence < 0.5
	not data.watchkeeper.lib.is_undo
}
