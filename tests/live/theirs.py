"""Somebody else's cluster, by a kubeconfig: what a test makes there it takes away again, and it touches nothing else.

`Theirs` looks to a test like our own control plane, as far as that can be: none of it is stopped, killed or set back.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from kube import Api, Json, Refused, reference
from servers import wait_for

Place = tuple[str, str, str, str]  # api version, kind, name, namespace
GONE_WITHIN_S = 180.0  # a namespace with Kueue's workloads, on a machine that does much else
SHORTEST_TOKEN = timedelta(minutes=10)  # that an API server gives
FOREVER = timedelta(hours=4)


class Taken(Exception):
    """A test would have touched what it did not make."""


class Tidy(Api):
    """Keeps in mind what it made, and changes nothing else."""

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__(kubeconfig)
        self._made: dict[Place, str] = {}

    def create(self, made: Json) -> Json:
        answer = super().create(made)
        self._made[_place(made, answer)] = answer["metadata"]["uid"]
        return answer

    def apply(self, made: Json) -> Json:
        place = _place(made, made)
        if not self._is_ours(place) and self.find(*place) is not None:
            raise Taken(f"{' '.join(place[1:])} is there already")
        answer = super().apply(made)
        self._made.setdefault(place, answer["metadata"]["uid"])
        return answer

    def merge(self, of: Json, change: Json, part: str = "") -> Json:
        self._must_be_ours(of)
        return super().merge(of, change, part)

    def delete(self, of: Json, **options: Any) -> None:
        self._must_be_ours(of)
        super().delete(of, **options)

    def adopt(self, place: Place) -> None:
        """What the agent's own client made for a test."""
        found = self.find(*place)
        if found is not None:
            self._made.setdefault(place, found["metadata"]["uid"])

    def tidy(self) -> None:
        """Takes everything away, the newest first, and waits until it is gone."""
        left = dict(reversed(self._made.items()))
        for place, uid in left.items():
            with suppress(Refused):  # gone already, with its namespace perhaps
                self.ask("DELETE", self.path(reference(*place)), _by(uid, "Background"))
        wait_for(
            f"all is gone: {', '.join(' '.join(p[1:]) for p in left)}", lambda: self._all_gone(left), GONE_WITHIN_S
        )
        self._forget_events(set(left))
        self._made.clear()

    def _all_gone(self, left: dict[Place, str]) -> bool:
        for namespace in [name for _, kind, name, _ in left if kind == "Namespace"]:
            for pod in self.list("v1", "Pod", namespace):  # of nodes without a kubelet, which would say that it ended
                with suppress(Refused):
                    place = reference("v1", "Pod", pod["metadata"]["name"], namespace)
                    self.ask("DELETE", self.path(place), {"gracePeriodSeconds": 0})
        return not any(self._there(place, uid) for place, uid in left.items())

    def _there(self, place: Place, uid: str) -> bool:
        try:
            found = self.find(*place)
        except KeyError:  # its kind is gone, too
            return False
        return found is not None and found["metadata"]["uid"] == uid

    def _forget_events(self, left: set[Place]) -> None:
        """Events about what lies in no namespace lie in `default`, for an hour."""
        ours = {(kind, name) for _, kind, name, namespace in left if not namespace}
        for event in self.list("v1", "Event", "default"):
            about = event["involvedObject"]
            if (about.get("kind"), about.get("name")) in ours:
                with suppress(Refused):
                    place = reference("v1", "Event", event["metadata"]["name"], "default")
                    self.ask("DELETE", self.path(place))

    def _must_be_ours(self, of: Json) -> None:
        place = _place(of, of)
        if not self._is_ours(place):
            raise Taken(f"{' '.join(place[1:])} is not of this test's making")

    def _is_ours(self, place: Place) -> bool:
        return place in self._made or ("v1", "Namespace", place[3], "") in self._made


class Theirs:
    """`admin` may do what the tests ask for; `as_account` makes a kubeconfig that may do what is named and no more."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self.admin, self.folder = kubeconfig.absolute(), folder
        self.api = Tidy(self.admin)
        self._accounts = ""

    @property
    def accounts(self) -> str:
        """The namespace of the accounts that tests make."""
        if not self._accounts:
            about = {"generateName": "watchkeeper-accounts-"}
            made = self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": about})
            self._accounts = str(made["metadata"]["name"])
        return self._accounts

    def as_account(self, name: str, rules: list[Json], lasts: timedelta = FOREVER) -> Path:
        about, role = {"name": name, "namespace": self.accounts}, f"{self.accounts}:{name}"
        rbac = "rbac.authorization.k8s.io"
        self.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about})
        self.api.apply({**reference(f"{rbac}/v1", "ClusterRole", role), "rules": rules})
        bound = {"roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role}}
        subjects = {"subjects": [{"kind": "ServiceAccount", **about}]}
        self.api.apply({**reference(f"{rbac}/v1", "ClusterRoleBinding", role), **bound, **subjects})
        return self.kubeconfig(name, self.token(name, lasts))

    def token(self, account: str, lasts: timedelta = FOREVER, namespace: str = "") -> str:
        if lasts < SHORTEST_TOKEN:
            raise ValueError(
                "an API server gives no token for less than ten minutes: ask for `plane`, which makes its own"
            )
        path = f"/api/v1/namespaces/{namespace or self.accounts}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        spec = {"expirationSeconds": int(lasts.total_seconds())}
        return str(self.api.ask("POST", path, {**request, "spec": spec})["status"]["token"])

    def kubeconfig(self, user: str, token: str) -> Path:
        """To the same cluster as `admin`'s current context."""
        theirs = yaml.safe_load(self.admin.read_text(encoding="utf-8"))
        context = next(c["context"] for c in theirs["contexts"] if c["name"] == theirs["current-context"])
        cluster = next(c["cluster"] for c in theirs["clusters"] if c["name"] == context["cluster"])
        if authority := cluster.get("certificate-authority"):
            cluster = {**cluster, "certificate-authority": str(self.admin.parent / authority)}
        made = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "theirs", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "theirs", "context": {"cluster": "theirs", "user": user}}],
            "current-context": "theirs",
        }
        file = self.folder / f"{user}.kubeconfig"
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(made), encoding="utf-8")
        return file


def everything(api: Api, *leave_out: str) -> dict[Place, str]:
    """Every object of every kind that can be listed, and its version, but for these kinds."""
    found: dict[Place, str] = {}
    for version, kind in _kinds(api):
        if kind in leave_out:
            continue
        for each in api.list(version, kind):
            about = each["metadata"]
            found[version, kind, about["name"], about.get("namespace", "")] = about.get("resourceVersion", "")
    return found


def _kinds(api: Api) -> list[tuple[str, str]]:
    """Each in one version, the preferred one where it is served in that."""
    found: dict[tuple[str, str], str] = {}
    for group in [{"name": "", "versions": [{"groupVersion": "v1"}]}, *api.ask("GET", "/apis")["groups"]]:
        first = group.get("preferredVersion", {}).get("groupVersion")
        versions = sorted((each["groupVersion"] for each in group["versions"]), key=lambda v: v != first)
        for version in versions:
            served = api.ask("GET", f"/api/{version}" if "/" not in version else f"/apis/{version}")["resources"]
            for each in served:
                if "/" not in each["name"] and "list" in each["verbs"]:
                    found.setdefault((group["name"], each["kind"]), version)
    return [(version, kind) for (_, kind), version in found.items()]


def _place(said: Json, answer: Json) -> Place:
    about = answer["metadata"]
    return said["apiVersion"], said["kind"], about["name"], about.get("namespace") or ""


def _by(uid: str, policy: str) -> Json:
    return {"preconditions": {"uid": uid}, "propagationPolicy": policy}
