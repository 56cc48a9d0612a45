package watchkeeper.guardrails.stopped_gpu_hours_test

limits := data.watchkeeper.examples.with_limits({"stopped_gpu_hours": {
	"window": "24h",
	"default": 8,
	"tenants": {"law": 64},
	"hours": {"requeue_gang": 1, "reclaim_idle_gpu": 0.5},
}})

deny(given) := codes if {
	reasons := data.watchkeeper.guardrails.stopped_gpu_hours.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

# A gang of so many GPUs of this tenant is requeued after what was done before.
requeue(tenant, gpus, before) := object.union(data.watchkeeper.examples.requeue, {
	"proposal": {"tenant": tenant, "blast_radius": {"gpus": gpus}},
	"history": before,
})

earlier(action, tenant, gpus, at) := object.union(
	data.watchkeeper.examples.past(action, "gpu-1", at),
	{"tenant": tenant, "gpus": gpus},
)

this_morning := "2026-11-02T08:00:00Z"

test_below_the_cap_it_goes_on_and_at_it if {
	deny(requeue("law", 63, [])) == set()
	deny(requeue("law", 64, [])) == set()
	deny(requeue("law", 65, [])) == {"stopped_gpu_hours.cap"}
}

test_whoever_has_no_cap_of_its_own_has_the_defaults if {
	deny(requeue("research", 8, [])) == set()
	deny(requeue("research", 9, [])) == {"stopped_gpu_hours.cap"}
	deny(requeue("", 9, [])) == {"stopped_gpu_hours.cap"}
}

test_what_was_stopped_within_the_window_counts_by_what_it_cost if {
	reclaimed := [earlier("reclaim_idle_gpu", "research", 8, this_morning)]
	deny(requeue("research", 4, reclaimed)) == set()
	deny(requeue("research", 5, reclaimed)) == {"stopped_gpu_hours.cap"}
	deny(requeue("research", 8, [earlier("reclaim_idle_gpu", "research", 8, "2026-11-01T09:00:00Z")])) == set()
	deny(requeue("research", 8, [earlier("reclaim_idle_gpu", "research", 8, "2026-11-01T09:00:01Z")])) == {"stopped_gpu_hours.cap"}
}

test_what_cost_nothing_or_was_taken_from_others_does_not_count if {
	deny(requeue("research", 8, [earlier("reclaim_idle_gpu", "law", 8, this_morning)])) == set()
	deny(requeue("research", 8, [earlier("cordon_node", "research", 8, this_morning)])) == set()
	undone := object.union(earlier("requeue_gang", "research", 8, this_morning), {"undo": true})
	deny(requeue("research", 8, [undone])) == set()
}

test_what_nobody_counted_may_have_been_any_number if {
	nobody_knows := earlier("requeue_gang", "research", null, this_morning)
	deny(requeue("research", 1, [nobody_knows])) == {"stopped_gpu_hours.unknown"}
	deny(requeue("research", 1, [object.remove(nobody_knows, ["gpus"])])) == {"stopped_gpu_hours.unknown"}
	deny(requeue("law", 1, [nobody_knows])) == set()
	deny(requeue("law", null, [])) == {"stopped_gpu_hours.unknown"}
}

test_other_actions_and_the_way_back_are_free if {
	deny(data.watchkeeper.examples.cordon) == set()
	deny(object.union(requeue("research", 9, []), {"proposal": {"undoes": "inc-1/0", "destructive": false}})) == set()
	cordoned := data.watchkeeper.examples.cordon_with({"proposal": {"blast_radius": {"gpus": null}}})
	deny(cordoned) == set()
}
