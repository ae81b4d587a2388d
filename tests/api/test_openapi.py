"""The OpenAPI document describes what is served, because it is made from the same tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.api.openapi import describe, field_schema, fields_schema
from gateway.api.operations import PREFIX
from gateway.api.routes import all_operations, routes
from gateway.control import api_keys, backends, models
from gateway.control.fields import Field, Kind
from tests.harness import RunningGateway

DOCUMENT = describe(all_operations())


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


@pytest.mark.anyio
async def test_the_document_is_served(api: httpx.AsyncClient) -> None:
    answer = await api.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(DOCUMENT))


@pytest.mark.anyio
async def test_every_route_is_described(gateway: RunningGateway) -> None:
    served = {route.path for route in routes(gateway.desk)} - {f"{PREFIX}/{{path:path}}"}
    assert set(DOCUMENT["paths"]) == served


def test_the_operations_of_the_product_are_there() -> None:
    for noun in ("providers", "endpoints", "provider-keys", "pools", "models", "mappings", "api-keys"):
        assert set(DOCUMENT["paths"][f"{PREFIX}/{noun}"]) == {"get", "post"}
        assert set(DOCUMENT["paths"][f"{PREFIX}/{noun}/{{id}}"]) == {"get", "patch", "delete"}
    assert set(DOCUMENT["paths"][f"{PREFIX}/requests"]) == {"get"}
    assert set(DOCUMENT["paths"][f"{PREFIX}/backends"]) == {"get", "post"}
    assert set(DOCUMENT["paths"][f"{PREFIX}/pools/stats"]) == {"get"}


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        name = reference.removeprefix("#/components/schemas/")
        assert name in DOCUMENT["components"]["schemas"], reference


def test_operation_ids_are_unique_and_every_operation_has_its_errors() -> None:
    found = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in found]
    assert len(set(ids)) == len(ids)
    for operation in found:
        assert {"401", "404", "500"} <= set(operation["responses"])
        assert operation["security"] == [{"token": []}]
        assert operation["summary"]


def test_paths_with_an_id_say_so() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            named = [item["name"] for item in operation["parameters"] if item["in"] == "path"]
            assert named == (["id"] if "{id}" in path else [])


def test_a_body_lists_its_fields_and_nothing_else() -> None:
    schema = fields_schema(api_keys.FIELDS, partial=False)
    assert list(schema["properties"]) == [field.name for field in api_keys.FIELDS]
    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False
    assert "required" not in fields_schema(api_keys.FIELDS, partial=True)
    assert schema["properties"]["rpm_limit"]["type"] == ["integer", "null"]


def test_a_fixed_field_is_not_offered_for_a_change() -> None:
    patch = DOCUMENT["paths"][f"{PREFIX}/endpoints/{{id}}"]["patch"]["requestBody"]
    names = patch["content"]["application/json"]["schema"]["properties"]
    assert "provider_id" not in names
    assert "base_url" in names


def test_the_demo_preset_is_not_offered() -> None:
    post = DOCUMENT["paths"][f"{PREFIX}/backends"]["post"]["requestBody"]
    preset = post["content"]["application/json"]["schema"]["properties"]["preset"]
    assert "openai" in preset["enum"]
    assert "demo" not in preset["enum"]


def test_no_secret_is_in_an_answer() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        fields = set(schema.get("properties", ()))
        assert not fields & {"sealed", "key_hash", "token_hash", "password_hash", "api_key"}, name
        assert "key" not in fields or name in ("ApiKeyMade", "BackendMadeShown")


def test_a_secret_is_only_ever_written() -> None:
    field = next(field for field in backends.FIELDS if field.kind is Kind.SECRET)
    assert field_schema(field, partial=False)["writeOnly"] is True


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_field_has_a_schema(kind: Kind) -> None:
    schema = field_schema(Field("a", kind, "About.", nullable=True), partial=False)
    assert schema["description"] == "About."
    assert "null" in schema["type"]


def test_choices_and_bounds_are_shown() -> None:
    status = field_schema(next(field for field in models.FIELDS if field.name == "status"), partial=False)
    assert (status["enum"], status["default"]) == (["DRAFT", "ENABLED", "DISABLED", "DEPRECATED"], "DRAFT")
    name = field_schema(next(field for field in api_keys.FIELDS if field.name == "name"), partial=False)
    assert (name["minLength"], name["maxLength"]) == (1, 100)
