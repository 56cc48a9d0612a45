package watchkeeper.guardrails.confidence_test

escalate(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.confidence.escalate with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

repair_by(changes) := object.union(data.watchkeeper.examples.repair, {"proposal": changes})

test_a_model_alone_never_destroys if {
	escalate(repair_by({"source": "model:small", "confidence": 1}), limits) == {"confidence.model"}
	escalate(repair_by({}), limits) == set()
}

test_a_model_alone_does_not_even_protect if {
	protects := {"source": "model:small", "confidence": 1, "destructive": false, "protective": true}
	escalate(repair_by(protects), limits) == {"confidence.model_change"}
	calls := object.union(protects, {"action": "notify"})
	escalate(repair_by(calls), limits) == set()
}

test_a_model_alone_changes_nothing_else if {
	changes := {"source": "model:small", "confidence": 1, "destructive": false, "protective": false}
	escalate(repair_by(changes), limits) == {"confidence.model_change"}
	by_playbook := {"source": "playbook:small", "confidence": 1, "destructive": false, "protective": false}
	escalate(repair_by(by_playbook), limits) == set()
}

test_a_guess_is_shown_to_a_person if {
	escalate(repair_by({"confidence": 0.49}), limits) == {"confidence.low"}
	escalate(repair_by({"confidence": 0.5}), limits) == set()
}

test_taking_back_is_no_guess if {
	escalate(object.union(data.watchkeeper.examples.restore, {"proposal": {"confidence": 0}}), limits) == set()
}

# Of a level that acts, and sure of itself.
by(source) := {"source": source, "confidence": 1}

test_only_a_playbook_is_a_rule if {
	every source in ["llm:small", "Model:small", "none", "", "playbook", "playbook:", "Playbook:xid-79", "a playbook:x"] {
		escalate(repair_by(by(source)), limits) == {"confidence.model"}
		escalate(repair_by(object.union(by(source), {"destructive": false})), limits) == {"confidence.model_change"}
	}
	escalate(repair_by(by("playbook:x")), limits) == set()
}
