"""The documents say what the program does, and name nothing that is not there."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.api.routes import all_operations
from gateway.cli.main import _parser
from gateway.edge import protocol as edge
from gateway.errors import GatewayError, StartError
from gateway.settings import OPTIONS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gateway"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
ERRORS = (ROOT / "docs" / "errors.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
EVERYTHING = "\n".join(path.read_text("utf-8") for path in DOCUMENTS)

documents = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def trees() -> Iterator[ast.Module]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ast.parse(path.read_text("utf-8"))


def error_classes(base: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for one in base.__subclasses__():
        yield one
        yield from error_classes(one)


def table_of_errors() -> list[tuple[int, str]]:
    """Status and code of each row; an empty code for null."""
    rows = re.findall(r"^\| (\d{3}) \| (?:`(\w+)`|null) \| \S.* \| \S.* \|$", ERRORS, re.M)
    return [(int(status), code) for status, code in rows]


def codes_in_use() -> set[tuple[int, str]]:
    """Status and code of every error that the program can answer with."""
    classes = {one.__name__: one for one in error_classes()}
    found = {(one.status, one.code or "") for one in classes.values()}
    for node in (node for tree in trees() for node in ast.walk(tree)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in classes:
            for word in node.keywords:
                if word.arg == "code" and isinstance(word.value, ast.Constant):
                    found.add((classes[node.func.id].status, str(word.value.value)))
    return found | {(status, code) for status, (code, _) in edge._WHY.items()}


def test_every_error_that_can_be_answered_is_in_the_table_once_and_no_other() -> None:
    table = table_of_errors()

    assert len(table) == len(set(table))
    assert set(table) == codes_in_use()
    assert [status for status, _ in table] == sorted(status for status, _ in table)


def test_every_code_of_the_ledger_alone_is_told() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", ERRORS, re.M))
    used = {
        node.args[2].value
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Outcome"
        and len(node.args) > 2
        and isinstance(node.args[2], ast.Constant)
    }

    assert told == used


def commands() -> dict[str, argparse.ArgumentParser]:
    found = next(action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_shown_with_an_example(command: str) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    assert re.search(rf"^gateway {command}\b.*#", readme, re.M)


def test_every_example_of_a_command_is_one_that_runs() -> None:
    known = commands()
    for name, rest in re.findall(r"^gateway (\w+)([^#\n]*)", EVERYTHING, re.M):
        assert name in known
        flags = {flag for action in known[name]._actions for flag in action.option_strings}
        assert set(re.findall(r"(?<= )--[a-z-]+", rest)) <= flags, rest


def test_every_exit_code_is_told() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", OPERATIONS, re.M)}
    returned = {
        node.value.value
        for path in [*(PACKAGE / "cli").glob("*.py"), PACKAGE / "__main__.py"]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and type(node.value.value) is int
    }
    started = {one.exit_code for one in StartError.__subclasses__()}  # type: ignore[attr-defined]

    assert told == returned | started | {2}  # argparse's own


def test_every_variable_that_is_named_is_one_that_is_read() -> None:
    known = {option.variable for option in OPTIONS} | {f"{option.variable}_FILE" for option in OPTIONS}
    known |= {"GATEWAY_MASTER_KEY", "GATEWAY_BASE_URL", "GATEWAY_API_KEY", "GATEWAY_NAME", "GATEWAY_NAME_FILE"}

    assert set(re.findall(r"\bGATEWAY_[A-Z_]*[A-Z]\b", EVERYTHING)) <= known


def test_every_flag_that_is_named_is_one_that_there_is() -> None:
    known = {
        flag
        for parser in [_parser(), *commands().values()]
        for action in parser._actions
        for flag in action.option_strings
    }
    named = {flag for _, flag in re.findall(r"(^|[`( ])(--[a-z][a-z-]+)", EVERYTHING, re.M)}

    assert named <= known | {"--readonly"}


def test_every_admin_path_that_is_named_is_one_that_there_is() -> None:
    known = {re.sub(r"\{\w+\}", "{}", operation.path) for operation in all_operations()} | {"/api/admin"}

    for path in re.findall(r"`(?:[A-Z]+ )?(/api/admin[\w/{}-]*)", EVERYTHING):
        assert re.sub(r"\{\w+\}", "{}", path).rstrip("/") in known


@documents
def test_every_link_leads_somewhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)", path.read_text("utf-8")):
        file = path.parent / target if target else path
        assert file.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.M)
            assert anchor[1:] in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@documents
def test_every_file_that_is_named_is_there(path: Path) -> None:
    named = re.findall(r"`((?:gateway|tests|docs|static|templates|bench)/[\w./-]+)`", path.read_text("utf-8"))
    named += re.findall(r"`((?!gateway\.lock)\w+\.(?:sql|toml|lock))`", path.read_text("utf-8"))

    assert [name for name in named if not (ROOT / name).exists()] == []


@documents
def test_every_make_target_that_is_named_is_there(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))

    for block in re.findall(r"`make (\w+)`|^make (\w+) ", path.read_text("utf-8"), re.M):
        assert set(filter(None, block)) <= targets


@documents
def test_nothing_is_left_for_later_in_a_document(path: Path) -> None:
    words = ("TO" + "DO", "FIX" + "ME", "XXX", "T" + "BD", "lorem ipsum")

    assert [word for word in words if word in path.read_text("utf-8")] == []


@documents
def test_a_document_names_no_machine(path: Path) -> None:
    assert not re.search(r"/(home|Users|wo" + r"rk|tmp|root)/", path.read_text("utf-8"))


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    sections = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)

    assert sections[0] == "[Unreleased]"


@documents
def test_every_document_can_be_found_from_the_readme(path: Path) -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+\.md)", (ROOT / "README.md").read_text("utf-8")))

    assert path.name == "README.md" or path.relative_to(ROOT).as_posix() in linked
