"""All playbooks of a folder: `<name>/playbook.yaml` each. One that cannot be read stops start-up, by file and field."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from agent.adapters.playbooks.expressions import PlaybookError
from agent.adapters.playbooks.form import PlaybookForm
from agent.adapters.playbooks.playbook import Playbook, compile_playbook, names_of
from agent.domain.base import Noun
from agent.domain.incident import Incident
from agent.ports import PlaybookMatch, Remedy

FILE_NAME = "playbook.yaml"
FILE_LIMIT_BYTES = 256 * 1024  # a playbook is a page; this bounds what a parser is given
PLAYBOOKS_KNOWN = 256  # the shipped ones five times over; each is a page of text

N = TypeVar("N", bound=Noun)


class PlaybookLibrary:
    """Implements ports.Playbooks."""

    def __init__(self, playbooks: Sequence[Playbook]) -> None:
        self._by_name = {playbook.name: playbook for playbook in sorted(playbooks, key=lambda p: p.name)}

    @property
    def playbooks(self) -> tuple[Playbook, ...]:
        return tuple(self._by_name.values())

    def diagnose(self, incident: Incident, facts: Mapping[str, Any]) -> PlaybookMatch | None:
        """The surest of the playbooks for this symptom that match; ties go by name."""
        candidates = [p for p in self._by_name.values() if incident.symptom in p.form.spec.symptoms]
        names = names_of(facts)
        matches = [match for match in (p.match(names) for p in candidates) if match is not None]
        return max(matches, key=lambda m: m.confidence, default=None)

    def remedies(self, playbook: str, facts: Mapping[str, Any]) -> Sequence[Remedy]:
        """Nothing for a playbook that is gone: an incident may outlive it."""
        known = self._by_name.get(playbook)
        return known.asks_for(names_of(facts)) if known else []


def load_playbooks(*folders: Path) -> PlaybookLibrary:
    """Every playbook below the folders. A name that comes twice is an error: nobody could tell which one acts."""
    found: dict[str, Playbook] = {}
    for folder in folders:
        if not folder.is_dir():
            raise PlaybookError(f"{folder}: there is no such folder of playbooks")
        for file in sorted(folder.glob(f"*/{FILE_NAME}")):
            playbook = load_playbook(file)
            if playbook.name in found:
                raise PlaybookError(
                    f"{file}: metadata.name: {playbook.name!r} is in {found[playbook.name].file} already"
                )
            found[playbook.name] = playbook
    return PlaybookLibrary(list(found.values()))


def load_playbook(file: Path) -> Playbook:
    return _compiled(file, _read(file))


@lru_cache(maxsize=PLAYBOOKS_KNOWN)
def _compiled(file: Path, text: str) -> Playbook:
    """Of the text alone: `evaluate` begins an agent for each scenario, and most of that was reading these again."""
    return compile_playbook(_form(file, text, PlaybookForm), str(file))


def read_form(file: Path, form: type[N]) -> N:
    """One YAML document as `form`. Raises PlaybookError that names file and field."""
    return _form(file, _read(file), form)


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > FILE_LIMIT_BYTES:
            raise PlaybookError(f"{file}: larger than {FILE_LIMIT_BYTES} bytes")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise PlaybookError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PlaybookError(f"{file}: is not UTF-8 at byte {error.start}") from error


def _form(file: Path, text: str, form: type[N]) -> N:
    try:
        return form.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise PlaybookError(f"{file}: is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        wrong = error.errors()[0]
        field = ".".join(str(part) for part in wrong["loc"]) or "the document"
        raise PlaybookError(f"{file}: {field}: {wrong['msg']}") from error
