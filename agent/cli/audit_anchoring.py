"""`watchkeeper audit checkpoint` and `witness`: what the log is now, signed, cosigned, and kept out of reach."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.house import ConfigOption, DbOption, WallClock, log_opened, settings
from agent.cli.output import EXIT_ERROR, EXIT_REFUSED, EXIT_USAGE, JsonOption, clean, fail, show_json

if TYPE_CHECKING:
    from agent.config import Settings
    from audit.anchoring.anchor import Anchor
    from audit.checkpoints import SignedCheckpoint
    from audit.kept import Kept, Refused
    from audit.log import Log
    from audit.notes import Note, SignatureType, VerifierKey
    from audit.signing import Signer

LISTEN = "127.0.0.1:9720"
STATE_LOCK_TIMEOUT_S = 5.0
"""How long one request waits for another; each writes one row."""


def checkpoint(
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="The log's private key; without it the settings' checkpoint_key_file."
        ),
    ] = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option(
            "--anchor", "--into", metavar="PLACE", help="Keeps it there; repeatable. Without: what the settings name."
        ),
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
    from audit.anchoring.publishing import NotAnExtension, checkpoint as sign_and_keep
    from audit.notes import NoteRefused

    given = settings(config)
    asked = [_witness(text) for text in witnesses or given.witnesses]
    signer = signer_of(_key_file(key, given), new_key)
    before = keys_of([*(earlier or []), *given.earlier_keys])
    places = anchor or given.anchors
    with log_opened(config, db) as log:
        away: list[str] = []
        try:
            done = sign_and_keep(log, signer, _opened(places), before, lambda note: _cosigned(note, asked, log, away))
        except (NotAnExtension, NoteRefused) as error:
            fail(
                f"Not signed: {error}.",
                "Somebody changed the log or what is kept of it; ask who, before anything is signed.",
                status=EXIT_REFUSED,
            )
    away += [f"Not kept: {fault}" for _, fault in done.away] + [f"Kept, but {told}" for told in done.lost]
    if json:
        kept = [each.name for each in _opened(places) if each.name not in dict(done.away)]
        show_json({"note": str(done.note), "key": str(signer.key), "kept": kept, "away": away})
    else:
        typer.echo(str(done.note), nl=False)
        print(f"signed by {signer.key}", file=sys.stderr)
    for each in away:
        print(clean(f"{each}."), file=sys.stderr)
    if away:
        raise typer.Exit(EXIT_ERROR)


def _opened(places: Sequence[str]) -> list[Anchor]:
    from audit.anchoring.anchor import AnchorUnavailable
    from audit.anchoring.places import anchor_at

    try:
        return [anchor_at(place, WallClock().now) for place in checked_places(places)]
    except AnchorUnavailable as error:
        fail(f"The checkpoint cannot be kept: {error}.")


def _cosigned(note: Note, witnesses: Sequence[tuple[str, VerifierKey]], log: Log, away: list[str]) -> Note:
    """The note with the lines of those who would; who would not is named in `away`."""
    import httpx

    from audit.witness_client import TIMEOUT_S, all_cosigned

    with httpx.Client(timeout=TIMEOUT_S) as client:
        whole, refused = all_cosigned(client, witnesses, log, note)
    away += [f"Not cosigned: {fault}" for fault in refused]
    return whole


def _witness(text: str) -> tuple[str, VerifierKey]:
    url, _, key = text.partition("=")
    return url, keys_of([key])[0]


def checked_places(places: Sequence[str]) -> Sequence[str]:
    """Ends the command for a text that names no place."""
    from audit.anchoring.places import NoSuchAnchor, check

    try:
        return [check(place) for place in places]
    except NoSuchAnchor as error:
        fail(f"No anchor: {error}.", status=EXIT_USAGE)


def signing_keys(given: Settings) -> tuple[Signer, list[VerifierKey], list[tuple[str, VerifierKey]]]:
    """What the settings say: who signs, who did before, who cosigns. Ends the command where they cannot be read."""
    signer = signer_of(_key_file(None, given), None)
    return signer, keys_of(given.earlier_keys), [_witness(text) for text in given.witnesses]


def _key_file(named: Path | None, given: Settings) -> Path:
    file = named or given.checkpoint_key_file
    if file is None:
        fail(
            "No key to sign with.",
            "Name its file by --key, or as checkpoint_key_file in the settings.",
            status=EXIT_USAGE,
        )
    return file


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
    own = Witness(signer, keys_of(logs), WitnessFile(state, STATE_LOCK_TIMEOUT_S).transaction)
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


def kept_at(places: Sequence[str], keys: Sequence[str]) -> list[Kept | Refused]:
    """All checkpoints that are kept at these places, as far as one of these keys has signed them.

    A place is a kept checkpoint, a folder of them, or what the settings' `anchors` may name. One that cannot be read is
    a finding: nobody who asked for it may take its silence for a yes.
    """
    from audit.anchoring.anchor import AnchorUnavailable
    from audit.kept import Refused, believed, notes_in

    found: list[Kept | Refused] = []
    for place in places:
        file = Path(place)
        try:
            notes, gone = (notes_in(file), []) if "://" not in place else _all_of(_opened([place])[0])
        except (OSError, AnchorUnavailable) as error:
            found.append(Refused(place, "anchor_unreadable", f"cannot be read: {error}"))
            continue
        if not notes:
            found.append(Refused(place, "anchor_empty", "keeps no checkpoint"))
        found += [Refused(place, "anchor_deleted", f"{name} was deleted there, by whoever may") for name in gone]
        found += believed(place, notes, keys_of(keys))
    return found


def _all_of(anchor: Anchor) -> tuple[list[bytes], list[str]]:
    return anchor.since(0), anchor.gone()


def kept_checkpoint(file: Path, keys: list[str]) -> SignedCheckpoint:
    from audit.checkpoints import open_checkpoint
    from audit.notes import NoteRefused

    try:
        return open_checkpoint(file.read_bytes(), keys_of(keys))
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


def keys_of(texts: Sequence[str]) -> list[VerifierKey]:
    from audit.notes import KeyRefused, read_key

    try:
        return [read_key(text) for text in texts]
    except KeyRefused as error:
        fail(f"No verifier key: {error}.", "`audit checkpoint` prints the key that signs.")
