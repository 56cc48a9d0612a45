# What the executor must fulfil, and who is asked.
package watchkeeper.lib

obligations := {
	"dry_run": input.proposal.action != "notify",
	"notice_s": notice_s,
	"verify_within_s": object.get(verify_within_s, input.proposal.action, 600),
	"canary": canary,
	"eviction_only": eviction_only,
	"rollback": rollback,
}

default canary := false

canary if {
	some action in data.limits.obligations.canary
	action in {"*", input.proposal.action}
}

default eviction_only := false

eviction_only if {
	some action in data.limits.obligations.eviction_only
	action in {"*", input.proposal.action}
}

default rollback := false

rollback if {
	some action in data.limits.obligations.rollback
	action in {"*", input.proposal.action}
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
	"activate_workload": 900,
	"deactivate_workload": 900,
	"defragment": 1200,
	"drain_node": 1800,
	"evict_pod": 900,
	"hold_queue": 900,
	"request_node_repair": 3600,
	"requeue_gang": 1800,
	"restart_workload": 1800,
	"rollback_workload": 1800,
	"scale_workload": 900,
}

# Who is asked: what the limits say for the action, and what guardrails want beside it. `approvers contains {"name": …,
# "count": …}` in a guardrail asks one group more, or more of a group, in every tier; by no rule is anybody asked less.
approval := {
	"groups": joined(approval_entry.groups),
	"approve_within_s": seconds(approval_entry.approve_within),
	"execute_within_s": seconds(approval_entry.execute_within),
	"tiers": approval_tiers,
}

approval_entry := object.union(data.limits.approvals["default"], object.get(data.limits.approvals, input.proposal.action, {}))

# Who is asked, one after the other, once the time of those before is over.
approval_tiers := [{"groups": joined(tier.groups), "approve_within_s": seconds(tier.approve_within)} |
	some tier in object.get(approval_entry, "tiers", [])
]

wanted contains group if {
	some guardrail in data.watchkeeper.guardrails
	some group in guardrail.approvers
}

# Of a text or of one group alone nobody would be asked, and nobody would know.

approvers_readable(groups) if {
	is_set(groups)
	every group in groups {
		is_object(group)
		object.keys(group) == {"name", "count"}
		is_string(group.name)
		group.name != ""
		is_number(group.count)
		group.count >= 1
		floor(group.count) == group.count
	}
}

joined(groups) := array.concat(
	[{"name": group.name, "count": most(group.name, group.count)} | some group in groups],
	[{"name": name, "count": most(name, 1)} |
		some name in sort({group.name | some group in wanted})
		others := {group.name | some group in groups}
		not name in others
	],
)

most(name, count_given) := max({count_given} | {group.count |
	some group in wanted
	group.name == name
})
