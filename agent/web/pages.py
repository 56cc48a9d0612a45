"""Plain pages from the lines that the terminal shows, for a browser that is trusted with nothing.

Everything that a stranger can write passes the template's escaping; nothing is loaded from elsewhere, nothing runs, and
no other site can frame it (Content-Security-Policy). A line that is one http address becomes a link that tells nobody
where it was followed from.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from agent.adapters.inbound.problem import Problem
from agent.domain.approval import ApprovalRequest, Person, RequestState

TEMPLATES: Final = Path(__file__).parent / "templates"
STYLE: Final = (TEMPLATES / "style.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = b64encode(sha256(STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STYLES: Final = frozenset({"red", "green", "bold", "dim"})


class Line(Protocol):
    @property
    def text(self) -> str: ...
    @property
    def style(self) -> str: ...


class Words(NamedTuple):
    """How a request is put into words, and any text into characters that only show."""

    page: Callable[[ApprovalRequest], Sequence[Line]]
    clean: Callable[[str], str]


class Shown(NamedTuple):
    text: str
    style: str
    link: str  # where the line is an address


@dataclass(slots=True)
class Section:
    heading: str
    lines: list[Shown]


class Pages:
    def __init__(self, words: Words) -> None:
        self._words = words
        self._templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
        self._templates.filters["clean"] = words.clean

    def listed(self, requests: Sequence[ApprovalRequest], person: Person) -> Response:
        return self._page("list.html", requests=requests, person=person)

    def one(self, request: ApprovalRequest, person: Person, seal: str) -> Response:
        first, *rest = self._sections(request)
        waits = request.state is RequestState.PENDING
        approved = any(a.by == person.name and a.decision == "approve" for a in request.answers)
        takes_back = approved and request.may_be_refused
        return self._page(
            "request.html",
            request=request,
            person=person,
            seal=seal,
            first=first,
            sections=rest,
            waits=waits,
            takes_back=takes_back,
        )

    def problem(self, problem: Problem) -> Response:
        """The same status as for programs; the code stands on the page."""
        code = str(problem.more.get("code", problem.slug))
        answer = self._page("problem.html", problem=problem, code=code, status=problem.status)
        answer.headers.update(problem.headers)
        return answer

    def _page(self, template: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:
        page = self._templates.get_template(template).render(style=STYLE, **values)
        return HTMLResponse(page, status, HEADERS)

    def _sections(self, request: ApprovalRequest) -> Iterator[Section]:
        """By the page's headings: an empty line and a bold one begin a section."""
        section, before = Section("", []), None
        for line in self._words.page(request):
            if before is not None and not before.text and line.style == "bold":
                yield section
                section = Section(self._words.clean(line.text), [])
            elif line.text:
                section.lines.append(self._shown(line))
            before = line
        yield section

    def _shown(self, line: Line) -> Shown:
        text = self._words.clean(line.text)
        return Shown(text, line.style if line.style in _STYLES else "", text.strip() if _is_address(text) else "")


def _is_address(text: str) -> bool:
    """One http address and nothing else. What runs when it is followed (javascript:, data:) is text."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in text.strip()
