"""What an API server refuses: fields of the wrong shape, and fields that may not change. Pure.

First form: the rules that an agent's patch can break. Whatever a scenario writes is taken as it is.
"""

from typing import Any

from agent.adapters.simulated.keys import key_of, shown
from agent.adapters.simulated.wellformed import check_wellformed
from agent.ports import Conflict, Invalid, JsonObject

_COUNTS = ("replicas", "parallelism", "completions", "minReplicas", "maxReplicas")
_SWITCHES = ("suspend", "active", "unschedulable")
_POD_SPEC_MAY_CHANGE = ("tolerations", "activeDeadlineSeconds", "schedulingGates", "terminationGracePeriodSeconds")


def check_shape(manifest: JsonObject) -> None:
    """Raises Invalid, naming object and field."""
    try:
        where = shown(key_of(manifest))
    except ValueError as wrong:
        raise Invalid(str(wrong)) from wrong
    for field in ("labels", "annotations"):
        _check_strings(where, field, manifest["metadata"].get(field) or {})
    spec = manifest.get("spec") or {}
    if not isinstance(spec, dict):
        raise Invalid(f"{where}: spec: expected an object")
    for field in _COUNTS:
        value = spec.get(field)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise Invalid(f"{where}: spec.{field}: expected a whole number of at least 0, found {value!r}")
    for field in _SWITCHES:
        if not isinstance(spec.get(field, False), bool):
            raise Invalid(f"{where}: spec.{field}: expected true or false, found {spec[field]!r}")
    try:
        check_wellformed(manifest)
    except ValueError as wrong:
        raise Invalid(str(wrong)) from wrong


def _check_strings(where: str, field: str, values: Any) -> None:
    if not isinstance(values, dict):
        raise Invalid(f"{where}: metadata.{field}: expected an object")
    for name, value in values.items():
        if not isinstance(value, str):
            raise Invalid(f"{where}: metadata.{field}.{name}: expected text, found {value!r}")


def check_update(before: JsonObject, after: JsonObject) -> None:
    """Raises Invalid or Conflict when `after` may not follow `before`."""
    where = shown(key_of(before))
    if after.get("kind") != before["kind"] or not isinstance(after.get("metadata"), dict):
        raise Invalid(f"{where}: kind and metadata may not be taken away")
    for field in ("name", "namespace"):
        if after["metadata"].get(field) != before["metadata"].get(field):
            raise Invalid(f"{where}: metadata.{field}: is immutable")
    if after["metadata"].get("uid") != before["metadata"]["uid"]:
        raise Conflict(f"{where}: metadata.uid: this is {before['metadata']['uid']}")
    check_shape(after)
    old, new = before.get("spec") or {}, after.get("spec") or {}
    if before["kind"] == "Job" and old.get("template") != new.get("template") and not old.get("suspend"):
        raise Invalid(f"{where}: spec.template: is immutable while the job is not suspended")
    if before["kind"] == "Pod":
        _check_pod(where, old, new)


def _check_pod(where: str, old: JsonObject, new: JsonObject) -> None:
    for field in sorted({*old, *new}):
        if field not in _POD_SPEC_MAY_CHANGE and old.get(field) != new.get(field):
            raise Invalid(f"{where}: spec.{field}: a pod's spec is immutable")
