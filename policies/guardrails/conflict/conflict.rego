# METADATA
# title: Conflicting work
# description: Two who repair the same thing at once break it.
package watchkeeper.guardrails.conflict

# METADATA
# title: Somebody is at it already
# custom:
#   code: conflict.other_actor
#   message: "{actors} already works on {target}"
#   remedy: Let them finish; the incident is looked at again on the next signal
deny contains {"code": "conflict.other_actor", "params": {"actors": actors, "target": target}} if {
	actors := input.facts.conflicts
	count(actors) > 0
	target := data.watchkeeper.lib.target_ref
}
