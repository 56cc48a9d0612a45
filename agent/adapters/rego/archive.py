"""Writes the bundle that an OPA server loads: the same policies, the merged limits, and our digest as its revision.

By that revision an agent knows, with every decision, that the server decided under the very policies that the agent
was started with. The same input makes the same bytes. The forms of the limits go along for an agent that reads the same
archive; OPA takes no notice of them.
"""

import gzip
import io
import json
import tarfile

from agent.adapters.rego import signature
from agent.adapters.rego.bundle import Bundle

ROOTS = ("limits", "watchkeeper")  # nobody can write to these beside the bundle: OPA refuses it


def bundle_files(bundle: Bundle) -> dict[str, bytes]:
    """The files of an OPA bundle, by name."""
    manifest = {"revision": bundle.digest, "roots": list(ROOTS), "rego_version": 1}
    files = {name: text.encode() for name, text in (*bundle.policies, *bundle.schemas.items())}
    files[".manifest"] = _json(manifest)
    files["data.json"] = _json({"limits": bundle.limits})
    return dict(sorted(files.items()))


def bundle_archive(bundle: Bundle, signing_key_pem: bytes | None = None, scope: str = "") -> bytes:
    """The bundle as .tar.gz, signed where there is a key."""
    files = bundle_files(bundle)
    if signing_key_pem is not None:
        files[signature.FILE] = signature.sign(files, signing_key_pem, scope)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"/{name}")
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
