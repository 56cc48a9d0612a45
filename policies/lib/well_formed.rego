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
	some radius in [proposal.blast_radius]
	is_array(radius.nodes)
	is_array(radius.gangs)
	is_array(radius.workloads)
	touched := array.concat(radius.nodes, array.concat(radius.gangs, radius.workloads))
	named := [proposal.id, proposal.incident, proposal.action, proposal.target.kind, proposal.target.name]
	texts := array.concat(array.concat(named, [proposal.tenant, proposal.source]), touched)
	is_string(min(texts))
	is_string(max(texts))
	text_or_none(object.get(proposal.target, "namespace", null))
	is_object(proposal.parameters)
	operation_well_formed(proposal)
	is_number(radius.pods)
	is_boolean(proposal.destructive)
	is_number(proposal.confidence)
	proposal.confidence >= 0
	proposal.confidence <= 1
	is_number(proposal.notice_s)
}

text_or_none(value) if is_null(value)

text_or_none(value) if is_string(value)

# What is asked of a repair decides which guardrails ask back.
operation_well_formed(proposal) if {
	asked := {object.get(proposal.parameters, "operation", null) | proposal.action == "request_node_repair"}
	asked - {"diagnose", "reset_gpu", "reboot", "replace", "support"} == set()
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
	freezes := {standing.frozen} - {null}
	every frozen in freezes {
		is_string(frozen.at)
		is_string(frozen.by)
	}
	moments := {standing.breaker.tripped_at, standing.breaker.reset_at} - {null}
	every moment in moments {
		is_string(moment)
		time.parse_rfc3339_ns(moment) > 0
	}
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
	workloads := {facts.workload} - {null}
	every workload in workloads {
		workload_well_formed(workload)
	}
	idles := {facts.idle} - {null}
	every idle in idles {
		is_array(idle.witnesses)
		is_array(idle.contradictions)
	}
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
history_well_formed if input.history == []

history_well_formed if {
	is_array(input.history)
	done := count(input.history)
	ages := [input.history[_].age_s | true]
	count(ages) == done
	is_number(min(ages))
	is_number(max(ages))
	undone := [input.history[_].undo | true]
	count(undone) == done
	is_boolean(min(undone))
	is_boolean(max(undone))
	ats := [input.history[_].at | true]
	actions := [input.history[_].action | true]
	kinds := [input.history[_].target.kind | true]
	names := [input.history[_].target.name | true]
	texts := array.concat(array.concat(ats, actions), array.concat(kinds, names))
	count(texts) == done * 4
	nodes := [input.history[_].nodes | true]
	gangs := [input.history[_].gangs | true]
	workloads := [input.history[_].workloads | true]
	lists := array.concat(nodes, array.concat(gangs, workloads))
	count(lists) == done * 3
	is_array(min(lists))
	is_array(max(lists))
	all_texts := array.concat(texts, [lists[_][_] | true])
	is_string(min(all_texts))
	is_string(max(all_texts))
}
