# METADATA
# title: Warranty
# description: |
#   What a vendor repairs nobody else opens, resets or replaces: the agent may call the vendor and look, no more. A node
#   without the label is nobody's.
package watchkeeper.guardrails.warranty

vendor := input.facts.target.labels[data.limits.warranty.label]

looks if data.watchkeeper.lib.operation(input.proposal) in {"support", "diagnose"}

# METADATA
# title: The vendor repairs it
# custom:
#   code: warranty.vendor_repairs
#   message: "{target} is under the warranty of {vendor}; {operation} would end it"
#   remedy: Call the vendor (request_node_repair with operation support), or take the vendor off warranty.vendors
deny contains {"code": "warranty.vendor_repairs", "params": {
	"target": target,
	"vendor": whose,
	"operation": operation,
}} if {
	input.proposal.action == "request_node_repair"
	not looks
	vendor in data.limits.warranty.vendors
	target := data.watchkeeper.lib.target_ref
	whose := vendor
	operation := data.watchkeeper.lib.operation(input.proposal)
}
