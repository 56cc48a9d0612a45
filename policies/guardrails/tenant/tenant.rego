# METADATA
# title: Tenant scope
# description: What is done on behalf of a tenant stays within the namespaces declared for it.
package watchkeeper.guardrails.tenant

# METADATA
# title: Outside the tenant
# custom:
#   code: tenant.scope
#   message: "{namespace} is not one of the namespaces of tenant {tenant}"
#   remedy: Declare the namespace under tenants, or correct whose incident this is
deny contains {"code": "tenant.scope", "params": {"namespace": namespace, "tenant": tenant}} if {
	tenant := input.proposal.tenant
	declared := data.limits.tenants[tenant].namespaces
	namespace := input.proposal.target.namespace
	is_string(namespace)
	not namespace in declared
}
