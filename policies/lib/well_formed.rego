# Is there enough to decide on.
# A missing fact would leave a deny rule undefined, and an undefined deny is no deny. So what the guardrails rest on
# is checked once, here, and without it there is no verdict but deny.
package watchkeeper.lib

well_formed if {
	is_object(data.limits)
	is_string(input.now)
	now_ns > 0
	input.phase in {"propose", "execute"}
	proposal_well_formed
	facts_well_formed
	standing_well_formed
	history_well_formed
	is_object(data.limits.autonomy)
	is_object(data.limits.approvals)
}

proposal_well_formed if {
	some proposal in [input.proposal]
	is_string(proposal.id)
	is_string(proposal.incident)
	is_string(proposal.action)
	is_string(proposal.target.kind)
	is_string(proposal.target.name)
	text_or_none(object.get(proposal.target, "namespace", null))
	is_object(proposal.parameters)
	operation_well_formed(proposal)
	are_strings(proposal.blast_radius.nodes)
	are_strings(proposal.blast_radius.gangs)
	are_strings(proposal.blast_radius.workloads)
	is_number(proposal.blast_radius.pods)
	is_boolean(proposal.destructive)
	is_string(proposal.tenant)
	is_string(proposal.source)
	is_number(proposal.confidence)
	proposal.confidence >= 0
	proposal.confidence <= 1
	is_number(proposal.notice_s)
}

text_or_none(value) if is_null(value)

text_or_none(value) if is_string(value)

# What is asked of a repair decides which guardrails ask back.
operation_well_formed(proposal) if proposal.action != "request_node_repair"

operation_well_formed(proposal) if {
	proposal.action == "request_node_repair"
	proposal.parameters.operation in {"diagnose", "reset_gpu", "reboot", "replace", "support"}
}

# A freeze that cannot be read must not look like none.
standing_well_formed if {
	some standing in [input.standing]
	is_array(standing.levels)
	every entry in standing.levels {
		is_string(entry.action)
		is_string(entry.tenant)
		entry.level in {"observe", "suggest", "act_with_approval", "act"}
		entry.change in {"granted", "demoted"}
	}
	freeze_well_formed(standing.frozen)
	moment_or_null(standing.breaker.tripped_at)
	moment_or_null(standing.breaker.reset_at)
}

freeze_well_formed(frozen) if is_null(frozen)

freeze_well_formed(frozen) if {
	is_string(frozen.at)
	is_string(frozen.by)
}

moment_or_null(moment) if is_null(moment)

moment_or_null(moment) if {
	is_string(moment)
	time.parse_rfc3339_ns(moment) > 0
}

facts_well_formed if {
	some facts in [input.facts]
	facts.nodes.total >= facts.nodes.eligible
	facts.nodes.eligible >= 0
	is_array(facts.nodes.ineligible)
	is_object(facts.target.annotations)
	is_object(facts.target.labels)
	is_object(facts.namespaces)
	is_array(facts.touched)
	is_array(facts.gangs)
	every _, namespace in facts.namespaces {
		is_object(namespace.annotations)
	}
	every touched in facts.touched {
		is_string(touched.ref)
		is_object(touched.annotations)
	}
	every gang in facts.gangs {
		gang_well_formed(gang)
	}
	workload_well_formed(facts.workload)
	idle_well_formed(facts.idle)
	is_array(facts.budgets)
	every budget in facts.budgets {
		is_string(budget.ref)
		is_number(budget.disruptions_allowed)
		is_number(budget.touched)
	}
	is_array(facts.conflicts)
	is_array(facts.windows)
	is_array(facts.evidence)
	every seen in facts.evidence {
		is_string(seen.kind)
		is_number(seen.age_s)
	}
}

idle_well_formed(idle) if is_null(idle)

idle_well_formed(idle) if {
	is_array(idle.witnesses)
	is_array(idle.contradictions)
}

are_strings(names) if {
	is_array(names)
	are_texts(names)
}

workload_well_formed(workload) if is_null(workload)

workload_well_formed(workload) if {
	is_string(workload.class)
	is_number(workload.pods)
	budget_well_formed(workload.disruptions_allowed)
}

budget_well_formed(allowed) if is_null(allowed)

budget_well_formed(allowed) if is_number(allowed)

gang_well_formed(gang) if {
	is_string(gang.ref)
	is_number(gang.running)
	is_number(gang.touched)
	is_boolean(gang.whole)
	is_boolean(gang.healthy)
}

# What was done can be a long list, so each thing is asked of all entries at once. An entry that lacks it is missing in
# the list of it; and where the least and the greatest of a list are texts in Rego's order of types, all between are.
history_well_formed if {
	is_array(input.history)
	done := count(input.history)
	ages := [past.age_s | some past in input.history]
	count(ages) == done
	are_numbers(ages)
	undone := [past.undo | some past in input.history]
	count(undone) == done
	are_booleans(undone)
	ats := [past.at | some past in input.history]
	actions := [past.action | some past in input.history]
	kinds := [past.target.kind | some past in input.history]
	names := [past.target.name | some past in input.history]
	texts := array.concat(array.concat(ats, actions), array.concat(kinds, names))
	count(texts) == done * 4
	are_texts(texts)
	nodes := [past.nodes | some past in input.history]
	gangs := [past.gangs | some past in input.history]
	workloads := [past.workloads | some past in input.history]
	lists := array.concat(nodes, array.concat(gangs, workloads))
	count(lists) == done * 3
	are_lists(lists)
	are_texts([name |
		some listed in lists
		some name in listed
	])
}

are_numbers(values) if count(values) == 0

are_numbers(values) if {
	is_number(min(values))
	is_number(max(values))
}

are_booleans(values) if count(values) == 0

are_booleans(values) if {
	is_boolean(min(values))
	is_boolean(max(values))
}

are_texts(values) if count(values) == 0

are_texts(values) if {
	is_string(min(values))
	is_string(max(values))
}

are_lists(values) if count(values) == 0

are_lists(values) if {
	is_array(min(values))
	is_array(max(values))
}
