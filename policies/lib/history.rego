# What we did lately.
# Only actions that took something count: telling people, uncordoning and taking back our own deeds do not.
package watchkeeper.lib

counted := [past |
	some past in input.history
	not past.undo
	action := past.action
	not action in {"notify", "uncordon_node"}
]

within(window) := [past |
	some past in counted
	age_s(past.at) < seconds(window)
]

# The same action before: a call for support and a repair are both node repairs, but never stand for each other.
alike := [past |
	some past in counted
	past.action == input.proposal.action
	asks_support(past) == asks_support(input.proposal)
]

alike_on_target := [past |
	some past in alike
	ref(past.target) == target_ref
]

recent(actions, window) := [past |
	some past in actions
	age_s(past.at) < seconds(window)
]

default asks_support(_) := false

asks_support(action) if object.get(action, ["parameters", "operation"], "") == "support"
