"""The house rules, each with its reason. A rule that is in the way is changed here, not worked around."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gateway"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Who may import whom: imports point right only. A room may import itself and what is listed.
_NOUNS = {"model", "errors", "money", "hiding"}
_GROUND = {"store", "settings", "resources", "vault", "ids", "clock", *_NOUNS}
_CONTROL = {"control", "routing", *_GROUND}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "money": set(),
    "hiding": set(),
    "resources": set(),
    "ids": set(),
    "clock": set(),
    "model": _NOUNS,
    "settings": {"errors", "hiding"},
    "vault": {"errors"},
    "routing": _NOUNS,
    "formats": _NOUNS,
    "store": {"resources", *_NOUNS},
    "control": _CONTROL,
    "ops": _CONTROL,
    "proxy": {"formats", "edge", *_CONTROL},
    "api": _CONTROL,
    "admin": _CONTROL,
    "edge": {"errors", "ids", "settings"},
    "front": {"edge", "errors", "ids", "settings"},
    "late_rooms": {"admin", "api", *_CONTROL},
    "app": {"late_rooms", "proxy", "ops", "front", "edge", *_CONTROL},
    "cli": {"app", "edge", "ops", *_CONTROL},
    "__main__": {"cli"},
}

# Where each library may be imported: one place to change, one place to check.
ONLY_IN: dict[str, tuple[set[str], str]] = {
    "aiosqlite": ({"store/database.py"}, "one place knows how the database is driven"),
    "httpx": (
        {
            "proxy/upstream.py",
            "proxy/lines.py",
            "proxy/upstream_answer.py",
            "proxy/transports.py",
            "proxy/connections.py",
            "proxy/dialling.py",
            "proxy/exchange.py",
            "proxy/incoming.py",
            "proxy/outgoing.py",
        },
        "providers are reached through the guarded transports and nothing else",
    ),
    "httptools": ({"proxy/incoming.py"}, "answers are parsed in one place, the server parses requests by itself"),
    "httpcore": ({"proxy/guard.py"}, "the guard sits inside the transport"),
    "nacl": ({"vault.py"}, "cryptography is in one place"),
    "jinja2": ({"admin/pages.py"}, "autoescape is switched on in one place"),
    "markdown_it": ({"admin/markdown.py"}, "what becomes HTML is cleaned in one place"),
    "nh3": ({"admin/markdown.py"}, "what becomes HTML is cleaned in one place"),
    "uvicorn": (
        {"cli/serve.py", "edge/protocol.py", "edge/answer.py", "cli/version.py"},
        "the server is started in one place",
    ),
}

# Decisions take the clock and chance as arguments: they run under property tests and in simulations.
PURE_ROOMS = {"model", "routing", "formats"}
IMPURE = {"asyncio", "sqlite3", "aiosqlite", "httpx", "starlette", "time", "socket", "os", "secrets", "threading"}

# Nothing that runs text as a program: "test" and "preview" features of peers were holes because of these.
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"subprocess", "pickle", "marshal", "shelve", "importlib"}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute: a name says where it lives"
            base = node.module or ""
            yield node, base
            if base == "gateway":
                for alias in node.names:
                    yield node, f"gateway.{alias.name}"


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_right_only(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    allowed = MAY_IMPORT[room] | {room, "__version__"}
    for _, name in imports_of(parsed(path)):
        parts = name.split(".")
        if parts[0] == "gateway" and len(parts) > 1:
            assert parts[1] in allowed, f"{room} may not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_library_is_imported_in_its_one_place(path: Path) -> None:
    for _, name in imports_of(parsed(path)):
        library = name.split(".")[0]
        if library in ONLY_IN:
            places, reason = ONLY_IN[library]
            assert name_of(path) in places, f"{library} only in {places}: {reason}"


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path) in PURE_ROOMS], ids=name_of)
def test_decisions_do_no_io(path: Path) -> None:
    for _, name in imports_of(parsed(path)):
        assert name.split(".")[0] not in IMPURE, f"clock, chance and I/O are arguments here, not {name}"
    source = path.read_text("utf-8")
    assert not re.search(r"\brandom\.(random|choice|shuffle|randint)\(", source)
    assert "datetime.now" not in source


@pytest.mark.parametrize("path", [path for path in MODULES if name_of(path) != "late_rooms.py"], ids=name_of)
def test_imports_are_at_the_top(path: Path) -> None:
    """But for the rooms whose loading no call shall wait for."""
    tree = parsed(path)
    inside = [node for node, _ in imports_of(tree) if node not in tree.body]
    guarded = [node for block in tree.body if isinstance(block, ast.If) for node in ast.walk(block)]
    assert [node.lineno for node in inside if node not in guarded] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_runs_text_as_a_program(path: Path) -> None:
    tree = parsed(path)
    for _, name in imports_of(tree):
        if name != "importlib.metadata":
            assert name.split(".")[0] not in FORBIDDEN_MODULES, f"{name} runs what it is given"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS
        if isinstance(node, ast.Attribute):
            assert node.attr != "from_string", "a template from a string is a program from a string"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_sql_is_written_out(path: Path) -> None:
    """The first argument of every execute is a literal: a value can then only ever be bound, never spliced."""
    tree = parsed(path)
    loops = {
        node.target.id: node.iter
        for node in ast.walk(tree)
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "lots":
            assert all(isinstance(part, ast.Constant) for part in node.args), f"line {node.lineno}: SQL is a literal"
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in ("execute", "executemany", "executescript", "execute_fetchall"):
            statement = node.args[0]
            if name_of(path) == "store/migrate.py" and node.func.attr == "executescript":
                continue  # the schema's own files
            if name_of(path) == "store/lots.py":
                continue  # literals given to `lots`, with a mark for each value of several rows
            if isinstance(statement, ast.Name) and statement.id in loops:
                statement = loops[statement.id]
                assert isinstance(statement, ast.Tuple | ast.List)
                assert all(isinstance(item, ast.Constant) for item in statement.elts)
                continue
            assert isinstance(statement, ast.Constant), f"line {node.lineno}: SQL is a literal in the call"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_broad_except_has_its_reason_beside_it(path: Path) -> None:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if re.search(r"except\s*(Exception|BaseException)?\s*(as \w+)?:", line) and "Error" not in line:
            nearby = path.read_text("utf-8").splitlines()[number - 1 : number + 2]
            assert any("reason:" in text or text.strip().startswith("#") for text in nearby), f"line {number}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_grows_over_400_lines(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400


def test_the_environment_is_read_in_one_place() -> None:
    for path in MODULES:
        if name_of(path) not in ("settings.py", "cli/main.py"):
            assert not re.search(r"os\.(environ|getenv)", path.read_text("utf-8")), name_of(path)


def test_packages_have_empty_inits() -> None:
    """An import names the file that a thing comes from."""
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent != PACKAGE:
            assert path.read_text("utf-8") == "", name_of(path)


def test_nothing_decides_on_a_url_rebuilt_from_the_host_header() -> None:
    """`request.url` is made from the Host header, which the caller writes."""
    for path in MODULES:
        assert "request.url" not in path.read_text("utf-8"), name_of(path)


def test_names_that_say_nothing_are_not_used() -> None:
    empty = re.compile(r"^(class|def|async def) \w*(Manager|Service|Helper|Util|Processor|Orchestrator|Engine)\b", re.M)
    for path in MODULES:
        assert not empty.search(path.read_text("utf-8")), name_of(path)
        assert not re.search(r"(manager|service|helper|util|processor|orchestrator|engine)", path.stem), name_of(path)


def test_tests_are_at_least_as_long_as_the_source() -> None:
    source = sum(len(path.read_text("utf-8").splitlines()) for path in MODULES)
    tests = sum(len(path.read_text("utf-8").splitlines()) for path in (ROOT / "tests").rglob("*.py"))
    assert tests >= source, f"{tests} lines of test, {source} of source"
