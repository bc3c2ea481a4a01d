"""Whatever a program asks for: never an answer of 500 or above."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.helpers.api import Program

pytestmark = [pytest.mark.slow, pytest.mark.minutes]


EXAMPLES = 20
"""Requests of each operation, with parameters and bodies as the OpenAPI document has them."""

CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]

SLOW_EXAMPLES = 4
"""Of those that start a process for each."""


@schemathesis.serializer("message/rfc822")
def octets(_context: object, value: Any) -> bytes:
    """A message is sent as it is."""
    return bytes(getattr(value, "data", None) or str(value).encode("utf-8", "replace"))


@pytest.mark.parametrize("who", ["admin", "reviewer"])
def test_no_request_breaks_it(request: pytest.FixtureRequest, who: str) -> None:
    """And every answer is what the document says, problems included."""
    program: Program = request.getfixturevalue(who)
    put = program.site.put
    real = [put("joe@mx.example", "sue@other.example"), put("joe@mx.example", virus="Evil"), put()]
    document = schemathesis.openapi.from_asgi("/api/openapi.json", program.site.app)
    tried: Counter[int] = Counter()
    for found in document.get_all_operations():
        operation = found.ok()
        examples = SLOW_EXAMPLES if operation.path.endswith(("scan", "trace")) else EXAMPLES

        @given(case=operation.as_strategy(), id=st.sampled_from([*real, None]))
        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def no_error(case: schemathesis.Case, id: str | None) -> None:
            if id is not None:
                # A message that is there: the deed is tried, not only the refusal.
                if "id" in case.path_parameters:
                    case.path_parameters["id"] = id
                if isinstance(case.body, dict) and isinstance(case.body.get("ids"), list):
                    case.body["ids"].append(id)
            answer = case.call(headers=program.headers)
            tried[answer.status_code] += 1
            told = f"{case.method} {case.formatted_path}: {answer.status_code} {answer.text[:500]}"
            # No daemon runs here, so it says 503.
            assert answer.status_code < 500 or case.formatted_path == "/readyz", told
            case.validate_response(answer, checks=CHECKS)

        no_error()
    assert tried.total() > 13 * EXAMPLES / 2
    assert {200, 404, 422} <= tried.keys()
    assert (403 in tried) == (who == "reviewer")
