"""A git repository as an anchor: one commit for each checkpoint, on a branch of its own, pushed and never forced.

Whoever clones the repository keeps a copy, and a server that protects the branch lets nobody rewrite it. A commit's
tree is one file, `checkpoint`; the history is the branch's. Git's protocol by dulwich; a place is what git takes: a
path, or a URL of https, ssh or git. Credentials come from git's own store (`~/.git-credentials`) or ssh's keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

import urllib3
from dulwich.client import (
    GitClient,
    HTTPUnauthorized,
    get_credentials_from_store,
    get_transport_and_path,
)
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository, SendPackError
from dulwich.objects import ZERO_SHA, Blob, Commit, ObjectID, Tree
from dulwich.pack import pack_objects_to_data
from dulwich.refs import Ref
from dulwich.repo import MemoryRepo

from audit.anchoring.anchor import AnchorDiffers, AnchorUnavailable, same
from audit.checkpoints import Checkpoint, read_text
from audit.notes import NoteRefused, read_note

BRANCH = "checkpoints"
FILE = b"checkpoint"
AUTHOR = b"watchkeeper <watchkeeper@localhost>"
TIMEOUT_S = 10.0
"""One connection: a push of three small objects."""

_FAULTS = (
    OSError,
    GitProtocolError,
    HangupException,
    HTTPUnauthorized,
    NotGitRepository,
    SendPackError,
    urllib3.exceptions.HTTPError,
    ValueError,
    KeyError,
)
"""What dulwich raises for a server that is away, refuses, or answers what is no git."""


class GitAnchor:
    """`now_s` dates the commits, in seconds since the epoch."""

    def __init__(self, place: str, now_s: Callable[[], int], branch: str = BRANCH) -> None:
        self._place = place
        self._ref = Ref(f"refs/heads/{branch}".encode())
        self._now_s = now_s
        self.name = f"{place}#{branch}"

    def newest(self) -> bytes | None:
        repo, head = self._fetched(depth=1)
        return None if head is None else _note(repo, head)

    def since(self, size: int) -> list[bytes]:
        repo, head = self._fetched(depth=None)
        if head is None:
            raise AnchorUnavailable(f"{self.name}: there is no such branch")
        notes = list(_history(repo, head))
        return [note for note in reversed(notes) if (_size(note) or size) >= size]

    def gone(self) -> list[str]:
        """The branch has its history, and `since` reads all of it."""
        return []

    def keep(self, size: int, note: bytes) -> None:
        """On top of what is there. Somebody who pushed meanwhile is not overwritten: the push is refused then."""
        repo, head = self._fetched(depth=1)
        standing = None if head is None else _note(repo, head)
        if standing is not None and _size(standing) == size:
            if not same(standing, note):
                raise AnchorDiffers(f"{self.name} keeps another checkpoint of {size} records")
            return
        blob = Blob.from_string(note)
        tree = Tree()
        tree.add(FILE, 0o100644, blob.id)
        commit = self._commit(tree.id, head, size)
        objects = [blob, tree, commit]
        update = {self._ref: commit.id}

        def updated(refs: dict[Ref, ObjectID]) -> dict[Ref, ObjectID]:
            if refs.get(self._ref, ZERO_SHA) != (head or ZERO_SHA):
                raise AnchorUnavailable(f"{self.name}: somebody else pushed at the same time")
            return update

        try:
            client, path = self._client("push")
            result = client.send_pack(path.encode(), updated, lambda *_args, **_kw: pack_objects_to_data(objects))
        except _FAULTS as error:
            raise self._unavailable(error) from error
        refused = (result.ref_status or {}).get(self._ref)
        if refused:
            raise AnchorUnavailable(f"{self.name}: the push was refused: {refused}")

    def _commit(self, tree: ObjectID, parent: ObjectID | None, size: int) -> Commit:
        commit = Commit()
        commit.tree = tree
        commit.parents = [] if parent is None else [parent]
        commit.author = commit.committer = AUTHOR
        commit.author_time = commit.commit_time = self._now_s()
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding = b"UTF-8"
        commit.message = f"Checkpoint of {size} records\n".encode()
        return commit

    def _fetched(self, depth: int | None) -> tuple[MemoryRepo, ObjectID | None]:
        repo = MemoryRepo()

        def wanted(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
            return [refs[self._ref]] if self._ref in refs else []

        try:
            client, path = self._client("pull")
            found = client.fetch(path.encode(), repo, determine_wants=wanted, depth=depth)
        except _FAULTS as error:
            raise self._unavailable(error) from error
        return repo, found.refs.get(self._ref)

    def _client(self, operation: str) -> tuple[GitClient, str]:
        url = urlsplit(self._place)
        user = password = None
        if url.scheme in ("http", "https") and url.hostname:
            user, password = next(get_credentials_from_store(url.scheme, url.hostname), (None, None))
        pool = urllib3.PoolManager(timeout=urllib3.Timeout(TIMEOUT_S), retries=False)
        return get_transport_and_path(
            self._place, operation=operation, username=user, password=password, pool_manager=pool, quiet=True
        )

    def _unavailable(self, error: Exception) -> AnchorUnavailable:
        said = " ".join(str(error).split()) or type(error).__name__
        return AnchorUnavailable(f"{self.name}: {said[:200]}")


def _history(repo: MemoryRepo, head: ObjectID) -> Iterator[bytes]:
    at: ObjectID | None = head
    while at is not None:
        yield _note(repo, at)
        commit = repo[at]
        at = commit.parents[0] if isinstance(commit, Commit) and commit.parents else None


def _note(repo: MemoryRepo, at: ObjectID) -> bytes:
    """Empty where a commit has no such file: a note that nobody has signed."""
    commit = repo[at]
    tree = repo[commit.tree] if isinstance(commit, Commit) else None
    if not isinstance(tree, Tree) or FILE not in tree:
        return b""
    blob = repo[tree[FILE][1]]
    return blob.data if isinstance(blob, Blob) else b""


def _size(note: bytes) -> int | None:
    try:
        found: Checkpoint = read_text(read_note(note).text)
    except NoteRefused:
        return None
    return found.size
