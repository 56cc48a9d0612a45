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

touches(fact) := object.union(
	data.watchkeeper.examples.cordon_with({}),
	{"facts": {"touched": [object.union({"annotations": {}}, fact)]}},
)

test_a_protected_pod_that_is_only_touched if {
	deny(touches({"ref": "Pod/kube-system/etcd-tool"}), limits) == {"protected.namespace"}
	deny(touches({"ref": "Pod/kube-system/etcd-tool", "owner": null}), limits) == {"protected.namespace"}
	deny(touches({"ref": "Pod/kube-system/x", "owner": "ReplicaSet/kube-system/x"}), limits) == {"protected.namespace"}
	deny(touches({"ref": "Pod/law/web"}), limits) == set()
}

test_what_runs_on_every_node_is_no_reason_to_leave_a_node_alone if {
	deny(touches({"ref": "Pod/kube-system/p", "owner": "DaemonSet/kube-system/kube-proxy"}), limits) == set()
	deny(touches({"ref": "Pod/kube-system/p", "owner": "Node/gpu-7"}), limits) == set()
	deny(touches({"ref": "DaemonSet/kube-system/kube-proxy"}), limits) == set()
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

exporter := data.watchkeeper.examples.with_limits({"protected": {"telemetry": ["kube-system/dcgm-exporter"]}})

anew(action, workloads) := object.union(requeue, {"proposal": {
	"action": action,
	"target": {"apiVersion": "v1", "kind": "Pod", "namespace": "kube-system", "name": "dcgm-exporter-x"},
	"blast_radius": {"nodes": [], "gangs": [], "workloads": workloads, "pods": 1, "gpus": 0},
}})

test_an_exporter_that_the_site_names_is_started_anew if {
	named := ["DaemonSet/kube-system/dcgm-exporter"]
	deny(anew("evict_pod", named), exporter) == set()
	deny(anew("restart_workload", named), exporter) == set()
	deny(anew("evict_pod", named), limits) == {"protected.namespace"}
}

test_nothing_else_there_is if {
	named := ["DaemonSet/kube-system/dcgm-exporter"]
	deny(anew("rollback_workload", named), exporter) == {"protected.namespace"}
	deny(anew("evict_pod", ["DaemonSet/kube-system/kube-proxy"]), exporter) == {"protected.namespace"}
	deny(anew("evict_pod", ["Deployment/kube-system/dcgm-exporter"]), exporter) == {"protected.namespace"}
	deny(anew("evict_pod", ["kube-system/dcgm-exporter"]), exporter) == {"protected.namespace"}
	deny(anew("evict_pod", array.concat(named, ["DaemonSet/kube-system/kube-proxy"])), exporter) == {"protected.namespace"}
	deny(anew("evict_pod", []), exporter) == {"protected.namespace"}
	wider := object.union(anew("evict_pod", named), {"proposal": {"blast_radius": {"nodes": ["gpu-1"]}}})
	deny(wider, exporter) == {"protected.namespace"}
}
