# METADATA
# title: Change freeze
# description: |
#   Between two moments, actions that all of a freeze's selectors match are denied; a selector left out means all, and
#   what `except` names goes on. Taking back our own deed is no change of ours.
package watchkeeper.guardrails.freeze

in_force contains freeze if {
	some freeze in data.limits.freezes
	data.watchkeeper.lib.now_ns >= time.parse_rfc3339_ns(freeze.from)
	data.watchkeeper.lib.now_ns < time.parse_rfc3339_ns(freeze.to)
	data.watchkeeper.lib.selects(object.get(freeze, "actions", ["*"]), {input.proposal.action})
	data.watchkeeper.lib.selects(object.get(freeze, "tenants", ["*"]), data.watchkeeper.lib.tenants)
	action := input.proposal.action
	excepted := object.get(freeze, "except", [])
	not action in excepted
}

# METADATA
# title: A freeze is in force
# custom:
#   code: freeze.active
#   message: "The freeze {name} is in force until {to}"
#   remedy: Wait until it is over, or have the owner of the freeze add the action to its `except`
deny contains {"code": "freeze.active", "params": {"name": name, "to": to}} if {
	some freeze in in_force
	not data.watchkeeper.lib.is_undo
	name := freeze.name
	to := freeze.to
}
