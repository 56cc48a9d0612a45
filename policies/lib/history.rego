# What we did lately.
# Only actions that took something count: telling people, uncordoning and taking back our own deeds do not. Nor does what
# is being decided on, which may have been begun and held up.
package watchkeeper.lib

counted := [past |
	some past in input.history
	not past.undo
	object.get(past, "proposal", "") != input.proposal.id
	action := past.action
	not action in {"notify", "uncordon_node"}
]

# Reading a time costs more than all else here, and many rules ask: each is read once.
ages[past.at] := age_s(past.at) if some past in input.history

within(window) := recent(counted, window)

# The same action before. A repair, a diagnosis and a call for support are all asked of the repair system, but never
# stand for each other.
alike := [past |
	some past in counted
	past.action == input.proposal.action
	kind(past) == kind(input.proposal)
]

alike_on_target := [past |
	some past in alike
	ref(past.target) == target_ref
]

recent(actions, window) := found if {
	limit := seconds(window)
	found := [past |
		some past in actions
		ages[past.at] < limit
	]
}

default kind(_) := "repair"

kind(action) := operation(action) if operation(action) in {"support", "diagnose"}

operation(action) := object.get(action, ["parameters", "operation"], "")

# The next rung of a ladder: the same incident asks for something else, having seen what the last did.
next_rung(past) if {
	past.incident == input.proposal.incident
	past.action == "request_node_repair"
	asked(past) != asked(input.proposal)
}

asked(action) := {"operation": operation(action), "gpu": object.get(action, ["parameters", "gpu_uuid"], "")}
