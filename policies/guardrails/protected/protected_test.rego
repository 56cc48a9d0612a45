package watchkeeper.guardrails.protected_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.protected.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

requeue := data.watchkeeper.examples.requeue

opts_out(value) := {"annotations": {"watchkeeper.dev/opt-out": value}}

test_a_target_in_a_protected_namespace if {
	given := object.union(requeue, {"proposal": {"target": {"namespace": "kube-system"}}})
	deny(requeue, limits) == set()
	deny(given, limits) == {"protected.namespace"}
}

stops(workload) := data.watchkeeper.examples.cordon_with({"proposal": {"blast_radius": {"workloads": [workload]}}})

test_a_node_whose_drain_stops_a_protected_workload if {
	deny(stops("Deployment/kube-system/coredns"), limits) == {"protected.namespace"}
	deny(stops("DaemonSet/kube-system/kube-proxy"), limits) == set()
	deny(stops("Deployment/law/web"), limits) == set()
}

test_an_opt_out_on_the_target_its_namespace_or_what_is_touched if {
	deny(object.union(requeue, {"facts": {"target": opts_out("true")}}), limits) == {"protected.opt_out"}
	deny(object.union(requeue, {"facts": {"namespaces": {"law": opts_out("true")}}}), limits) == {"protected.opt_out"}
	touched := object.union(opts_out("yes"), {"ref": "Pod/law/llama-3"})
	deny(object.union(requeue, {"facts": {"touched": [touched]}}), limits) == {"protected.opt_out"}
}

test_only_false_takes_an_opt_out_back if {
	deny(object.union(requeue, {"facts": {"target": opts_out("")}}), limits) == {"protected.opt_out"}
	deny(object.union(requeue, {"facts": {"target": opts_out("False")}}), limits) == set()
}

test_who_opts_out_gets_back_what_we_took if {
	given := object.union(data.watchkeeper.examples.restore, {"facts": {"target": opts_out("true")}})
	deny(given, limits) == set()
}
