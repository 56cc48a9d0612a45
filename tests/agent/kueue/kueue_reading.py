"""Kueue's objects seen by the scheduler core, and who is let in: in the words of these tests."""

from kueue_world import (
    NOW,
    Json,
    cluster_queue,
    flavor,
    local_queue,
    namespace,
)

from agent.adapters.kubernetes.translate import translate
from agent.adapters.kueue.rules import KINDLY, KueueRules
from agent.adapters.scheduler.admitting import Admissions, admit_waiting
from agent.adapters.scheduler.mapping import Mapped, mapped
from agent.domain.cluster import ClusterView


def view(*objects: Json) -> ClusterView:
    return translate(objects, NOW).view


def seen(*objects: Json, rules: KueueRules = KINDLY) -> Mapped:
    return mapped(view(namespace(), flavor(), cluster_queue(), local_queue(), *objects), rules)


def let_in(*objects: Json, rules: KueueRules = KINDLY) -> Admissions:
    what = view(*objects)
    waiting = [ref for ref in what.gangs if "admission" not in (what.objects[ref].get("status") or {})]
    return admit_waiting(what, waiting, rules=rules)


def names(result: Admissions) -> list[str]:
    return sorted(ref.name for ref in result.admitted)
