# METADATA
# title: Moves of a defragmentation
# description: |
#   Each move restarts somebody's pod for somebody else's gang. One or two are housekeeping; more are weighed by a
#   person, and beyond a handful it is no longer a defragmentation. What the moved gangs lose is judged where gangs are.
package watchkeeper.guardrails.moves

wanted := count(object.get(input.proposal.parameters, "moves", [])) if input.proposal.action == "defragment"

# METADATA
# title: Many moves
# custom:
#   code: moves.many
#   message: "{moves} pods or gangs would be moved; the agent alone moves {limit}"
#   remedy: Approve it if the waiting gang is worth these restarts
escalate contains {"code": "moves.many", "params": {"moves": moves, "limit": limit}} if {
	moves := wanted
	limit := object.get(data.limits, ["moves", "alone"], 2)
	moves > limit
}

# METADATA
# title: Too many moves
# custom:
#   code: moves.too_many
#   message: "{moves} pods or gangs would be moved; at most {limit} may be"
#   remedy: Plan it by hand, with the owners
deny contains {"code": "moves.too_many", "params": {"moves": moves, "limit": limit}} if {
	moves := wanted
	limit := object.get(data.limits, ["moves", "at_most"], 4)
	moves > limit
}
