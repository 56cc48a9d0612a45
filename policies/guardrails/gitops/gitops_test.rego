package watchkeeper.guardrails.gitops_test

deny(given) := codes if {
	reasons := data.watchkeeper.guardrails.gitops.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

asked(action, target) := object.union(
	data.watchkeeper.examples.requeue,
	{"proposal": {"action": action}, "facts": {"target": target}},
)

argo := {"annotations": {"argocd.argoproj.io/tracking-id": "web"}, "labels": {}}

flux := {"annotations": {}, "labels": {"helm.toolkit.fluxcd.io/name": "web"}}

plain := {"annotations": {"owner": "web"}, "labels": {"app": "web"}}

test_what_a_repository_keeps_is_changed_there if {
	deny(asked("scale_workload", argo)) == {"gitops.managed"}
	deny(asked("set_queue_quota", flux)) == {"gitops.managed"}
	deny(asked("scale_workload", plain)) == set()
}

test_pods_may_move_all_the_same if {
	deny(asked("requeue_gang", argo)) == set()
	deny(asked("restart_workload", flux)) == set()
}

test_our_own_change_is_taken_back if {
	given := asked("scale_workload", argo)
	deny(object.union(given, {"proposal": {"undoes": "inc-1/0", "destructive": false}})) == set()
	deny(object.union(given, {"proposal": {"undoes": "inc-1/0", "destructive": true}})) == {"gitops.managed"}
}
