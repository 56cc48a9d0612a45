"""The rights of deploy/kubernetes under other names, so that a test finds and leaves an installation as it is."""

from copy import deepcopy

from kube import Json

from agent.adapters.kubernetes.rbac import NAMESPACE, manifests

KUEUE = "kueue-system"  # where Kueue's settings lie, whatever we are called


def installation(home: str, *folders: str) -> list[Json]:
    """Roles and bindings for the account `watchkeeper` in the namespace `home`, which has to be there."""
    return [_moved(deepcopy(each), home) for each in manifests(*folders) if each["kind"] != "Namespace"]


def _moved(made: Json, home: str) -> Json:
    about = made["metadata"]
    if about.get("namespace") == NAMESPACE:
        about["namespace"] = home
    if made["kind"] != "ServiceAccount":
        about["name"] = f"{home}:{about['name']}"
    if "roleRef" in made:
        made["roleRef"]["name"] = f"{home}:{made['roleRef']['name']}"
        for subject in made["subjects"]:
            subject["namespace"] = home
    return made
