"""The files of a bundle, read once from a folder or from a bundle archive (.tar.gz) in OPA's form.

Everything later works on these bytes: what was checked is what decides, whatever happens to the files meanwhile.
"""

import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from agent.adapters.rego.faults import BundleRefused

FILES_AT_MOST = 2_000  # the shipped bundle has about fifty
BYTES_AT_MOST = 16 * 1024**2  # of all files together, unpacked: the shipped ones have 150 KiB
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")

Source = Mapping[str, bytes]
"""By name relative to the bundle, with /, sorted."""


def read_source(place: Path) -> Source:
    """Raises BundleRefused naming what cannot be read."""
    is_archive = place.name.endswith(ARCHIVE_SUFFIXES)
    if not (place.is_file() if is_archive else place.is_dir()):
        raise BundleRefused(f"{place.name}: there is no such {'archive' if is_archive else 'folder'} of policies")
    found: dict[str, bytes] = {}
    size = 0
    try:
        for name, content in _archived(place) if is_archive else _in_folder(place):
            size += len(content)
            if name in found:
                raise BundleRefused(f"{name}: it is in {place.name} twice")
            if len(found) >= FILES_AT_MOST or size > BYTES_AT_MOST:
                raise BundleRefused(f"{place.name}: more than {FILES_AT_MOST} files or {BYTES_AT_MOST >> 20} MiB")
            found[name] = content
    except (OSError, tarfile.TarError, EOFError) as error:
        raise BundleRefused(f"{place.name}: cannot be read: {error}") from error
    return dict(sorted(found.items()))


def text_of(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleRefused(f"{name}: {error}") from error


def _in_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Names that begin with two dots are how a kubelet swaps a mounted ConfigMap, not files of it."""
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and not any(part.startswith("..") for part in name.parts):
            with file.open("rb") as opened:
                yield name.as_posix(), opened.read(BYTES_AT_MOST + 1)


def _archived(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive, "r:gz") as members:
        for member in members:
            if member.isdir():
                continue
            path = PurePosixPath(member.name.removeprefix("./").removeprefix("/"))
            if ".." in path.parts or not member.isfile():
                raise BundleRefused(f"{archive.name}: {member.name} is no plain file of the bundle")
            opened = members.extractfile(member)
            yield path.as_posix(), opened.read(BYTES_AT_MOST + 1) if opened else b""
