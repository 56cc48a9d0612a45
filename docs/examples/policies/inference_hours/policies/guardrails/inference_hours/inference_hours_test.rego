package watchkeeper.guardrails.inference_hours_test

limits := data.watchkeeper.examples.with_limits({"inference_hours": {
	"window": "business-hours",
	"actions": ["drain_node"],
	"label": {"key": "pool", "value": "prod-inference"},
	"approvers": {"name": "inference-leads", "count": 2},
}})

drain(pool, windows) := data.watchkeeper.examples.cordon_with({
	"proposal": {"action": "drain_node"},
	"facts": {"target": {"labels": {"pool": pool}}, "windows": windows},
})

open := [{"name": "business-hours", "open": true, "opens": null, "closes": "2026-11-02T17:00:00Z"}]

shut := [{"name": "business-hours", "open": false, "opens": "2026-11-03T07:00:00Z", "closes": null}]

other := [{"name": "nights", "open": false, "opens": null, "closes": null}]

escalate(given) := codes if {
	reasons := data.watchkeeper.guardrails.inference_hours.escalate with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

asked(given) := groups if {
	groups := data.watchkeeper.guardrails.inference_hours.approvers with input as given with data.limits as limits
}

test_in_business_hours_its_own_people_are_asked if {
	escalate(drain("prod-inference", open)) == {"inference_hours.ask_owners"}
	asked(drain("prod-inference", open)) == {{"name": "inference-leads", "count": 2}}
}

test_outside_of_them_nobody_more_is_asked if {
	escalate(drain("prod-inference", shut)) == set()
	asked(drain("prod-inference", shut)) == set()
}

test_hours_that_nobody_looked_up_are_business_hours if {
	escalate(drain("prod-inference", [])) == {"inference_hours.ask_owners"}
	escalate(drain("prod-inference", other)) == {"inference_hours.ask_owners"}
	asked(drain("prod-inference", [])) == {{"name": "inference-leads", "count": 2}}
}

test_other_nodes_and_other_actions_are_not_its_business if {
	escalate(drain("training", open)) == set()
	asked(drain("training", open)) == set()
	cordoned := object.union(drain("prod-inference", open), {"proposal": {"action": "cordon_node"}})
	escalate(cordoned) == set()
	asked(cordoned) == set()
	escalate(data.watchkeeper.examples.cordon) == set()
}
