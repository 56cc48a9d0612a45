"""`watchkeeper audit checkpoint`: signs what the log is now, and keeps it where the log's operator cannot change it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.house import ConfigOption, DbOption, opened
from agent.cli.output import EXIT_REFUSED, JsonOption, fail, show_json

if TYPE_CHECKING:
    from audit.notes import VerifierKey
    from audit.signing import Signer


def checkpoint(
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The log's private key, its owner's alone.")],
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="FOLDER", help="Keeps it there, never over another."),
    ] = None,
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="NAME", help="First makes the key, for a log of this name.")
    ] = None,
    earlier: Annotated[
        list[str] | None, typer.Option("--earlier", metavar="VKEY", help="A key from before a rotation; repeatable.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Signs a checkpoint: size and root of the log, as a note that anybody with the public key can check."""
    from audit.anchors import AnchorUnavailable, FolderAnchor, NotAnExtension
    from audit.anchors import checkpoint as sign_and_keep
    from audit.checkpoints import Checkpoint
    from audit.notes import NoteRefused

    signer, before = _signer(key, new_key), _keys(earlier or [])
    with opened(config, db) as house:
        try:
            if into is None:
                size = house.log.size()
                note = signer.sign(Checkpoint(signer.key.name, size, house.log.root(size)))
            else:
                note = sign_and_keep(house.log, signer, FolderAnchor(into), before)
        except AnchorUnavailable as error:
            fail(f"The checkpoint cannot be kept: {error}.", "Name a folder that can be written by --into.")
        except (NotAnExtension, NoteRefused) as error:
            fail(
                f"Not signed: {error}.",
                "Somebody changed the log or the folder of checkpoints; ask who, before anything is signed.",
                status=EXIT_REFUSED,
            )
    if json:
        show_json({"note": str(note), "key": str(signer.key)})
        return
    typer.echo(str(note), nl=False)
    print(f"signed by {signer.key}", file=sys.stderr)


def anchored(file: Path, keys: list[str]) -> tuple[int, bytes]:
    """Size and root of a kept checkpoint that one of these keys has signed."""
    from audit.checkpoints import open_checkpoint
    from audit.notes import NoteRefused

    try:
        kept = open_checkpoint(file.read_bytes(), _keys(keys)).checkpoint
    except OSError as error:
        fail(f"The checkpoint {file} cannot be read: {error}.")
    except NoteRefused as error:
        fail(f"The checkpoint {file} cannot be trusted: {error}.", "Name the key that signed it by --key.")
    return kept.size, kept.root


def _signer(file: Path, new_name: str | None) -> Signer:
    from audit.notes import KeyRefused, SignatureType
    from audit.signing import load_key, new_key

    try:
        return load_key(file) if new_name is None else new_key(new_name, SignatureType.ED25519, file)
    except KeyRefused as error:
        fail(f"The key cannot be used: {error}.", "`--new-key NAME` makes one.")
    except FileExistsError:
        fail(f"There is a file {file} already.", "Leave --new-key out to sign with the key in it.")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"The key in {file} cannot be used: {error}.", "`--new-key NAME` makes one.")


def _keys(texts: list[str]) -> list[VerifierKey]:
    from audit.notes import KeyRefused, read_key

    try:
        return [read_key(text) for text in texts]
    except KeyRefused as error:
        fail(f"No verifier key: {error}.", "`audit checkpoint` prints the key that signs.")
