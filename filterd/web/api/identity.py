"""Who is asking: the bearer of a token (RFC 6750)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from filterd.review.access import Access
from filterd.web.state import state_of

_bearer = HTTPBearer(
    auto_error=False, description="`filterd web token add NAME` makes one and shows it once."
)


def current(
    request: Request,
    shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Access:
    """Kept mail as the bearer of this token has it. Raises HTTPException 401, PrincipalError."""
    state = state_of(request)
    token = state.tokens.find(shown.credentials) if shown else None
    if token is None:
        raise HTTPException(
            401, "a token is needed: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"}
        )
    return Access(state.actions, token.reviewer, "api")


def admin(access: Annotated[Access, Depends(current)]) -> Access:
    """The same, for a caller who may see the state of the site. Raises ActionError."""
    access.require("status")
    return access


Bearer = Annotated[Access, Depends(current)]
Admin = Annotated[Access, Depends(admin)]
