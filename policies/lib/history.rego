# What we did lately.
# Only actions that took something count: telling people, uncordoning and taking back our own deeds do not. Nor does what
# is being decided on, which may have been begun and held up. How long ago each was comes in as age_s: to read a time
# costs more than all else here, and many rules ask.
package watchkeeper.lib

counted := [past |
	some past in input.history
	not past.undo
	object.get(past, "proposal", "") != input.proposal.id
	past.action != "notify"
	past.action != "uncordon_node"
]

within(window) := recent(counted, window)

recent(actions, window) := found if {
	window_s := seconds(window)
	found := [past |
		some past in actions
		past.age_s < window_s
	]
}

# The same action before. A repair, a diagnosis and a call for support are all asked of the repair system, but never
# stand for each other.
alike := again if input.proposal.action != "request_node_repair"

alike := found if {
	input.proposal.action == "request_node_repair"
	found := [past |
		some past in again
		kind(past) == own_kind
	]
}

again := [past |
	some past in counted
	past.action == input.proposal.action
]

alike_on_target := [past |
	some past in alike
	past.target.name == input.proposal.target.name
	ref(past.target) == target_ref
]

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
