"""The house keeps its own rules: arrows, one docstring a room, functions and files that fit the eye."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "audit", "scheduler_core")
FILE_LINES_AT_MOST = 400
FUNCTION_LINES_AT_MOST = 64  # no function is longer than a screen
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "bundled" not in path.parts)
THIRD_PARTY_ROOMS = {
    "kubernetes": ("agent/adapters/kubernetes/", "audit/anchoring/"),
    "minio": ("audit/anchoring/",),
    "dulwich": ("audit/anchoring/",),
    "slack_sdk": ("agent/adapters/slack/",),
    "openai": ("agent/adapters/llm/",),
    "opa_client": ("agent/adapters/opa/",),
    "sqlalchemy": ("audit/storage/", "agent/adapters/store/"),
    "langgraph": ("agent/workflow.py", "agent/adapters/checkpoints/"),
    "joserfc": ("agent/adapters/oidc/", "agent/adapters/rego/"),
    "regorus": ("agent/adapters/rego/",),
    "cel": ("agent/adapters/playbooks/",),
    "prometheus_api_client": ("agent/adapters/prometheus/",),
    "alembic": ("audit/storage/",),
    "cryptography": ("audit/signing.py", "agent/adapters/rego/signature.py"),
    "starlette": ("agent/adapters/inbound/", "agent/adapters/slack/", "agent/web/", "audit/witness_service.py"),
    "slack_bolt": ("agent/adapters/slack/",),
    "tenacity": ("agent/adapters/kubernetes/",),
    "cronsim": ("agent/evidence/windows.py",),
    "uvicorn": ("agent/adapters/inbound/", "agent/web/"),
    "opentelemetry": ("agent/adapters/telemetry/",),
}


def test_required_rooms_are_there() -> None:
    rooms = ["agent", "audit", "playbooks", "policies", "scheduler_core", "tests"]
    files = ["docker-compose.yml", "pyproject.toml", "README.md"]
    assert [name for name in (*rooms, *files) if not (ROOT / name).exists()] == []


def test_the_arrows_point_one_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_fits_the_eye(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert not text.strip() or ast.get_docstring(tree), "a module begins with why it exists"
    assert len(text.splitlines()) <= FILE_LINES_AT_MOST
    long = [f"{f.name}: {_lines(f)}" for f in _functions(tree) if _lines(f) > FUNCTION_LINES_AT_MOST]
    assert long == [], "a function can be seen whole"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_third_party_clients_stay_in_their_room(path: Path) -> None:
    where = path.relative_to(ROOT).as_posix()
    strays = [
        name
        for name in _imported(ast.parse(path.read_text(encoding="utf-8")))
        if name in THIRD_PARTY_ROOMS and not where.startswith(THIRD_PARTY_ROOMS[name])
    ]
    assert strays == []


def test_nothing_is_left_open_and_no_machine_is_named() -> None:
    open_ends = r"\b(TODO|FIXME|XXX|NotImplementedError)\b"
    skips = r"pytest\.(skip|importorskip)|mark\.(skip|skipif|xfail)"
    left = re.compile(rf"{open_ends}|{skips}|/(work|root|home)/[a-z.]")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (*MODULES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "docs").rglob("*.md"))
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if left.search(line)
    ]
    assert found == []


def test_how_the_simulated_world_behaves_is_known_to_the_world_alone() -> None:
    """Else the agent could read off an annotation what it has to find out."""
    knows = ("agent/adapters/simulated/", "agent/scenarios/generate/")
    files = [*MODULES, *(ROOT / "playbooks").rglob("*.yaml"), *(ROOT / "policies").rglob("*.rego")]
    found = [path.relative_to(ROOT).as_posix() for path in files if "simulation.watchkeeper" in path.read_text("utf-8")]
    assert [path for path in found if not path.startswith(knows)] == []


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]
