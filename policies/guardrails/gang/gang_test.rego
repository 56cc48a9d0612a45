package watchkeeper.guardrails.gang_test

deny(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.gang.deny with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

escalate(given, limits) := codes if {
	reasons := data.watchkeeper.guardrails.gang.escalate with input as given with data.limits as limits
	codes := data.watchkeeper.examples.codes(reasons)
}

limits := data.watchkeeper.examples.limits

with_gang(changes) := object.union(data.watchkeeper.examples.requeue, {"facts": {"gangs": [gang]}}) if {
	gang := object.union(data.watchkeeper.examples.requeue.facts.gangs[0], changes)
}

test_a_whole_sick_gang_may_be_requeued if {
	deny(data.watchkeeper.examples.requeue, limits) == set()
	escalate(data.watchkeeper.examples.requeue, limits) == set()
}

test_part_of_a_gang_is_never_touched if {
	deny(with_gang({"touched": 1, "whole": false}), limits) == {"gang.partial"}
	deny(with_gang({"touched": 0, "whole": false}), limits) == set()
}

test_a_person_weighs_the_work_of_a_healthy_gang if {
	escalate(with_gang({"healthy": true}), limits) == {"gang.healthy"}
	escalate(with_gang({"healthy": true, "touched": 0}), limits) == set()
	escalate(object.union(with_gang({"healthy": true}), {"proposal": {"destructive": false}}), limits) == set()
}

test_idleness_is_judged_by_its_own_evidence if {
	given := object.union(with_gang({"healthy": true}), {"proposal": {"action": "reclaim_idle_gpu"}})
	escalate(given, limits) == set()
}
