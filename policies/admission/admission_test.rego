package watchkeeper.admission_test

limits := {"admission": {"hold_at_most": "15m", "retry_after": "5m", "refused": [], "freezes": []}}

healthy := {"fits_healthy": true, "fits_if_mended": true, "fits_at_all": true, "sick": []}

sick := [{"name": "n1", "why": ["not ready"]}]

waits := {
	"now": "2026-11-02T09:00:00Z",
	"workload": {"namespace": "research", "cluster_queue": "gpu", "waited_s": 60},
	"facts": {"frozen": null, "flavors": {"h100": healthy}},
}

with_flavor(changes) := object.union(waits, {"facts": {"flavors": {"h100": object.union(healthy, changes)}}})

frozen(changes) := object.union(with_flavor(changes), {"facts": {"frozen": "file"}})

with_admission(changes) := {"admission": object.union(limits.admission, changes)}

told(given, on) := [decision, codes] if {
	answer := data.watchkeeper.admission.verdict with input as given with data.limits as on
	decision := answer.decision
	codes := {reason.code | some reason in answer.reasons}
}

on_its_sick_nodes := with_flavor({"fits_healthy": false, "sick": sick})

test_nothing_known_lets_in if told(waits, limits) == ["allow", {"admission.no_trouble"}]

test_room_on_sick_nodes_alone_holds if told(on_its_sick_nodes, limits) == ["hold", {"admission.sick_nodes"}]

test_nodes_that_are_full_are_the_schedulers_business if {
	full := with_flavor({"fits_healthy": false, "fits_if_mended": false, "sick": sick})
	told(full, limits) == ["allow", {"admission.no_trouble"}]
}

test_sick_nodes_beside_enough_healthy_ones_let_in if {
	told(with_flavor({"sick": sick}), limits) == ["allow", {"admission.no_trouble"}]
}

test_too_few_healthy_nodes_send_it_back if {
	never := with_flavor({"fits_healthy": false, "fits_at_all": false, "sick": sick})
	told(never, limits) == ["retry", {"admission.too_few_healthy"}]
	answer := data.watchkeeper.admission.verdict with input as never with data.limits as limits
	answer.requeue_after_s == 300
	answer.reasons[0].params == {"flavor": "h100", "nodes": ["n1"]}
}

test_a_gang_that_no_node_could_hold_is_not_the_nodes_fault if {
	told(with_flavor({"fits_healthy": false, "fits_if_mended": false, "fits_at_all": false}), limits) == ["allow", {"admission.no_trouble"}]
}

test_a_long_hold_gives_its_quota_back if {
	long := object.union(on_its_sick_nodes, {"workload": {"waited_s": 901}})
	told(long, limits) == ["retry", {"admission.held_too_long"}]
	still := object.union(on_its_sick_nodes, {"workload": {"waited_s": 900}})
	told(still, limits) == ["hold", {"admission.sick_nodes"}]
}

test_a_long_wait_of_somebody_who_is_not_held_is_nothing if {
	told(object.union(waits, {"workload": {"waited_s": 90000}}), limits) == ["allow", {"admission.no_trouble"}]
}

test_a_hold_has_no_requeue if {
	answer := data.watchkeeper.admission.verdict with input as on_its_sick_nodes with data.limits as limits
	answer.requeue_after_s == null
}

year_end := {"name": "year-end", "from": "2026-11-02T09:00:00Z", "to": "2026-11-03T00:00:00Z"}

frozen_by(changes) := with_admission({"freezes": [object.union(year_end, changes)]})

test_a_freeze_holds_whom_it_names if {
	told(waits, frozen_by({})) == ["hold", {"admission.freeze"}]
	told(waits, frozen_by({"namespaces": ["research"], "cluster_queues": ["gpu"]})) == ["hold", {"admission.freeze"}]
	told(waits, frozen_by({"namespaces": ["law"]})) == ["allow", {"admission.no_trouble"}]
	told(waits, frozen_by({"namespaces": ["research"], "cluster_queues": ["cpu"]})) == ["allow", {"admission.no_trouble"}]
}

test_a_freeze_begins_and_ends_on_time if {
	told(waits, frozen_by({"from": "2026-11-02T09:00:01Z"})) == ["allow", {"admission.no_trouble"}]
	told(waits, frozen_by({"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T09:00:00Z"})) == ["allow", {"admission.no_trouble"}]
	told(waits, frozen_by({"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T09:00:01Z"})) == ["hold", {"admission.freeze"}]
}

refused := with_admission({"refused": [{"name": "no mining", "namespaces": ["research"]}]})

test_what_the_site_refuses_is_rejected if {
	told(waits, refused) == ["reject", {"admission.refused"}]
	told(object.union(waits, {"workload": {"namespace": "law"}}), refused) == ["allow", {"admission.no_trouble"}]
}

test_reject_beats_retry_beats_hold if {
	never := with_flavor({"fits_healthy": false, "fits_at_all": false, "sick": sick})
	told(never, refused) == ["reject", {"admission.refused"}]
	told(never, frozen_by({}))[0] == "retry"
}

test_whoever_is_switched_off_lets_nobody_in_and_sends_nobody_off if {
	told(frozen({}), limits) == ["hold", {"admission.kill_switch"}]
	told(frozen({}), refused) == ["hold", {"admission.kill_switch"}]
	told(frozen({"fits_at_all": false, "sick": sick}), limits) == ["hold", {"admission.kill_switch"}]
	told(object.union(frozen({}), {"workload": {"waited_s": 90000}}), limits) == ["hold", {"admission.kill_switch"}]
}

nothing := ["hold", {"admission.no_verdict"}]

test_what_lacks_something_is_held if {
	told({}, limits) == nothing
	told(waits, {}) == nothing
	told(object.union(waits, {"now": 5}), limits) == nothing
	told(object.union(waits, {"now": "1960-01-01T00:00:00Z"}), limits) == nothing
	told(object.union(waits, {"facts": {"frozen": true}}), limits) == nothing
	told(object.remove(waits, ["facts"]), limits) == nothing
	told(object.union(object.remove(waits, ["facts"]), {"facts": {"frozen": null}}), limits) == nothing
	told(object.union(object.remove(waits, ["facts"]), {"facts": {"frozen": null, "flavors": [healthy]}}), limits) == nothing
	told(object.union(waits, {"workload": {"namespace": null}}), limits) == nothing
	told(object.union(waits, {"workload": {"cluster_queue": 1}}), limits) == nothing
	told(object.union(waits, {"workload": {"waited_s": -1}}), limits) == nothing
	told(object.union(waits, {"workload": {"waited_s": "1"}}), limits) == nothing
}

test_a_fact_of_a_flavor_that_is_missing_or_odd_holds if {
	some field in ["fits_healthy", "fits_if_mended", "fits_at_all", "sick"]
	told(with_flavor({"fits_healthy": "yes"}), limits) == nothing
	told(with_flavor({"fits_if_mended": null}), limits) == nothing
	told(with_flavor({"fits_at_all": 1}), limits) == nothing
	told(with_flavor({"sick": {}}), limits) == nothing
	less := object.union(object.remove(waits, ["facts"]), {"facts": {"frozen": null, "flavors": {"h100": object.remove(healthy, [field])}}})
	told(less, limits) == nothing
}

test_limits_that_are_no_limits_hold if {
	told(waits, with_admission({"refused": {}})) == nothing
	told(waits, with_admission({"freezes": null})) == nothing
	told(waits, with_admission({"hold_at_most": "0s"})) == nothing
	told(waits, with_admission({"retry_after": "0s"})) == nothing
}
