# METADATA
# title: Change windows
# description: |
#   Where a window is declared for an action and a tenant (all of its selectors match; one left out means all), the
#   action is done only while one of those windows is open. What `except` names is done at any time, as is taking back
#   our own deed. Whether a window is open at `now` comes in as a fact, for cron and time zones are no business of Rego.
package watchkeeper.guardrails.window

applying contains window if {
	some window in object.get(data.limits, "windows", [])
	data.watchkeeper.lib.selects(object.get(window, "actions", ["*"]), {input.proposal.action})
	data.watchkeeper.lib.selects(object.get(window, "tenants", ["*"]), data.watchkeeper.lib.tenants)
	action := input.proposal.action
	excepted := object.get(window, "except", [])
	not action in excepted
}

open contains name if {
	some window in applying
	name := window.name
	some seen in input.facts.windows
	seen.name == name
	seen.open == true
}

# METADATA
# title: Outside its change windows
# custom:
#   code: window.closed
#   message: "{action} is done only within {windows}; of these none is open"
#   remedy: Wait for the next opening, do it by hand, or have whoever declared the window add the action to its `except`
deny contains {"code": "window.closed", "params": {"action": action, "windows": windows}} if {
	count(applying) > 0
	not data.watchkeeper.lib.is_undo
	count(open) == 0
	action := input.proposal.action
	windows := sort([told(window) | some window in applying])
}

told(window) := sprintf("%s (opens %s)", [window.name, opens]) if {
	some seen in input.facts.windows
	seen.name == window.name
	opens := seen.opens
	is_string(opens)
} else := window.name
