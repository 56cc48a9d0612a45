# METADATA
# title: What is held for a while
# description: |
#   Capacity that is held for one gang is taken from all others, and a queue that is shut keeps its people waiting. So
#   a reservation has an end that is not far away, and a person says yes before a queue is shut. Letting go is free.
package watchkeeper.guardrails.holds

longest := object.get(data.limits, ["holds", "reservation"], "4h")

until_s := 0 - data.watchkeeper.lib.age_s(moment) if {
	moment := input.proposal.parameters.until
	is_string(moment)
}

ends if {
	until_s > 0
	until_s <= data.watchkeeper.lib.seconds(longest)
}

# METADATA
# title: A reservation without a near end
# custom:
#   code: holds.reservation_end
#   message: "A reservation ends within {longest}; this one says {until}"
#   remedy: Name an end that is sooner, and reserve again if it is still needed then
deny contains {"code": "holds.reservation_end", "params": {"longest": allowed, "until": until}} if {
	input.proposal.action == "reserve_capacity"
	not data.watchkeeper.lib.is_undo
	not ends
	allowed := longest
	until := object.get(input.proposal.parameters, "until", "nothing")
}

# METADATA
# title: A queue that is shut
# custom:
#   code: holds.queue
#   message: "{target} would let nobody in until it is opened again"
#   remedy: Approve it if the quiet is worth the wait of those in this queue
escalate contains {"code": "holds.queue", "params": {"target": target}} if {
	input.proposal.action == "hold_queue"
	not data.watchkeeper.lib.is_undo
	target := data.watchkeeper.lib.target_ref
}
