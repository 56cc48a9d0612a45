"""What the agent has on its own machine: policies, playbooks, the store and the log, and what it is set to."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from agent.adapters.gate import policies_for
from agent.adapters.playbooks.expressions import PlaybookError
from agent.adapters.playbooks.library import load_playbooks
from agent.config import Settings
from agent.doctor.finding import Finding, fail, ok, warn
from agent.ports import PolicyEngine, PolicyUnavailable
from agent.resources import bundled
from audit.errors import LogError
from audit.log import Log

FREE_MIB = 512  # some weeks of records of a busy cluster; then somebody has to look


def policies(settings: Settings) -> Iterator[Finding]:
    where = f"the OPA server {settings.opa_url}" if settings.opa_url else "the embedded engine"
    try:
        engine = policies_for(settings)
    except PolicyUnavailable as fault:
        yield fail("policies", f"{fault.code}: {fault}", "mend the bundle or the server; until then all is denied")
        return
    try:
        away = engine.not_ready() or _other_policies(engine)
        level = str((engine.limits.get("autonomy") or {}).get("default", "observe"))
        if away:
            remedy = "until it answers by this bundle (`watchkeeper policy build`) all is denied"
            yield fail("policies", f"{where}: {away}", remedy)
        else:
            yield ok("policies", f"{where} decides by bundle {engine.digest[:12]}")
        if settings.observes:
            yield warn("level", "it only observes: proposes, records, changes nothing", "set policy_data.autonomy")
        else:
            yield ok("level", f"{level} for whatever is not named otherwise")
    finally:
        engine.close()


def _other_policies(engine: PolicyEngine) -> str | None:
    """A server may be well and decide by something else, which shows when it decides. Of nothing: that is denied."""
    try:
        engine.decide({})
    except PolicyUnavailable as fault:
        return str(fault)
    return None


def playbooks(settings: Settings) -> Iterator[Finding]:
    place = settings.playbooks or bundled("playbooks")
    try:
        load_playbooks(place)
    except (PlaybookError, OSError) as error:
        yield fail("playbooks", str(error), "`watchkeeper playbooks check` names the place")
    else:
        yield ok("playbooks", f"those in {settings.playbooks}" if settings.playbooks else "those that came along")


def store(settings: Settings) -> Iterator[Finding]:
    """The file, and the rights on it: whoever can write it can forge what waits in there."""
    file = settings.database
    folder = file.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        yield fail("store", f"{folder} cannot be written", "make the folder, or set another `database`")
        return
    if not file.exists():
        yield ok("store", f"{file} is made at the first start")
        return
    if not os.access(file, os.R_OK | os.W_OK):
        yield fail("store", f"{file} cannot be written", "give it to the agent's user")
        return
    free_mib = shutil.disk_usage(folder).free // 2**20
    if free_mib < FREE_MIB:
        yield warn("store", f"{free_mib} MiB are free at {folder}", "make room: without a record nothing is executed")
        return
    others = stat.S_IMODE(file.stat().st_mode) & 0o022
    if others:
        yield warn("store", f"others than its owner can write {file}", f"chmod go-w {file}")
    else:
        yield ok("store", f"{file}")


def log(settings: Settings) -> Iterator[Finding]:
    place = settings.log_place
    if isinstance(place, Path) and not place.exists():
        yield ok("log", f"{place} is made at the first start")
        return
    try:
        with Log.open(place) as opened:
            with opened.store.writing() as transaction:  # as every append begins; nothing is appended
                size = transaction.size()
            if opened.store.may_append():
                yield ok("log", f"{opened.store.name}: {size} records, and more can be written")
            else:
                said = f"{opened.store.name}: {size} records, and this account may append none"
                remedy = "watchkeeper audit migrate postgresql://OWNER@… --writer ACCOUNT"
                yield fail("log", said, remedy if settings.log else "give the file to the agent's user")
    except LogError as error:
        yield fail("log", str(error), "nothing is executed without it; `watchkeeper audit fsck` looks at it")


def freeze(settings: Settings) -> Iterator[Finding]:
    if settings.freeze_at.exists():
        yield warn("freeze", f"{settings.freeze_at} is there: nothing is done", "remove the file to thaw it")
