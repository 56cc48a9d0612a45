# METADATA
# title: Kueue's admission check
# description: |
#   Asked for each workload that holds quota in a ClusterQueue with a check of ours, before its pods may run. reject >
#   retry > hold > allow, and what nobody allows is held: more rules never let anybody in sooner. hold keeps the quota,
#   retry gives it back for a while, reject switches the workload off. Pure: time, workload and facts come in as input.
package watchkeeper.admission

# METADATA
# title: No verdict can be reached
# custom:
#   code: admission.no_verdict
#   message: The input or the limits lack something that admission rests on
#   remedy: Run `watchkeeper policy check`; the workload keeps its quota and waits meanwhile
default verdict := {
	"decision": "hold",
	"reasons": [{"code": "admission.no_verdict", "params": {}}],
	"requeue_after_s": null,
}

verdict := {"decision": decision, "reasons": reasons[decision], "requeue_after_s": requeue_after_s} if {
	well_formed
	count(reasons[decision]) > 0
}

# What rules rest on is checked once: a missing fact would leave a rule that holds undefined, and nobody would be held.
well_formed if {
	is_string(input.now)
	time.parse_rfc3339_ns(input.now) > 0
	is_string(input.workload.namespace)
	is_string(input.workload.cluster_queue)
	is_number(input.workload.waited_s)
	input.workload.waited_s >= 0
	is_object(input.facts.flavors)
	every flavor in input.facts.flavors {
		is_boolean(flavor.fits_healthy)
		is_boolean(flavor.fits_if_mended)
		is_boolean(flavor.fits_at_all)
		is_array(flavor.sick)
	}
	freeze_known(input.facts.frozen)
	limits_known
}

freeze_known(frozen) if is_null(frozen)

freeze_known(frozen) if is_string(frozen)

limits_known if {
	some limits in [data.limits.admission]
	is_array(limits.refused)
	is_array(limits.freezes)
	data.watchkeeper.lib.seconds(limits.hold_at_most) > 0
	data.watchkeeper.lib.seconds(limits.retry_after) > 0
}

decision := "reject" if {
	count(reject) > 0
} else := "retry" if {
	count(retry) > 0
} else := "hold" if {
	count(hold) > 0
} else := "allow"

reasons := {
	"reject": [reason | some reason in reject],
	"retry": [reason | some reason in retry],
	"hold": [reason | some reason in hold],
	"allow": [reason | some reason in allow],
}

default requeue_after_s := null

requeue_after_s := data.watchkeeper.lib.seconds(data.limits.admission.retry_after) if decision == "retry"

# METADATA
# title: The site refuses this work here
# custom:
#   code: admission.refused
#   message: "The site's limits refuse it: {name}"
#   remedy: Submit it elsewhere, or have the entry taken out of limits.admission.refused
reject contains {"code": "admission.refused", "params": {"name": name}} if {
	not_frozen
	some entry in data.limits.admission.refused
	selected(entry)
	name := entry.name
}

# METADATA
# title: The healthy nodes are too few for it
# custom:
#   code: admission.too_few_healthy
#   message: "Without {nodes} the nodes of flavor {flavor} could not hold it, were they empty"
#   remedy: Have the nodes mended, or ask for fewer pods; until then the quota is others' to use
retry contains {"code": "admission.too_few_healthy", "params": {"flavor": name, "nodes": nodes}} if {
	not_frozen
	some name, flavor in input.facts.flavors
	count(flavor.sick) > 0
	flavor.fits_at_all == false
	nodes := [node.name | some node in flavor.sick]
}

# METADATA
# title: It was held for long enough
# custom:
#   code: admission.held_too_long
#   message: "It was held for {waited_s} s; its quota goes to others until it is tried again"
#   remedy: See what holds it; limits.admission.hold_at_most says how long
retry contains {"code": "admission.held_too_long", "params": {"waited_s": waited_s}} if {
	not_frozen
	count(hold) > 0
	waited_s := input.workload.waited_s
	waited_s > data.watchkeeper.lib.seconds(data.limits.admission.hold_at_most)
}

# METADATA
# title: It would start on sick nodes or not at all
# custom:
#   code: admission.sick_nodes
#   message: "Flavor {flavor} has room for it only with {nodes}"
#   remedy: Wait until they are mended or until healthy nodes come free
hold contains {"code": "admission.sick_nodes", "params": {"flavor": name, "nodes": nodes}} if {
	some name, flavor in input.facts.flavors
	flavor.fits_healthy == false
	flavor.fits_if_mended == true
	nodes := [node.name | some node in flavor.sick]
}

# METADATA
# title: Admission is frozen
# custom:
#   code: admission.freeze
#   message: "The freeze {name} is in force until {to}"
#   remedy: Wait until it is over, or have its owner end it
hold contains {"code": "admission.freeze", "params": {"name": name, "to": to}} if {
	some entry in data.limits.admission.freezes
	time.parse_rfc3339_ns(input.now) >= time.parse_rfc3339_ns(entry.from)
	time.parse_rfc3339_ns(input.now) < time.parse_rfc3339_ns(entry.to)
	selected(entry)
	name := entry.name
	to := entry.to
}

# METADATA
# title: The agent is switched off
# custom:
#   code: admission.kill_switch
#   message: "The agent is stopped by {by}, so it lets nobody in either"
#   remedy: Reset the switch, or take the check off the ClusterQueue to admit without it
hold contains {"code": "admission.kill_switch", "params": {"by": by}} if {
	by := input.facts.frozen
	by != null
}

# METADATA
# title: Nothing is known against it
# custom:
#   code: admission.no_trouble
#   message: No trouble is known on the nodes that it was let in for
#   remedy: Nothing to do
allow contains {"code": "admission.no_trouble", "params": {}}

# Whoever is switched off sends nobody off.
not_frozen if is_null(input.facts.frozen)

selected(entry) if {
	data.watchkeeper.lib.selects(object.get(entry, "namespaces", ["*"]), {input.workload.namespace})
	data.watchkeeper.lib.selects(object.get(entry, "cluster_queues", ["*"]), {input.workload.cluster_queue})
}
