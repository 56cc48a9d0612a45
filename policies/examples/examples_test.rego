# METADATA
# title: What the tests change one thing of
package watchkeeper.examples

now := "2026-11-02T09:00:00Z"

limits := {
	"autonomy": {"default": "act", "actions": {}, "tenants": {}, "namespaces": {}, "kill_switch": false},
	"blast_radius": {
		"nodes": {"percent": 10, "absolute": 4, "window": "30m"},
		"gangs": {"absolute": 2, "window": "30m"},
		"workloads": {"absolute": 5, "window": "30m"},
		"breaker": {"percent": 50, "window": "5m"},
	},
	"cooldown": {"default": {"per_target": "30m"}},
	"attempts": {"request_node_repair": {"count": 3, "window": "7d"}},
	"freezes": [],
	"protected": {"namespaces": ["kube-system"], "opt_out": "watchkeeper.dev/opt-out"},
	"tenants": {},
	"idle": {"witnesses": 2, "minimum": {"notebook": "60m", "serving": "120m"}, "notice": "15m", "grace": "10m"},
	"freshness": {"evidence": "5m"},
	"approvals": {
		"default": {"groups": [{"name": "gpu-oncall", "count": 1}], "approve_within": "1h", "execute_within": "30m"},
		"set_queue_quota": {"groups": [{"name": "platform-leads", "count": 2}]},
	},
}

with_limits(changes) := object.union(limits, changes)

# A cordon of gpu-7 in a cluster of twenty healthy nodes.
cordon := {
	"now": now,
	"phase": "propose",
	"standing": {"levels": [], "frozen": null, "breaker": {"tripped_at": null, "reset_at": null}},
	"proposal": {
		"id": "inc-1/0",
		"incident": "inc-1",
		"action": "cordon_node",
		"target": {"apiVersion": "v1", "kind": "Node", "name": "gpu-7"},
		"parameters": {},
		"blast_radius": {"nodes": ["gpu-7"], "gangs": [], "workloads": [], "pods": 0, "gpus": 8},
		"destructive": false,
		"protective": true,
		"undoes": null,
		"tenant": "",
		"source": "playbook:xid-79",
		"confidence": 0.95,
		"notice_s": 0,
		"digest": "d1",
	},
	"facts": {
		"nodes": {"total": 20, "eligible": 20, "ineligible": []},
		"target": {"labels": {}, "annotations": {}},
		"namespaces": {},
		"touched": [],
		"gangs": [],
		"workload": null,
		"budgets": [],
		"idle": null,
		"evidence": [{"kind": "object", "observed_at": "2026-11-02T08:59:00Z", "age_s": 60}],
		"notice": null,
		"conflicts": [],
		"windows": [],
	},
	"history": [],
}

cordon_with(changes) := object.union(cordon, changes)

# The repair of gpu-7, on which nothing runs any more.
repair := cordon_with({"proposal": {
	"action": "request_node_repair",
	"parameters": {"operation": "reboot"},
	"destructive": true,
	"protective": false,
}})

# The requeue of a gang of eight that has lost a member.
requeue := cordon_with({
	"proposal": {
		"action": "requeue_gang",
		"target": {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Workload", "namespace": "law", "name": "llama"},
		"blast_radius": {"nodes": [], "gangs": ["Workload/law/llama"], "workloads": [], "pods": 8, "gpus": 64},
		"destructive": true,
		"protective": false,
	},
	"facts": {
		"namespaces": {"law": {"annotations": {}}},
		"touched": [{"ref": "Workload/law/llama", "annotations": {}}],
		"gangs": [{
			"ref": "Workload/law/llama",
			"minimum": 8,
			"running": 8,
			"touched": 8,
			"whole": true,
			"healthy": false,
		}],
	},
})

# A notebook that has been idle for two hours by two witnesses.
reclaim := cordon_with({
	"proposal": {
		"action": "reclaim_idle_gpu",
		"target": {"apiVersion": "apps/v1", "kind": "StatefulSet", "namespace": "research", "name": "notebook"},
		"parameters": {"method": "scale_to_zero"},
		"blast_radius": {"nodes": [], "gangs": [], "workloads": ["StatefulSet/research/notebook"], "pods": 1, "gpus": 1},
		"destructive": true,
		"protective": false,
		"tenant": "research",
	},
	"facts": {
		"namespaces": {"research": {"annotations": {}}},
		"touched": [{"ref": "StatefulSet/research/notebook", "annotations": {}}],
		"idle": {
			"witnesses": ["utilisation", "engine_activity"],
			"contradictions": [],
			"idle_s": 7200,
			"workload_class": "notebook",
			"gpus": 1,
			"observed_at": "2026-11-02T08:59:30Z",
		},
	},
})

# The same a quarter of an hour after its owner was told.
reclaim_now := object.union(reclaim, {
	"phase": "execute",
	"facts": {"notice": {"given_at": "2026-11-02T08:45:00Z"}},
})

# What takes that reclaim back.
restore := object.union(reclaim, {"proposal": {"undoes": "inc-1/0", "destructive": false}})

# A past action on a node.
past(action, node, at) := {
	"at": at,
	"age_s": (time.parse_rfc3339_ns(now) - time.parse_rfc3339_ns(at)) / 1000000000,
	"action": action,
	"target": {"apiVersion": "v1", "kind": "Node", "name": node},
	"parameters": {},
	"outcome": "succeeded",
	"nodes": [node],
	"gangs": [],
	"workloads": [],
	"tenant": "",
	"undo": false,
	"incident": "inc-0",
}

codes(reasons) := {reason.code | some reason in reasons}
