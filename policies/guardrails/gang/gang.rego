# METADATA
# title: Gang integrity
# description: |
#   A gang's pods start together or not at all, so taking some of them stops them all and frees nothing in order: an
#   action touches a gang whole or not at all. This includes a repair of a node on which a gang's pods still run: first
#   the gang is requeued whole. Stopping a whole gang that is healthy throws away work since its last checkpoint, which
#   a person weighs; idle gangs are another matter, that is what the idle evidence is for.
package watchkeeper.guardrails.gang

# METADATA
# title: Part of a gang
# custom:
#   code: gang.partial
#   message: "This would stop {touched} of the {running} running pods of {gang}, and so stop them all"
#   remedy: Requeue the gang whole first
deny contains {"code": "gang.partial", "params": {"gang": name, "touched": touched, "running": running}} if {
	some gang in input.facts.gangs
	gang.touched > 0
	not gang.whole
	name := gang.ref
	touched := gang.touched
	running := gang.running
}

# METADATA
# title: A healthy gang
# custom:
#   code: gang.healthy
#   message: "{gang} runs and is healthy; this destroys what it computed since its last checkpoint"
#   remedy: Approve it if that is worth it, after asking the owner when the last checkpoint was
escalate contains {"code": "gang.healthy", "params": {"gang": name}} if {
	input.proposal.destructive
	input.proposal.action != "reclaim_idle_gpu"
	some gang in input.facts.gangs
	gang.touched > 0
	gang.healthy
	name := gang.ref
}
