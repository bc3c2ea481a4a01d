"""Whatever a program asks for: never an answer of 500 or above."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings

from tests.unit.web.api.conftest import Program

EXAMPLES = 20
"""Requests of each operation, with parameters and bodies as the OpenAPI document has them."""

SLOW_EXAMPLES = 4
"""Of those that start a process for each."""


@schemathesis.serializer("message/rfc822")
def octets(_context: object, value: Any) -> bytes:
    """A message is sent as it is."""
    return bytes(getattr(value, "data", None) or str(value).encode("utf-8", "replace"))


def test_no_request_breaks_it(admin: Program) -> None:
    admin.site.put("joe@mx.example")
    document = schemathesis.openapi.from_asgi("/api/openapi.json", admin.site.app)
    tried = 0
    for found in document.get_all_operations():
        operation = found.ok()
        examples = SLOW_EXAMPLES if operation.path.endswith("scan") else EXAMPLES

        @given(case=operation.as_strategy())
        @settings(
            max_examples=examples, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def no_error(case: schemathesis.Case) -> None:
            nonlocal tried
            answer = case.call(headers=admin.headers)
            tried += 1
            told = f"{case.method} {case.formatted_path}: {answer.status_code} {answer.text[:500]}"
            assert answer.status_code < 500, told

        no_error()
    assert tried > 13 * EXAMPLES / 2
