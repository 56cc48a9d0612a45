# What we did lately.
# Only actions that took something count: telling people, uncordoning and taking back our own deeds do not. Nor does what
# is being decided on, which may have been begun and held up. How long ago each was comes in as age_s: to read a time
# costs more than all else here, and many rules ask. The history may be long, so what leaves out most is asked first.
package watchkeeper.lib

counts(past) if {
	not past.undo
	object.get(past, "proposal", "") != input.proposal.id
	past.action != "notify"
	past.action != "uncordon_node"
}

within(window) := found if {
	window_s := seconds(window)
	found := [past |
		some past in input.history
		past.age_s < window_s
		counts(past)
	]
}

# The same action before. A repair, a diagnosis and a call for support are all asked of the repair system, but never
# stand for each other.
same_action(past) if {
	past.action == input.proposal.action
	past.action != "request_node_repair"
	counts(past)
}

same_action(past) if {
	past.action == input.proposal.action
	past.action == "request_node_repair"
	kind(past) == own_kind
	counts(past)
}

alike_within(window) := found if {
	window_s := seconds(window)
	found := [past |
		some past in input.history
		past.age_s < window_s
		same_action(past)
	]
}

on_target := [past |
	some past in input.history
	past.target.name == input.proposal.target.name
	ref(past.target) == target_ref
	same_action(past)
]

on_target_within(window) := found if {
	window_s := seconds(window)
	found := [past |
		some past in on_target
		past.age_s < window_s
	]
}

own_kind := kind(input.proposal)

kind(action) := asked_for if {
	asked_for := action.parameters.operation
	asked_for in {"support", "diagnose"}
} else := "repair"

# The next rung of a ladder: the same incident asks for something else, having seen what the last did.
next_rung(past) if {
	past.incident == input.proposal.incident
	past.action == "request_node_repair"
	asked(past) != asked(input.proposal)
}

operation(action) := object.get(action, ["parameters", "operation"], "")

asked(action) := {"operation": operation(action), "gpu": object.get(action, ["parameters", "gpu_uuid"], "")}
