# What a proposal touches, in the words that the guardrails share.
package watchkeeper.lib

# Takes back what we did ourselves, at no cost to anything that runs. It is asked for by those whom we disturbed, so
# guardrails that keep us from disturbing do not stand in its way.
is_undo if {
	is_string(input.proposal.undoes)
	not input.proposal.destructive
}

# Gives capacity back and takes nothing: it widens no blast radius and waits for no cooldown.
gives_back if is_undo

gives_back if input.proposal.action == "uncordon_node"

# Asks the vendor's or the site's people. A repair that keeps failing must always be able to end here.
calls_support if {
	input.proposal.action == "request_node_repair"
	input.proposal.parameters.operation == "support"
}

target_ref := ref(input.proposal.target)

ref(thing) := concat("/", [thing.kind, thing.namespace, thing.name]) if namespaced(thing)

ref(thing) := concat("/", [thing.kind, thing.name]) if not namespaced(thing)

namespaced(thing) if is_string(thing.namespace)

# A reference is Kind/name or Kind/namespace/name.
namespace_of(text) := parts[1] if {
	parts := split(text, "/")
	count(parts) == 3
}

namespaces := {namespace | some namespace, _ in input.facts.namespaces} | {namespace |
	namespace := input.proposal.target.namespace
	is_string(namespace)
}

# The proposal's own tenant, and each declared tenant whose namespace is touched.
tenants := ({input.proposal.tenant} - {""}) | {name |
	some name, tenant in data.limits.tenants
	some namespace in namespaces
	namespace in tenant.namespaces
}
