"""A folder as an anchor: a mounted write-once share, or one that another system copies away."""

from __future__ import annotations

import os
from pathlib import Path

from audit.anchoring.anchor import AnchorDiffers, AnchorUnavailable, file_name, same
from audit.kept import SUFFIX


class FolderAnchor:
    """One file for each size, never written over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)

    def newest(self) -> bytes | None:
        try:
            found = sorted(self._folder.glob(f"*{SUFFIX}"))
            return found[-1].read_bytes() if found else None
        except OSError as error:
            raise AnchorUnavailable(f"{self._folder}: {error}") from error

    def since(self, size: int) -> list[bytes]:
        try:
            if not self._folder.is_dir():
                raise AnchorUnavailable(f"{self._folder}: no such folder")
            found = sorted(self._folder.glob(f"*{SUFFIX}"))
            return [file.read_bytes() for file in found if file.name >= file_name(size)]
        except OSError as error:
            raise AnchorUnavailable(f"{self._folder}: {error}") from error

    def gone(self) -> list[str]:
        """A folder remembers nothing of the kind."""
        return []

    def keep(self, size: int, note: bytes) -> None:
        file = self._folder / file_name(size)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(file, note)
        except OSError as error:
            raise AnchorUnavailable(f"{file}: {error}") from error

    def _write(self, file: Path, note: bytes) -> None:
        """Whole or not at all, and only where there is none: a link does not replace what is there."""
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        with draft.open("wb") as opened:
            opened.write(note)
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(draft, file)
        except FileExistsError as error:
            if not same(file.read_bytes(), note):
                raise AnchorDiffers(f"{file} exists, and says something else") from error
        finally:
            draft.unlink()
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
