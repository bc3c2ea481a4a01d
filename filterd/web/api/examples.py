"""Examples in the OpenAPI document: for each operation a request and its answer.

They are what a made-up site answered (`examples.json`), so they are as true as the tests keep them.
Source: OpenAPI Specification 3.1, "Media Type Object" and "Parameter Object", `example`.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI


class DescribedApp(FastAPI):
    """An application whose OpenAPI document has examples."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        made = self.openapi_schema is not None
        document = super().openapi()
        if not made:
            add_examples(document)
        return document


@cache
def examples() -> dict[str, dict[str, Any]]:
    """By method and path (`get /api/messages`): `query` and `values` (of the path), `body`,
    `status` if it is not 200, `answer`."""
    found: dict[str, dict[str, Any]] = json.loads(
        files("filterd.web.api").joinpath("examples.json").read_text("ascii")
    )
    return found


def add_examples(document: dict[str, Any]) -> None:
    """Put what is known of each operation into an OpenAPI document."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            known = examples().get(f"{method} {path}")
            if known is not None:
                _add(operation, known)


def _add(operation: dict[str, Any], known: dict[str, Any]) -> None:
    values = known.get("query", {}) | known.get("values", {})
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in values:
            parameter["example"] = values[parameter["name"]]
    contents = [
        (operation.get("requestBody", {}), known.get("body")),
        (operation["responses"].get(str(known.get("status", 200)), {}), known.get("answer")),
    ]
    for part, example in contents:
        content = part.get("content", {}).get("application/json")
        if content is not None and example is not None:
            content["example"] = example
