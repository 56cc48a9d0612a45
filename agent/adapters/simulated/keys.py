"""How the store names an object: by API group, not version, since one object is served in several versions."""

from agent.adapters.kubernetes.owners import Key, group_of
from agent.domain.cluster import ObjectRef
from agent.ports import JsonObject


def key_of(manifest: JsonObject) -> Key:
    """Raises ValueError for what is no Kubernetes object, naming the field."""
    if not isinstance(manifest, dict):
        raise ValueError("a manifest is a mapping")
    metadata = manifest.get("metadata")
    for field, value in (("apiVersion", manifest.get("apiVersion")), ("kind", manifest.get("kind"))):
        if not isinstance(value, str) or not value:
            raise ValueError(f"{field}: a manifest needs one, got {value!r}")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise ValueError(f"{manifest['kind']}: metadata.name: a manifest needs one")
    return Key(group_of(manifest["apiVersion"]), manifest["kind"], metadata.get("namespace") or "", metadata["name"])


def shown(key: Key) -> str:
    return "/".join(part for part in (key.kind, key.namespace, key.name) if part)


def owner_keys(manifest: JsonObject) -> list[Key]:
    """The objects that own this one. Matched by name, not uid: scenarios may leave uids out."""
    metadata = manifest["metadata"]
    return [
        Key(group_of(each.get("apiVersion", "")), each.get("kind", ""), metadata.get("namespace") or "", each["name"])
        for each in metadata.get("ownerReferences") or []
        if isinstance(each, dict) and each.get("name")
    ]


def controller_key(manifest: JsonObject) -> Key | None:
    """The one owner that manages this object: marked as controller, else the only one there is."""
    references = manifest["metadata"].get("ownerReferences") or []
    owners = owner_keys(manifest)
    for reference, owner in zip(references, owners, strict=False):
        if reference.get("controller"):
            return owner
    return owners[0] if owners else None


def ref_of(manifest: JsonObject) -> ObjectRef:
    metadata = manifest["metadata"]
    return ObjectRef(
        api_version=manifest["apiVersion"],
        kind=manifest["kind"],
        namespace=metadata.get("namespace") or None,
        name=metadata["name"],
    )
