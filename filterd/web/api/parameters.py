"""Parameters of the REST interface that are not known are refused: ignored, a misspelled condition
would give an answer to another question."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.requests import Request


def only_known(request: Request) -> None:
    """Raises HTTPException 422 for a request with a query parameter that its path does not have."""
    if not request.query_params:
        return
    expected = _parameters(request)
    for name in request.query_params:
        if name not in expected:
            words = f"expected {', '.join(expected)}" if expected else "there are none here"
            raise HTTPException(422, f"query.{name[:50]}: unknown parameter; {words}")


def _parameters(request: Request) -> list[str]:
    """The names of the query parameters that this path has, as its description says."""
    path = request.scope["route"].path_format
    paths = request.app.openapi()["paths"]
    described = paths.get(path) or paths[f"/api{path}"]
    # HEAD takes what GET takes.
    method = "get" if request.method == "HEAD" else request.method.lower()
    parameters = described[method].get("parameters", [])
    return sorted(one["name"] for one in parameters if one["in"] == "query")
