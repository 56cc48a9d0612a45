# What the executor must fulfil, and who is asked.
package watchkeeper.lib

obligations := {
	"dry_run": input.proposal.action != "notify",
	"notice_s": notice_s,
	"verify_within_s": object.get(verify_within_s, input.proposal.action, 600),
}

# The owner of idle GPUs is told first and then has this long to speak up: the longest of the notice and the grace in
# the limits and what the proposal promised. The fresh look comes after it.
notice_s := max([
	seconds(data.limits.idle.notice),
	seconds(data.limits.idle.grace),
	input.proposal.notice_s,
]) if {
	input.proposal.action == "reclaim_idle_gpu"
	not is_undo
}

notice_s := input.proposal.notice_s if input.proposal.action != "reclaim_idle_gpu"

notice_s := 0 if {
	input.proposal.action == "reclaim_idle_gpu"
	is_undo
}

# Long enough for the thing itself: a node needs to boot, a gang to be admitted and to load its weights.
verify_within_s := {
	"request_node_repair": 3600,
	"drain_node": 1800,
	"requeue_gang": 1800,
}

approval := {
	"groups": entry.groups,
	"approve_within_s": seconds(entry.approve_within),
	"execute_within_s": seconds(entry.execute_within),
} if {
	entry := object.union(data.limits.approvals["default"], object.get(data.limits.approvals, input.proposal.action, {}))
}
