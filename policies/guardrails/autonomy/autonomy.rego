# METADATA
# title: Autonomy
# description: |
#   observe < suggest < act_with_approval < act, by action, tenant and namespace; the lowest that applies counts, and
#   the default applies where nobody said anything more specific. A level that a person granted on evidence holds for
#   its action and tenant as long as the files say what they said then, and never above what a namespace says; a level
#   that was lost counts whatever the files say. The kill switch stops everything but telling people and giving a node
#   back.
package watchkeeper.guardrails.autonomy

level := data.watchkeeper.lib.level

telling if input.proposal.action == "notify"

# METADATA
# title: Kill switch
# custom:
#   code: autonomy.kill_switch
#   message: The kill switch is on; {action} is not done
#   remedy: A person sets autonomy.kill_switch to false once the cause is understood
deny contains {"code": "autonomy.kill_switch", "params": {"action": action}} if {
	data.limits.autonomy.kill_switch
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
