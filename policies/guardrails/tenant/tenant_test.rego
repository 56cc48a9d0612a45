package watchkeeper.guardrails.tenant_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.tenant.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

scoped(namespaces) := data.watchkeeper.examples.with_limits({"tenants": {"research": {"namespaces": namespaces}}})

reclaim := data.watchkeeper.examples.reclaim

test_a_tenant_stays_in_its_namespaces if {
	deny(reclaim, scoped(["research"])) == set()
	deny(reclaim, scoped(["research-dev"])) == {"tenant.scope"}
}

test_undeclared_tenants_and_nodes_are_not_scoped if {
	deny(reclaim, data.watchkeeper.examples.limits) == set()
	deny(data.watchkeeper.examples.cordon_with({"proposal": {"tenant": "research"}}), scoped(["research"])) == set()
}

test_a_target_without_a_namespace_is_not_outside if {
	given := object.union(reclaim, {"proposal": {"target": {"namespace": null}}})
	deny(given, scoped(["research"])) == set()
}
