# Which level counts for what is proposed: what the files say, and what was granted and lost since.
# Here rather than beside the rules of autonomy, because every rule of a guardrail is worked out each time, and these
# only where somebody granted or took away something.
package watchkeeper.lib

level_order := ["observe", "suggest", "act_with_approval", "act"]

lowest_level(names) := level_order[min(ranks)] if {
	ranks := [rank |
		some rank, name in level_order
		name in names
	]
}

# As long as nobody granted or took away anything, the files alone say it.
level := lowest_level(levels) if {
	count(said) == 0
} else := lowest_level(names) if {
	raised
	names := ({entry.level | some entry in granted} | (by_namespace | pinned)) | lost
} else := lowest_level(names) if {
	names := levels | lost
}

# The action's class: each tenant that is touched, or none.
classes := tenants if {
	count(tenants) > 0
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
	entry.upon == lowest_level(levels)
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

by_namespace := {data.limits.autonomy.namespaces[namespace] | some namespace in namespaces}

# What the files say of a tenant by name is raised by a grant to that tenant only.
pinned := {data.limits.autonomy.tenants[tenant] |
	some tenant in classes
	not tenant in speaking
}

by_tenant := {data.limits.autonomy.tenants[tenant] | some tenant in tenants}

levels := ({name | name := data.limits.autonomy.actions[input.proposal.action]} | by_tenant) | (by_namespace | otherwise)

otherwise := {name |
	not spoken_for
	name := object.get(data.limits.autonomy, "default", "observe")
}

# A namespace speaks for itself only: raising one of two that are touched raises nothing.
spoken_for if {
	data.limits.autonomy.actions[input.proposal.action]
} else if {
	data.limits.autonomy.tenants[input.proposal.tenant]
} else if {
	count(namespaces) > 0
	every namespace in namespaces {
		data.limits.autonomy.namespaces[namespace]
	}
}
