# METADATA
# title: The gate
# description: |
#   The only entrypoint. Every guardrail under watchkeeper.guardrails is asked; a guardrail is found by its package, so
#   none can be forgotten here. deny > escalate > allow, and what nobody allows is denied: more deny rules never weaken
#   a decision. Pure: time, facts and history come in as input, limits as data.
package watchkeeper.main

# METADATA
# title: No verdict can be reached
# custom:
#   code: main.no_verdict
#   message: The input or the limits lack something that every decision rests on
#   remedy: Run `watchkeeper policy check`, and compare the recorded input with what docs/policies.md asks for
default verdict := {
	"decision": "deny",
	"reasons": [{"code": "main.no_verdict", "params": {}}],
	"obligations": {"dry_run": true, "notice_s": 0, "verify_within_s": 600},
	"approval": null,
}

verdict := {
	"decision": decision,
	"reasons": reasons[decision],
	"obligations": data.watchkeeper.lib.obligations,
	"approval": approval,
} if {
	data.watchkeeper.lib.well_formed
}

decision := "deny" if {
	count(denials) > 0
} else := "escalate" if {
	count(escalations) > 0
} else := "allow"

reasons := {
	"deny": [reason | some reason in denials],
	"escalate": [reason | some reason in escalations],
	"allow": [reason | some reason in allowances],
}

default approval := null

approval := data.watchkeeper.lib.approval if decision == "escalate"

denials := refusals | deny

refusals := {reason |
	some guardrail in consulted
	some reason in guardrail.deny
}

escalations := {reason |
	some guardrail in consulted
	some reason in guardrail.escalate
}

allowances := {reason |
	some guardrail in consulted
	some reason in guardrail.allow
}

# All are asked at once, and here alone: an engine that is asked for each by its name goes through all of them each time.
guardrails := data.watchkeeper.guardrails

# Telling a person changes nothing: only the autonomy level and the kill switch have a say in it.
consulted := guardrails if input.proposal.action != "notify"

consulted := {"autonomy": guardrails.autonomy} if input.proposal.action == "notify"

# METADATA
# title: Approvers that nobody can read
# custom:
#   code: main.approvers
#   message: "The guardrail {guardrail} asks for approvers that are no set of groups with a name and a whole count"
#   remedy: "Write `approvers contains {{\"name\": GROUP, \"count\": N}}` in that guardrail"
deny contains {"code": "main.approvers", "params": {"guardrail": guardrail}} if {
	input.proposal.action != "notify"
	some guardrail, rules in guardrails
	groups := rules.approvers
	not data.watchkeeper.lib.approvers_readable(groups)
}

# METADATA
# title: Nothing allows it
# custom:
#   code: main.nothing_allows
#   message: No guardrail allows {action}
#   remedy: Raise the autonomy level for this action if the agent should do it
deny contains {"code": "main.nothing_allows", "params": {"action": action}} if {
	count(refusals) == 0
	count(escalations) == 0
	count(allowances) == 0
	action := input.proposal.action
}
