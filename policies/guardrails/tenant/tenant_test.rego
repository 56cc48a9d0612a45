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

touching(namespaces) := object.union(reclaim, {"facts": {"namespaces": {name: {"annotations": {}} |
	some name in namespaces
}}})

test_everything_that_is_touched_is_the_tenants if {
	deny(touching(["research", "law"]), scoped(["research"])) == {"tenant.scope"}
	deny(touching(["research", "research-dev"]), scoped(["research", "research-dev"])) == set()
	elsewhere := object.union(touching(["law"]), {"proposal": {"target": {"namespace": null}}})
	deny(elsewhere, scoped(["research"])) == {"tenant.scope"}
}

test_each_namespace_outside_is_named_once if {
	limits := scoped(["research"])
	given := touching(["research", "law", "vision"])
	reasons := data.watchkeeper.guardrails.tenant.deny with input as given with data.limits as limits
	{reason.params.namespace | some reason in reasons} == {"law", "vision"}
	count(reasons) == 2
}

test_nobody_reaches_into_what_is_anothers if {
	limits := scoped(["research"])
	stranger := {"proposal": {"tenant": "law", "target": {"namespace": "law"}}}
	deny(object.union(touching(["law", "research"]), stranger), limits) == {"tenant.scope"}
	elsewhere := data.watchkeeper.examples.cordon_with(object.union(stranger, {"facts": {"namespaces": {
		"law": {"annotations": {}},
	}}}))
	deny(elsewhere, limits) == set()
	nobodys := {"proposal": {"tenant": ""}}
	deny(object.union(touching(["law", "research"]), nobodys), limits) == set()
}
