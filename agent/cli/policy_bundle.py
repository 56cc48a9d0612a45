"""`watchkeeper policy build|sign`: the bundle for an OPA server, and signatures in OPA's form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.house import ConfigOption, settings
from agent.cli.output import fail, say

KeyOption = Annotated[
    Path | None, typer.Option("--signing-key", metavar="FILE", help="Private key (PEM), RSA or of the curve P-256.")
]
ScopeOption = Annotated[str, typer.Option(help="What the signature is for; whoever verifies must name the same.")]


def build(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="The bundle is written there, as .tar.gz.")],
    signing_key: KeyOption = None,
    scope: ScopeOption = "",
    observe: Annotated[bool, typer.Option("--observe", help="For an agent that only observes.")] = False,
    config: ConfigOption = None,
) -> None:
    """Writes the policies with this site's limits as a bundle that an OPA server and this agent both load.

    The revision is the digest by which an agent with the same settings decides; of one that only observes that level is
    a part.
    """
    from agent.adapters.rego.archive import bundle_archive
    from agent.adapters.rego.bundle import read_bundle
    from agent.config import as_run
    from agent.ports import PolicyUnavailable
    from agent.resources import bundled

    known = settings(config)
    seen_so = as_run(known.model_copy(update={"observe": True}))
    known = seen_so if observe else known
    try:
        bundle = read_bundle(known.policies or bundled("policies"), known.policy_data)
        content = bundle_archive(bundle, _key(signing_key) if signing_key else None, scope)
    except PolicyUnavailable as fault:
        fail(f"This bundle is refused: {fault}.", "Nothing was written; mend it first.")
    _write(archive, content)
    say(f"{archive}: revision {bundle.digest}{', signed' if signing_key else ''}")
    if known.observes and not observe:
        other = read_bundle(known.policies or bundled("policies"), seen_so.policy_data)
        say(f"With these settings the agent only observes, by revision {other.digest}: --observe builds that.")


def sign(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of policies.")],
    signing_key: Annotated[Path, typer.Option("--signing-key", metavar="FILE", help="Private key (PEM).")],
    scope: ScopeOption = "",
) -> None:
    """Writes .signatures.json into a folder of policies: every file that is there, and no other, is then taken."""
    from agent.adapters.rego import signature
    from agent.adapters.rego.source import read_source
    from agent.ports import PolicyUnavailable

    if not folder.is_dir():
        fail(f"{folder} is no folder.", "An archive is signed as it is built: watchkeeper policy build.")
    try:
        source = read_source(folder)
        content = signature.sign(source, _key(signing_key), scope)
    except PolicyUnavailable as fault:
        fail(f"It cannot be signed: {fault}.")
    _write(folder / signature.FILE, content)
    say(f"{folder / signature.FILE}: {len(source)} files")


def _key(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror}.")


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        fail(f"{file}: {error.strerror}.")
