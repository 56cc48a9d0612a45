# METADATA
# title: Behind GitOps
# description: |
#   What Argo CD or Flux keeps in step with a repository is changed in the repository: a change of its spec in the
#   cluster is undone at the next sync, or is drift that nobody knows of. What only moves or restarts pods, and what
#   takes back our own change, is not meant.
package watchkeeper.guardrails.gitops

writes_spec := {
	"scale_workload",
	"reclaim_idle_gpu",
	"rollback_workload",
	"hold_queue",
	"resume_queue",
	"set_queue_quota",
	"deactivate_workload",
	"activate_workload",
}

marks := {
	"argocd.argoproj.io/tracking-id",
	"argocd.argoproj.io/instance",
	"kustomize.toolkit.fluxcd.io/name",
	"helm.toolkit.fluxcd.io/name",
}

# METADATA
# title: Kept in a repository
# custom:
#   code: gitops.managed
#   message: "{target} carries {mark}: its spec is kept in a repository"
#   remedy: Change it in the repository
deny contains {"code": "gitops.managed", "params": {"target": target, "mark": mark}} if {
	input.proposal.action in writes_spec
	not data.watchkeeper.lib.is_undo
	some kind in ["annotations", "labels"]
	some mark, _ in input.facts.target[kind]
	mark in marks
	target := data.watchkeeper.lib.target_ref
}
