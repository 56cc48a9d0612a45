package watchkeeper.lib_test

# Every optional part is there.
whole := object.union(data.watchkeeper.examples.cordon, {
	"standing": {
		"levels": [level],
		"frozen": {"at": "2026-11-01T09:00:00Z", "by": "dana"},
		"breaker": {"tripped_at": "2026-11-01T09:00:00Z", "reset_at": "2026-11-01T10:00:00Z"},
	},
	"facts": {
		"namespaces": {"law": {"annotations": {}}},
		"touched": [touched],
		"gangs": [gang],
		"workload": {"class": "serving", "pods": 2, "disruptions_allowed": 1},
		"budgets": [budget],
		"idle": {"witnesses": [], "contradictions": []},
	},
	"history": [past],
})

level := {"action": "drain_node", "tenant": "law", "level": "act", "change": "granted"}

touched := {"ref": "Pod/law/a", "annotations": {}}

gang := {"ref": "Workload/law/llama", "running": 8, "touched": 8, "whole": true, "healthy": true}

budget := {"ref": "PodDisruptionBudget/law/web", "disruptions_allowed": 1, "touched": 1}

past := {
	"at": "2026-11-01T09:00:00Z",
	"age_s": 86400,
	"action": "cordon_node",
	"target": {"kind": "Node", "name": "gpu-1"},
	"nodes": ["gpu-1"],
	"gangs": [],
	"workloads": [],
	"undo": false,
}

judged(given) if {
	data.watchkeeper.lib.well_formed with input as given with data.limits as data.watchkeeper.examples.limits
}

test_what_is_whole_is_enough if judged(whole)

test_without_the_optional_parts_it_is_enough if judged(data.watchkeeper.examples.cordon)

test_a_breaker_that_never_tripped_and_a_workload_without_budget_are_enough if {
	judged(object.union(whole, {
		"standing": {"frozen": null, "breaker": {"tripped_at": null, "reset_at": null}},
		"facts": {"workload": {"disruptions_allowed": null}},
	}))
}

# Each with one thing that is not what it should be.
lacking := [
	{"now": 7},
	{"phase": "later"},
	{"history": null},
	{"proposal": {"id": null}},
	{"proposal": {"incident": null}},
	{"proposal": {"action": null}},
	{"proposal": {"target": {"kind": null}}},
	{"proposal": {"target": {"name": null}}},
	{"proposal": {"parameters": null}},
	{"proposal": {"target": {"namespace": 7}}},
	{"proposal": {"action": "request_node_repair", "parameters": {"operation": null}}},
	{"proposal": {"action": "request_node_repair"}},
	{"facts": {"namespaces": []}},
	{"facts": {"touched": {}}},
	{"facts": {"gangs": {}}},
	{"proposal": {"blast_radius": {"nodes": null}}},
	{"proposal": {"blast_radius": {"nodes": [7]}}},
	{"proposal": {"blast_radius": {"gangs": null}}},
	{"proposal": {"blast_radius": {"gangs": {"a": "b"}}}},
	{"proposal": {"blast_radius": {"workloads": null}}},
	{"proposal": {"blast_radius": {"pods": null}}},
	{"proposal": {"destructive": null}},
	{"proposal": {"tenant": null}},
	{"proposal": {"source": null}},
	{"proposal": {"confidence": null}},
	{"proposal": {"confidence": "0.5"}},
	{"proposal": {"confidence": 1.01}},
	{"proposal": {"confidence": -0.01}},
	{"proposal": {"notice_s": null}},
	{"facts": {"nodes": {"total": 19}}},
	{"facts": {"nodes": {"total": null}}},
	{"facts": {"nodes": {"total": -1, "eligible": -1}}},
	{"facts": {"nodes": {"ineligible": null}}},
	{"facts": {"target": {"annotations": null}}},
	{"facts": {"target": {"labels": null}}},
	{"facts": {"namespaces": {"law": {"annotations": null}}}},
	{"facts": {"namespaces": null}},
	{"facts": {"touched": null}},
	{"facts": {"touched": [object.union(touched, {"ref": null})]}},
	{"facts": {"touched": [object.union(touched, {"annotations": null})]}},
	{"facts": {"gangs": null}},
	{"facts": {"gangs": [object.union(gang, {"ref": null})]}},
	{"facts": {"gangs": [object.union(gang, {"running": null})]}},
	{"facts": {"gangs": [object.union(gang, {"touched": null})]}},
	{"facts": {"gangs": [object.union(gang, {"whole": null})]}},
	{"facts": {"gangs": [object.union(gang, {"healthy": null})]}},
	{"facts": {"workload": {"class": null}}},
	{"facts": {"workload": {"pods": null}}},
	{"facts": {"workload": {"disruptions_allowed": "1"}}},
	{"facts": {"workload": 7}},
	{"facts": {"idle": {"witnesses": null}}},
	{"facts": {"idle": {"contradictions": null}}},
	{"facts": {"idle": 7}},
	{"facts": {"budgets": null}},
	{"facts": {"budgets": [object.union(budget, {"ref": null})]}},
	{"facts": {"budgets": [object.union(budget, {"disruptions_allowed": null})]}},
	{"facts": {"budgets": [object.union(budget, {"touched": null})]}},
	{"facts": {"conflicts": null}},
	{"facts": {"windows": null}},
	{"facts": {"evidence": null}},
	{"facts": {"evidence": "60"}},
	{"facts": {"evidence": [{"kind": null, "age_s": 60}]}},
	{"facts": {"evidence": [{"kind": "object", "age_s": "60"}]}},
	{"standing": {"levels": null}},
	{"standing": {"levels": [object.union(level, {"action": null})]}},
	{"standing": {"levels": [object.union(level, {"tenant": null})]}},
	{"standing": {"levels": [object.union(level, {"level": "free"})]}},
	{"standing": {"levels": [object.union(level, {"change": "wished"})]}},
	{"standing": {"frozen": {"at": null}}},
	{"standing": {"frozen": {"by": null}}},
	{"standing": {"frozen": 7}},
	{"standing": {"breaker": {"tripped_at": 7}}},
	{"standing": {"breaker": {"reset_at": 7}}},
	{"history": [object.union(past, {"at": 7})]},
	{"history": [object.union(past, {"age_s": null})]},
	{"history": [object.union(past, {"age_s": "86400"})]},
	{"history": [object.union(past, {"action": null})]},
	{"history": [object.union(past, {"target": {"kind": null}})]},
	{"history": [object.union(past, {"target": {"name": null}})]},
	{"history": [object.union(past, {"nodes": null})]},
	{"history": [object.union(past, {"nodes": "gpu-1"})]},
	{"history": [object.union(past, {"gangs": null})]},
	{"history": [object.union(past, {"workloads": null})]},
	{"history": [object.union(past, {"undo": null})]},
	{"history": {"first": past}},
]

# One entry among others that are whole: it lacks something, or has it of a type before or after the right one.
odd_ones := array.concat(
	[object.remove(past, [key]) | some key in ["at", "age_s", "action", "target", "nodes", "gangs", "workloads", "undo"]],
	[object.union(past, {key: value}) |
		some key in ["at", "age_s", "action", "nodes", "gangs", "workloads", "undo"]
		some value in [null, {"x"}]
	],
)

test_one_odd_entry_among_others_is_not_enough if {
	judged(object.union(whole, {"history": [past, past, past]}))
	every odd in odd_ones {
		not judged(object.union(whole, {"history": [past, odd, past]}))
	}
}

test_what_lacks_one_thing_is_not_enough if {
	every lack in lacking {
		not judged(object.union(whole, lack))
	}
}

test_limits_without_levels_or_approvers_are_not_enough if {
	every key in ["autonomy", "approvals"] {
		without := object.remove(data.watchkeeper.examples.limits, [key])
		not data.watchkeeper.lib.well_formed with input as whole with data.limits as without
	}
}
