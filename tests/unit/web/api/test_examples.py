"""The OpenAPI document's examples: each operation has them, valid, and as a site answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from filterd.web.api.examples import examples
from tests.helpers.api_examples import recorded, shape
from tests.helpers.site import Site

JSON = "application/json"


@pytest.fixture
def document(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.app.openapi()
    return found


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method} {path}", operation


def test_each_operation_has_a_request_and_an_answer(document: dict[str, Any]) -> None:
    assert examples().keys() == {name for name, _ in _operations(document)}
    for name, operation in _operations(document):
        status = str(examples()[name].get("status", 200))
        content = operation["responses"][status].get("content", {})
        if JSON in content and not name.endswith(("/raw", "/parts/{number}")):
            assert "example" in content[JSON], name
        if JSON in (asked := operation.get("requestBody", {}).get("content", {})):
            assert "example" in asked[JSON], name
        for parameter in operation.get("parameters", ()):
            assert not parameter["required"] or "example" in parameter, (name, parameter["name"])


def test_each_example_is_as_its_schema_says(document: dict[str, Any]) -> None:
    checked = 0
    for name, operation in _operations(document):
        answers = [one.get("content", {}) for one in operation["responses"].values()]
        contents = [operation.get("requestBody", {}).get("content", {}), *answers]
        described = [one[JSON] for one in contents if JSON in one]
        for one in [*described, *operation.get("parameters", ())]:
            if "example" in one:
                whole = {**one["schema"], "components": document["components"]}
                jsonschema_rs.validator_for(whole).validate(one["example"])
                checked += 1
        assert described or name.endswith(("/raw", "/parts/{number}")), name
    assert checked > len(examples())


@pytest.mark.slow
def test_a_site_answers_so(tmp_path: Path) -> None:
    """What the examples have, a site has today, and no more. `python -m tests.helpers.api_examples`
    writes them again."""
    told = recorded(tmp_path).fixed()
    for name, example in examples().items():
        assert set(shape(told[name])) == set(shape(example)), name
