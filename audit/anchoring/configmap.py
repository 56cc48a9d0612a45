"""An object of Kubernetes as an anchor: a ConfigMap with the newest checkpoints, written by server-side apply.

It lies in the cluster's etcd, which is seldom in the hands of whoever has the log's disk, and every write is in the API
server's audit log under our field manager. A write names the version that it was made from, so that two agents cannot
take each other's checkpoint back. Access: the pod's service account, or a kubeconfig.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from audit.anchoring.anchor import AnchorDiffers, AnchorUnavailable, file_name, same
from audit.kept import SUFFIX

MANAGER = "watchkeeper-anchor"
KEPT_AT_MOST = 500
"""Checkpoints of some 400 bytes: a fifth of the mebibyte that an object may have. The newest covers those before it."""

TIMEOUT_S = 10.0
NOT_FOUND = 404
_APPLY = "application/apply-patch+yaml"


def access() -> client.ApiClient:
    """As the pod's service account, else as the kubeconfig says. Raises AnchorUnavailable."""
    try:
        config.load_incluster_config()  # type: ignore[no-untyped-call]
    except ConfigException:
        try:
            config.load_kube_config()  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            raise AnchorUnavailable(f"no cluster is known here: {error}") from error
    found = client.ApiClient()
    found.user_agent = MANAGER
    return found


class ConfigMapAnchor:
    def __init__(self, api: client.ApiClient, namespace: str, object_name: str) -> None:
        self._api = client.CoreV1Api(api)
        self._namespace = namespace
        self._object = object_name
        self.name = f"configmap {namespace}/{object_name}"

    def newest(self) -> bytes | None:
        notes = self._notes(self._get())
        return notes[max(notes)] if notes else None

    def since(self, size: int) -> list[bytes]:
        standing = self._get()
        if standing is None:
            raise AnchorUnavailable(f"{self.name}: there is no such object")
        notes = self._notes(standing)
        return [notes[name] for name in sorted(notes) if name >= file_name(size)]

    def gone(self) -> list[str]:
        """An object remembers nothing of the kind."""
        return []

    def keep(self, size: int, note: bytes) -> None:
        standing, name = self._get() or self._made(), file_name(size)
        notes = self._notes(standing)
        if name in notes:
            if not same(notes[name], note):
                raise AnchorDiffers(f"{self.name} keeps another checkpoint of {size} records")
            return
        notes[name] = note
        kept = {each: notes[each].decode() for each in sorted(notes)[-KEPT_AT_MOST:]}
        metadata = {"name": self._object, "resourceVersion": _version(standing)}
        with self._faults():
            self._api.patch_namespaced_config_map(
                self._object,
                self._namespace,
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": kept},
                field_manager=MANAGER,
                force=True,
                _content_type=_APPLY,
                _request_timeout=TIMEOUT_S,
            )

    def _made(self) -> client.V1ConfigMap:
        """Empty, so that of two who make it neither loses what the other put in."""
        empty = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=self._object))
        with self._faults():
            return self._api.create_namespaced_config_map(
                self._namespace, empty, field_manager=MANAGER, _request_timeout=TIMEOUT_S
            )

    def _get(self) -> client.V1ConfigMap | None:
        with self._faults():
            try:
                return self._api.read_namespaced_config_map(self._object, self._namespace, _request_timeout=TIMEOUT_S)
            except ApiException as error:
                if error.status == NOT_FOUND:
                    return None
                raise

    def _notes(self, standing: client.V1ConfigMap | None) -> dict[str, bytes]:
        data = cast(dict[str, str], (standing.data or {}) if standing is not None else {})
        return {name: text.encode() for name, text in data.items() if name.endswith(SUFFIX)}

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except ApiException as error:
            raise AnchorUnavailable(f"{self.name}: {error.status} {error.reason}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            said = " ".join(str(error).split())
            raise AnchorUnavailable(f"{self.name}: {said[:200]}") from error


def _version(standing: client.V1ConfigMap) -> str:
    return (standing.metadata.resource_version if standing.metadata else None) or ""
