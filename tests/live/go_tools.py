"""Builds the real servers that come as Go modules, once, into a cache folder outside the tree; says how far it is.

Each folder of `servers/` is a module of ours that pins one tool by version and by hash (go.mod, go.sum). What was built
is kept under the hash of those files and of what Go we wrote there, so a new pin is a new build and an old one is never
taken for it. Beside the binary lie the files that the tool is installed with (CRDs, stages), from the very same module.

    python tests/live/go_tools.py opa
    python tests/live/go_tools.py --missing opa    # succeeds if the Go that builds it is not there
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).with_name("servers")
BUILD_AT_MOST_S = 3600.0  # a cold build of the largest takes twenty minutes on two busy cores
TELL_EVERY_S = 15.0
USUAL_PLACES = ("/usr/local/go/bin", "/usr/lib/go/bin")  # go.dev's archive and Debian's; not always on PATH
_OURS = str(Path(sys.executable).parent)  # what install.sh lays beside this Python where there is none
_POLL_S = 0.2


@dataclass(frozen=True)
class Upstream:
    """What `go build` alone leaves out: the version that a release says it is, and files it comes with."""

    module: str
    version_variable: str = ""
    files: str = ""  # a folder of the module


UPSTREAM = {
    "kubernetes": Upstream("k8s.io/kubernetes", "k8s.io/component-base/version.gitVersion"),
    "kueue": Upstream("sigs.k8s.io/kueue", "sigs.k8s.io/kueue/pkg/version.GitVersion", "config/components"),
    "kwok": Upstream("sigs.k8s.io/kwok", files="kustomize/stage"),
}


class CannotBuild(RuntimeError):
    """Says what is missing and what to do."""


def built(tool: str) -> Path:
    """The binary of `servers/<tool>`, built if it is not there. Raises CannotBuild."""
    module = MODULES / tool
    if not (module / "go.mod").is_file():
        raise CannotBuild(f"there is no Go module {tool} under tests/live/servers")
    binary = _cache() / f"{tool}-{_pin(module)}" / tool
    if binary.is_file():
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    with (binary.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes build it once
        if not binary.is_file():
            _build(tool, module, binary)
    return binary


def _build(tool: str, module: Path, binary: Path) -> None:
    go, upstream = _go(module), UPSTREAM.get(tool)
    command = [go, "build", "-v", "-trimpath", *_flags(module, upstream), "-o", str(binary.with_suffix(".part"))]
    command.append(_tool_package(module))
    log = binary.with_suffix(".log")
    began = told = time.monotonic()
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=module, stdout=out, stderr=subprocess.STDOUT)
        while process.poll() is None:
            time.sleep(_POLL_S)
            now = time.monotonic()
            if now - began > BUILD_AT_MOST_S:
                process.kill()
                raise CannotBuild(f"{tool} was not built within {BUILD_AT_MOST_S:g} s; see {log}")
            if now - told >= TELL_EVERY_S:
                told = now
                packages = len(log.read_text(errors="replace").splitlines())
                print(f"building {tool}: {packages} packages in {now - began:.0f} s", file=sys.stderr, flush=True)
    if process.returncode:
        raise CannotBuild(f"{' '.join(command)} failed:\n{log.read_text(errors='replace')[-2000:]}")
    if upstream and upstream.files:
        _keep_files(go, module, upstream, files_beside(binary))
    binary.with_suffix(".part").rename(binary)  # the last: who sees the binary finds the files
    print(f"built {tool} in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def files_beside(binary: Path) -> Path:
    """The folder of the module's own files, with its licence."""
    return binary.with_name("files")


def _flags(module: Path, upstream: Upstream | None) -> list[str]:
    said = [f"-X {upstream.version_variable}={release(module.name)}"] if upstream and upstream.version_variable else []
    return ["-ldflags", " ".join(["-s -w", *said])] if said else []


def release(tool: str) -> str:
    """That of the release which `servers/<tool>` pins."""
    found = re.search(rf"{re.escape(UPSTREAM[tool].module)} (v\S+)", (MODULES / tool / "go.mod").read_text())
    if found is None:
        raise CannotBuild(f"{tool}/go.mod requires no {UPSTREAM[tool].module}")
    return found[1]


def _keep_files(go: str, module: Path, upstream: Upstream, target: Path) -> None:
    command = [go, "list", "-m", "-f", "{{.Dir}}", upstream.module]
    source = Path(subprocess.run(command, cwd=module, capture_output=True, text=True, check=True).stdout.strip())
    for file in [source / "LICENSE", *(source / upstream.files).rglob("*.yaml")]:
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)  # not its mode: Go's cache is read-only


def _tool_package(module: Path) -> str:
    found = re.search(r"^tool (\S+)$", (module / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise CannotBuild(f"{module.name}/go.mod names no tool")
    return found[1]


def _go(module: Path) -> str:
    """A Go that can build the module, or fetch the one that can."""
    needed = re.search(r"^go (\d+)\.(\d+)", (module / "go.mod").read_text(), re.MULTILINE)
    if needed is None:
        raise CannotBuild(f"{module.name}/go.mod says no version of Go")
    wanted = f"Go {needed[1]}.{needed[2]}"
    found = [shutil.which("go"), *(shutil.which("go", path=place) for place in (*USUAL_PLACES, _OURS))]
    here = [go for go in found if go]
    for go in here:
        if _builds(go, (int(needed[1]), int(needed[2]))):
            return go
    where = f"install {wanted} or newer from go.dev/dl into /usr/local/go, or run tests/live/install.sh"
    lacks = f"{', '.join(here)} is older" if here else "there is no Go here"
    raise CannotBuild(f"{module.name} is built from source by {wanted}, and {lacks}: {where}")


def _builds(go: str, needed: tuple[int, int]) -> bool:
    said = subprocess.run([go, "env", "GOVERSION", "GOTOOLCHAIN"], capture_output=True, text=True, check=False)
    version = re.search(r"go(\d+)\.(\d+)", said.stdout)
    has = (int(version[1]), int(version[2])) if version else (0, 0)
    # Since 1.21 Go fetches a newer toolchain by itself, unless it is told to stay local.
    return has >= needed or (has >= (1, 21) and "local" not in said.stdout.split())


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "watchkeeper-live"


def _pin(module: Path) -> str:
    pinned = [(module / "go.mod").read_bytes(), (module / "go.sum").read_bytes()]
    pinned += [ours.read_bytes() for ours in sorted(module.glob("*.go"))]
    pinned += [repr(UPSTREAM[module.name]).encode()] if module.name in UPSTREAM else []
    return hashlib.sha256(b"".join(pinned)).hexdigest()[:16]


def _lacks_go(tools: list[str]) -> bool:
    try:
        for tool in tools:
            _go(MODULES / tool)
    except CannotBuild:
        return True
    return False


if __name__ == "__main__":
    if sys.argv[1:2] == ["--missing"]:
        sys.exit(0 if _lacks_go(sys.argv[2:]) else 1)
    try:
        for name in sys.argv[1:]:
            print(built(name))
    except CannotBuild as error:
        sys.exit(str(error))
