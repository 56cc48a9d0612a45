"""What is read as a bundle, and what is not."""

import io
import tarfile
from pathlib import Path

import pytest

from agent.adapters.rego import BundleRefused, source
from agent.adapters.rego.source import read_source
from tests.agent.rego.bundles import shipped


def archive(tmp_path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    file = tmp_path / "bundle.tar.gz"
    with tarfile.open(file, "w:gz") as packed:
        for member, content in members:
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return file


def link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def test_names_are_the_same_however_an_archive_spells_them(tmp_path: Path) -> None:
    plain = archive(tmp_path, *((tarfile.TarInfo(name), b"x") for name in ("/main.rego", "./lib/a.rego", "data.json")))
    assert list(read_source(plain)) == ["data.json", "lib/a.rego", "main.rego"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (((tarfile.TarInfo("../main.rego"), b"x"),), "no plain file"),
        (((link("main.rego", "/etc/passwd"), b""),), "no plain file"),
        (((tarfile.TarInfo("main.rego"), b"x"), (tarfile.TarInfo("/main.rego"), b"y")), "twice"),
    ],
)
def test_an_archive_holds_plain_files_once(
    tmp_path: Path, members: tuple[tuple[tarfile.TarInfo, bytes], ...], words: str
) -> None:
    with pytest.raises(BundleRefused, match=words):
        read_source(archive(tmp_path, *members))


def test_an_archive_that_is_none_or_was_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "bundle.tar.gz"
    for content in (
        b"",
        b"not zipped",
        archive(tmp_path, (tarfile.TarInfo("main.rego"), b"x" * 9000)).read_bytes()[:60],
    ):
        file.write_bytes(content)
        with pytest.raises(BundleRefused, match=r"bundle\.tar\.gz: "):
            read_source(file)


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shipped(tmp_path)
    monkeypatch.setattr(source, "BYTES_AT_MOST", 1_000)
    with pytest.raises(BundleRefused, match="more than"):
        read_source(folder)


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    """A kubelet links ..data to a folder of the day and each name to a file in it."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "main.rego").write_text("x")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "main.rego").symlink_to("..data/main.rego")
    assert dict(read_source(tmp_path)) == {"main.rego": b"x"}
