package watchkeeper.lib_test

test_only_a_repair_calls_support if {
	support := {"proposal": {"parameters": {"operation": "support"}}}
	data.watchkeeper.lib.calls_support with input as object.union(data.watchkeeper.examples.repair, support)
	not data.watchkeeper.lib.calls_support with input as data.watchkeeper.examples.cordon_with(support)
}

test_what_lies_in_no_namespace_has_none if {
	data.watchkeeper.lib.namespace_of("Pod/law/a") == "law"
	{namespace | namespace := data.watchkeeper.lib.namespace_of("Node/gpu-7")} == set()
}

test_a_namespace_is_a_name if {
	namespaces := data.watchkeeper.lib.namespaces with input as data.watchkeeper.examples.requeue
	namespaces == {"law"}
	own := object.union(data.watchkeeper.examples.requeue, {"facts": {"namespaces": []}})
	of_the_target := data.watchkeeper.lib.namespaces with input as own
	of_the_target == {"law"}
	nobodys := data.watchkeeper.examples.cordon_with({"proposal": {"target": {"namespace": null}}})
	none := data.watchkeeper.lib.namespaces with input as nobodys
	none == set()
}

test_nobody_is_no_tenant if {
	some limits in [data.watchkeeper.examples.limits]
	none := data.watchkeeper.lib.tenants with input as data.watchkeeper.examples.cordon with data.limits as limits
	none == set()
	one := data.watchkeeper.lib.tenants with input as data.watchkeeper.examples.reclaim with data.limits as limits
	one == {"research"}
}
