# METADATA
# title: Autonomy
# description: |
#   observe < suggest < act_with_approval < act, by action, tenant and namespace; the lowest that applies counts, and
#   the default applies where nobody said anything more specific. A level that a person granted on evidence holds for
#   its action and tenant as long as the files say what they said then, and never above what a namespace says; a level
#   that was lost counts whatever the files say. The kill switch stops everything but telling people and giving a node
#   back.
package watchkeeper.guardrails.autonomy

order := ["observe", "suggest", "act_with_approval", "act"]

limits := data.limits.autonomy

lowest(names) := order[min(ranks)] if {
	ranks := [rank |
		some rank, name in order
		name in names
	]
}

level := lowest(names) if {
	raised
	names := ({entry.level | some entry in granted} | (by_namespace | pinned)) | lost
} else := lowest(names) if {
	names := levels | lost
}

# The action's class: each tenant that is touched, or none.
classes := data.watchkeeper.lib.tenants if {
	count(data.watchkeeper.lib.tenants) > 0
} else := {"*"}

# What was said of this action, in all.
said := [entry |
	some entry in input.standing.levels
	entry.action == input.proposal.action
]

# The last word on a class: of its tenant, else of all tenants.
last_word := object.union(
	{tenant: entry |
		some entry in said
		some tenant in classes
		entry.tenant == tenant
	},
	{tenant: entry |
		some entry in said
		entry.tenant == "*"
		some tenant in classes
		not tenant in speaking
	},
)

speaking := {entry.tenant | some entry in said}

granted := {entry |
	some entry in last_word
	entry.change == "granted"
	entry.upon == lowest(levels)
}

raised if {
	every tenant in classes {
		some entry in granted
		entry == last_word[tenant]
	}
}

lost := {entry.level |
	some entry in last_word
	entry.change == "demoted"
}

by_namespace := {limits.namespaces[namespace] | some namespace in data.watchkeeper.lib.namespaces}

# What the files say of a tenant by name is raised by a grant to that tenant only.
pinned := {limits.tenants[tenant] |
	some tenant in classes
	not tenant in speaking
}

by_tenant := {limits.tenants[tenant] | some tenant in data.watchkeeper.lib.tenants}

levels := ({name | name := limits.actions[input.proposal.action]} | by_tenant) | (by_namespace | otherwise)

otherwise := {name |
	not spoken_for
	name := object.get(limits, "default", "observe")
}

spoken_for if limits.actions[input.proposal.action]

spoken_for if limits.tenants[input.proposal.tenant]

# A namespace speaks for itself only: raising one of two that are touched raises nothing.
spoken_for if {
	count(data.watchkeeper.lib.namespaces) > 0
	every namespace in data.watchkeeper.lib.namespaces {
		limits.namespaces[namespace]
	}
}

telling if input.proposal.action == "notify"

# METADATA
# title: Kill switch
# custom:
#   code: autonomy.kill_switch
#   message: The kill switch is on; {action} is not done
#   remedy: A person sets autonomy.kill_switch to false once the cause is understood
deny contains {"code": "autonomy.kill_switch", "params": {"action": action}} if {
	limits.kill_switch
	action := input.proposal.action
	not action in {"notify", "uncordon_node"}
}

# METADATA
# title: Frozen by a person
# custom:
#   code: autonomy.frozen
#   message: The agent was frozen at {at} ({by}); {action} is not done
#   remedy: A person runs `watchkeeper policy levels thaw`, or takes the file or the annotation away, once it is over
deny contains {"code": "autonomy.frozen", "params": {"action": action, "at": at, "by": by}} if {
	some frozen in [input.standing.frozen]
	at := frozen.at
	by := frozen.by
	action := input.proposal.action
	not action in {"notify", "uncordon_node"}
}

# METADATA
# title: Observing only
# custom:
#   code: autonomy.observe
#   message: At level observe the agent records what it would do and does nothing; {action} is not done
#   remedy: Raise the level to suggest to be told, or higher to let it act
deny contains {"code": "autonomy.observe", "params": {"action": action}} if {
	level == "observe"
	action := input.proposal.action
}

# METADATA
# title: Suggesting only
# custom:
#   code: autonomy.suggest
#   message: At level suggest the agent proposes {action} and leaves it to people
#   remedy: Do it by hand as the proposal says, or raise the level to act_with_approval
deny contains {"code": "autonomy.suggest", "params": {"action": action}} if {
	level == "suggest"
	not telling
	action := input.proposal.action
}

# METADATA
# title: A person must agree
# custom:
#   code: autonomy.approval
#   message: At level act_with_approval a person must agree to {action}
#   remedy: Approve or reject the request; raise the level to act if this never needs a person
escalate contains {"code": "autonomy.approval", "params": {"action": action}} if {
	level == "act_with_approval"
	not telling
	not data.watchkeeper.lib.is_undo
	action := input.proposal.action
}

# METADATA
# title: The level lets the agent act
# custom:
#   code: autonomy.act
#   message: At level act the agent may do {action} by itself
#   remedy: Lower the level for this action, tenant or namespace to be asked first
allow contains {"code": "autonomy.act", "params": {"action": action}} if {
	level == "act"
	not telling
	action := input.proposal.action
}

# METADATA
# title: Our own deed is taken back
# description: Whoever asks us to take back what we did to them does not wait for an approval.
# custom:
#   code: autonomy.undo
#   message: This takes back our own action {undoes}, which needs no approval
#   remedy: Lower the level to suggest to keep the agent from undoing its own actions
allow contains {"code": "autonomy.undo", "params": {"undoes": undoes}} if {
	level == "act_with_approval"
	data.watchkeeper.lib.is_undo
	not telling
	undoes := input.proposal.undoes
}

# METADATA
# title: Telling people
# custom:
#   code: autonomy.notify
#   message: Telling people changes nothing and passes from level suggest up
#   remedy: Lower the level to observe for silence
allow contains {"code": "autonomy.notify", "params": {}} if {
	telling
	level != "observe"
}
