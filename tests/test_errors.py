"""The tree of errors: what each says on the wire, that the docstring names them all, and that none tells a path."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import errors
from gateway.errors import GatewayError, InvalidFields, StartError, Unexpected

PACKAGE = Path(errors.__file__).parent

ON_THE_WIRE: dict[str, tuple[int, str, str | None]] = {
    "BadInput": (400, "invalid_request_error", None),
    "InvalidFields": (400, "invalid_request_error", "invalid_fields"),
    "NotTranslatable": (400, "invalid_request_error", "not_translatable"),
    "UpstreamRefused": (400, "invalid_request_error", "upstream_refused"),
    "NotAuthenticated": (401, "invalid_request_error", "invalid_api_key"),
    "OutOfMoney": (402, "insufficient_quota", "budget_exceeded"),
    "Forbidden": (403, "permission_error", "forbidden"),
    "NotFound": (404, "invalid_request_error", "not_found"),
    "ModelNotFound": (404, "invalid_request_error", "model_not_found"),
    "MethodNotAllowed": (405, "invalid_request_error", "method_not_allowed"),
    "SlowRequest": (408, "invalid_request_error", "request_timeout"),
    "Conflict": (409, "invalid_request_error", "conflict"),
    "Stale": (409, "invalid_request_error", "changed_meanwhile"),
    "Gone": (410, "invalid_request_error", "gone"),
    "TooLarge": (413, "invalid_request_error", "request_too_large"),
    "UnsupportedMedia": (415, "invalid_request_error", "unsupported_media_type"),
    "Misdirected": (421, "invalid_request_error", "misdirected_request"),
    "RateLimited": (429, "rate_limit_error", "rate_limit_exceeded"),
    "UpstreamFailed": (502, "upstream_error", "upstream_error"),
    "CredentialsExhausted": (502, "upstream_error", "upstream_credentials_exhausted"),
    "Unavailable": (503, "service_unavailable_error", "service_unavailable"),
    "DeadlineExceeded": (504, "timeout_error", "deadline_exceeded"),
    "Unexpected": (500, "server_error", None),
}
EXIT_CODES = {"ConfigurationFault": 78, "DataDirectoryInUse": 73}


def below(base: type) -> dict[str, type]:
    """Every class under `base` by name."""
    found: dict[str, type] = {}
    for one in base.__subclasses__():
        found |= {one.__name__: one, **below(one)}
    return found


def tree() -> list[tuple[str, str, int | None]]:
    """Name, parent and number of each line of the docstring's tree."""
    found: list[tuple[str, str, int | None]] = []
    parents: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│├└─ ]*)([A-Z]\w+)\s*(\d+)?", line)
        if match:
            depth, name, number = len(match[1]) // 4, match[2], match[3]
            parents[depth] = name
            found.append((name, parents.get(depth - 1, ""), int(number) if number else None))
    return found


def test_every_error_says_on_the_wire_what_was_agreed() -> None:
    found = below(GatewayError)

    assert {name: (one.status, one.type, one.code) for name, one in found.items()} == ON_THE_WIRE  # type: ignore[attr-defined]


def test_every_start_error_has_its_exit_code() -> None:
    assert {name: one.exit_code for name, one in below(StartError).items()} == EXIT_CODES  # type: ignore[attr-defined]


def test_the_tree_of_the_docstring_has_every_class_under_its_parent() -> None:
    classes = below(GatewayError) | below(StartError)
    drawn = {name: parent for name, parent, _ in tree() if parent}

    assert drawn == {name: one.__bases__[0].__name__ for name, one in classes.items()}
    assert [name for name, parent, _ in tree() if not parent] == ["GatewayError", "StartError"]


def test_the_tree_of_the_docstring_has_every_number() -> None:
    statuses = {name: one.status for name, one in below(GatewayError).items()}  # type: ignore[attr-defined]

    assert {name: number for name, parent, number in tree() if parent} == statuses | EXIT_CODES


def test_a_code_of_its_own_goes_before_the_classes() -> None:
    assert errors.BadInput("no", code="invalid_json").code == "invalid_json"
    assert errors.NotFound("no").code == "not_found"


def test_wrong_fields_are_told_all_at_once() -> None:
    error = InvalidFields({"name": "is required", "weight": "must be 0 or more"})

    assert (error.message, error.param) == ("name: is required; weight: must be 0 or more", "name")


def test_our_own_fault_is_told_in_words_that_never_change() -> None:
    assert Unexpected().message == str(Unexpected())
    assert not re.search(r"[/\\:]", Unexpected().message)


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Every place in the package where a GatewayError is made, as file:line and the call."""
    names = set(below(GatewayError))
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


OF_REQUESTS = ("front.py", "api/resource.py", "proxy/endpoints.py")
"""Modules in which a path is the one that a client asked for."""


@pytest.mark.parametrize(("place", "made"), list(raised()), ids=[place for place, _ in raised()])
def test_no_message_tells_where_a_file_is(place: str, made: ast.Call) -> None:
    put_in = " ".join(ast.unparse(part.value) for part in ast.walk(made) if isinstance(part, ast.FormattedValue))

    assert not re.search(r"file|directory|data_dir|database|settings|traceback", put_in)
    assert "path" not in put_in or place.startswith(OF_REQUESTS)
