# METADATA
# title: Protected things
# description: |
#   Some namespaces belong to the platform itself, and every owner may opt out. Daemons that run on every node do not
#   count: nobody could repair a node otherwise. An opt-out does not stop us from taking back what we did. An exporter that
#   the site names in protected.telemetry may be started anew wherever it lives, and nothing else there may.
package watchkeeper.guardrails.protected

opt_out := data.limits.protected.opt_out

acted_on contains namespace if {
	namespace := input.proposal.target.namespace
	not starts_an_exporter_anew
}

starts_an_exporter_anew if {
	input.proposal.action in {"evict_pod", "restart_workload"}
	radius := input.proposal.blast_radius
	count(radius.gangs) + count(radius.nodes) == 0
	count(radius.workloads) == 1
	some ref in radius.workloads
	startswith(ref, "DaemonSet/")
	trim_prefix(ref, "DaemonSet/") in data.limits.protected.telemetry
}

acted_on contains namespace if {
	some kind in ["gangs", "workloads"]
	some ref in input.proposal.blast_radius[kind]
	not startswith(ref, "DaemonSet/")
	namespace := data.watchkeeper.lib.namespace_of(ref)
}

# What nobody's blast radius names may be touched all the same: a pod of no workload, the target of a step.
acted_on contains namespace if {
	some touched in input.facts.touched
	not runs_on_every_node(touched)
	namespace := data.watchkeeper.lib.namespace_of(touched.ref)
}

runs_on_every_node(touched) if startswith(touched.ref, "DaemonSet/")

# Or a static pod: the node's own kubelet runs it.
runs_on_every_node(touched) if {
	is_string(touched.owner)
	some kind in ["DaemonSet/", "Node/"]
	startswith(touched.owner, kind)
}

opted_out contains ref if {
	opts_out(input.facts.target.annotations)
	ref := data.watchkeeper.lib.target_ref
}

opted_out contains ref if {
	some namespace, marks in input.facts.namespaces
	opts_out(marks.annotations)
	ref := concat("/", ["Namespace", namespace])
}

opted_out contains ref if {
	some touched in input.facts.touched
	opts_out(touched.annotations)
	ref := touched.ref
}

# Any value but "false" opts out: who writes the annotation wants to be left alone.
opts_out(annotations) if lower(annotations[opt_out]) != "false"

# METADATA
# title: A protected namespace
# custom:
#   code: protected.namespace
#   message: The agent never acts in namespace {namespace}
#   remedy: Do it by hand, or take the namespace off protected.namespaces
deny contains {"code": "protected.namespace", "params": {"namespace": namespace}} if {
	some namespace in acted_on
	namespace in data.limits.protected.namespaces
}

# METADATA
# title: The owner opted out
# custom:
#   code: protected.opt_out
#   message: "{ref} carries the annotation {annotation}: its owner wants to be left alone"
#   remedy: Ask the owner; the agent acts again once the annotation is gone
deny contains {"code": "protected.opt_out", "params": {"ref": ref, "annotation": annotation}} if {
	some ref in opted_out
	not data.watchkeeper.lib.is_undo
	annotation := opt_out
}
