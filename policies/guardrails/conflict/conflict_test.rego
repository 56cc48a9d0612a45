package watchkeeper.guardrails.conflict_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.conflict.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

test_nobody_else_may_be_at_it if {
	deny(data.watchkeeper.examples.cordon, limits) == set()
	deny(data.watchkeeper.examples.cordon_with({"facts": {"conflicts": ["nvsentinel"]}}), limits) == {"conflict.other_actor"}
}
