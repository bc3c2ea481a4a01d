"""What is not known is refused by every operation that the OpenAPI document has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.api import Program

pytestmark = pytest.mark.slow


def operations(program: Program) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path with something in it, and what the document says of it."""
    paths = program.site.app.openapi()["paths"]
    return [
        (method, path.replace("{id}", "x").replace("{number}", "1"), told)
        for path, methods in paths.items()
        for method, told in methods.items()
    ]


def needed(told: dict[str, Any]) -> dict[str, str]:
    """The query parameters without which there would be another mistake."""
    found = [one for one in told.get("parameters", []) if one["in"] == "query"]
    return {one["name"]: "x" for one in found if one["required"]}


def test_parameters(admin: Program) -> None:
    everything = operations(admin)
    assert len(everything) > 35
    for method, path, told in everything:
        given = {**needed(told), "surprise": "1"}
        answer = admin.site.browser.request(method, path, params=given, headers=admin.headers)
        assert answer.status_code == 422, (method, path)
        assert "query.surprise: unknown parameter" in answer.json()["detail"], (method, path)


def test_members_of_a_body(admin: Program) -> None:
    """Also in objects within it."""
    document = admin.site.app.openapi()
    tried = 0
    for method, path, told in operations(admin):
        kinds = told.get("requestBody", {}).get("content", {})
        if "application/json" not in kinds:
            continue
        tried += 1
        body = _valid(document, kinds["application/json"]["schema"])
        for name in ["", *(key for key, value in body.items() if key == "search")]:
            wrong = {**body, **({name: {**body[name], "surprise": 1}} if name else {"surprise": 1})}
            answer = admin.site.browser.request(method, path, json=wrong, headers=admin.headers)
            assert answer.status_code == 422, (method, path, name)
            assert "surprise" in answer.json()["detail"], (method, path, name, answer.text)
    assert tried > 12


def _valid(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A body with the members that must be there."""
    if reference := schema.get("$ref"):
        schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    properties = schema.get("properties", {})
    return {name: _value(document, properties[name]) for name in schema.get("required", [])}


def _value(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _valid(document, schema)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "array":
            return [_value(document, schema["items"])]
        case "integer":
            return 1
        case "object":
            return {}
    return "a" * 64 if "pattern" in schema else "x"
