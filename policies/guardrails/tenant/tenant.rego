# METADATA
# title: Tenant scope
# description: |
#   What is done on behalf of a tenant stays within the namespaces declared for it, with everything that it touches: the
#   target, what its steps act on, and whose pods they stop. Nor does anybody's remedy reach into a namespace that is
#   declared as another tenant's. A node is nobody's, and what is done to it is bound by other guardrails.
package watchkeeper.guardrails.tenant

outside contains namespace if {
	declared := data.limits.tenants[input.proposal.tenant].namespaces
	some namespace in data.watchkeeper.lib.namespaces
	not namespace in declared
}

outside contains namespace if {
	input.proposal.tenant != ""
	some name, other in data.limits.tenants
	name != input.proposal.tenant
	some namespace in other.namespaces
	namespace in data.watchkeeper.lib.namespaces
}

# METADATA
# title: Outside the tenant
# custom:
#   code: tenant.scope
#   message: "{namespace} is not one of the namespaces of tenant {tenant}"
#   remedy: Declare the namespace under tenants, or correct whose incident this is
deny contains {"code": "tenant.scope", "params": {"namespace": namespace, "tenant": tenant}} if {
	some namespace in outside
	tenant := input.proposal.tenant
}
