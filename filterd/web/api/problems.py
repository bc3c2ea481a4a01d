"""Answers of the REST interface: JSON in ASCII, and problems as RFC 9457 has them."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from starlette.responses import JSONResponse


class AsciiJSONResponse(JSONResponse):
    """JSON in ASCII: an address may hold octets of no charset, and those travel as escapes."""

    def render(self, content: Any) -> bytes:
        """The octets of the body."""
        return json.dumps(content, ensure_ascii=True, allow_nan=False).encode("ascii")


class Problem(BaseModel):
    """What went wrong (RFC 9457 §3.1). detail: in words for the caller."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""


class ProblemResponse(AsciiJSONResponse):
    """A problem."""

    media_type = "application/problem+json"


def problem(status: int, detail: str = "", headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer that says what went wrong."""
    told = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return ProblemResponse(told.model_dump(), status, headers)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of these statuses."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        for status in statuses
    }
