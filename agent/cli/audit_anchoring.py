"""`watchkeeper audit checkpoint` and `witness`: what the log is now, signed, cosigned, and kept out of reach."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.house import ConfigOption, DbOption, WallClock, opened
from agent.cli.output import EXIT_ERROR, EXIT_REFUSED, EXIT_USAGE, JsonOption, clean, fail, show_json

if TYPE_CHECKING:
    from audit.checkpoints import SignedCheckpoint
    from audit.log import Log
    from audit.notes import Note, SignatureType, VerifierKey
    from audit.signing import Signer

LISTEN = "127.0.0.1:9720"
STATE_LOCK_TIMEOUT_S = 5.0
"""How long one request waits for another; each writes one row."""


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
    witnesses: Annotated[
        list[str] | None,
        typer.Option("--witness", metavar="URL=VKEY", help="Has it cosigned by this witness, too; repeatable."),
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    db: DbOption = None,
) -> None:
    """Signs a checkpoint: size and root of the log, as a note that anybody with the public key can check."""
    from audit.anchors import AnchorUnavailable, FolderAnchor, NotAnExtension, checkpoint as sign_and_keep
    from audit.checkpoints import Checkpoint
    from audit.notes import NoteRefused

    asked = [_witness(text) for text in witnesses or []]
    signer, before = signer_of(key, new_key), _keys(earlier or [])
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
        cosigned = _cosigned(note, asked, house.log)
    if json:
        show_json({"note": str(cosigned), "key": str(signer.key)})
    else:
        typer.echo(str(cosigned), nl=False)
        print(f"signed by {signer.key}", file=sys.stderr)
    if len(cosigned.signatures) < len(note.signatures) + len(asked):
        raise typer.Exit(EXIT_ERROR)


def _cosigned(note: Note, witnesses: list[tuple[str, VerifierKey]], log: Log) -> Note:
    """The note with the lines of those who would; who would not is named."""
    import httpx

    from audit.notes import Note
    from audit.witness_client import TIMEOUT_S, NotCosigned, cosignature

    lines = list(note.signatures)
    with httpx.Client(timeout=TIMEOUT_S) as client:
        for url, key in witnesses:
            try:
                lines.append(cosignature(client, url, key, log, note))
            except NotCosigned as error:
                print(clean(f"Not cosigned: {error}"), file=sys.stderr)
    return Note(note.text, tuple(lines))


def _witness(text: str) -> tuple[str, VerifierKey]:
    url, _, key = text.partition("=")
    return url, _keys([key])[0]


def witness(
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The witness's private key.")],
    logs: Annotated[list[str], typer.Option("--log", metavar="VKEY", help="A log that it cosigns; repeatable.")],
    state: Annotated[Path, typer.Option("--state", metavar="PATH", help="What it has seen; SQLite.")],
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="NAME", help="First makes the key, under this name.")
    ] = None,
    listen: Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="Where logs reach it.")] = LISTEN,
) -> None:
    """Runs a witness: cosigns the checkpoints of these logs as long as they only grow (C2SP tlog-witness)."""
    import signal
    import threading

    from agent.adapters.inbound.serving import CannotListen, Serving
    from audit.notes import SignatureType
    from audit.storage.witnessed import WitnessFile
    from audit.witness import Witness
    from audit.witness_service import service

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    signer = signer_of(key, new_key, SignatureType.COSIGNATURE)
    own = Witness(signer, _keys(logs), WitnessFile(state, STATE_LOCK_TIMEOUT_S).transaction)
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        fail(f"--listen {listen} is not HOST:PORT.", status=EXIT_USAGE)
    try:
        serving = Serving(service(own, lambda: int(WallClock().now().timestamp())), host, int(port))
    except CannotListen as error:
        fail(f"{error}.", "Choose another address by --listen.")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    serving.start()
    print(f"{signer.key} listens on {serving.url}", file=sys.stderr, flush=True)
    stopped.wait()
    serving.stop()


def anchored(file: Path, keys: list[str]) -> tuple[int, bytes]:
    """Size and root of a kept checkpoint that one of these keys has signed."""
    kept = kept_checkpoint(file, keys).checkpoint
    return kept.size, kept.root


def kept_checkpoint(file: Path, keys: list[str]) -> SignedCheckpoint:
    from audit.checkpoints import open_checkpoint
    from audit.notes import NoteRefused

    try:
        return open_checkpoint(file.read_bytes(), _keys(keys))
    except OSError as error:
        fail(f"The checkpoint {file} cannot be read: {error}.")
    except NoteRefused as error:
        fail(f"The checkpoint {file} cannot be trusted: {error}.", "Name the key that signed it by --key.")


def signer_of(file: Path, new_name: str | None, kind: SignatureType | None = None) -> Signer:
    """For a log, unless another kind is asked for."""
    from audit.notes import KeyRefused, SignatureType
    from audit.signing import load_key, new_key

    try:
        return load_key(file) if new_name is None else new_key(new_name, kind or SignatureType.ED25519, file)
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
