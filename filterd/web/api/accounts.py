"""Who may log in to the pages, and which programs may use this interface; for admins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from filterd.review.principals import Kind, Principal, PrincipalError
from filterd.review.reviewer import Role
from filterd.review.site_accounts import LIMITS_LIMIT, SiteAccounts
from filterd.system.display import without_folders
from filterd.web.api.identity import Bearer
from filterd.web.api.problems import AsciiJSONResponse
from filterd.web.api.values import Strict
from filterd.web.state import state_of

router = APIRouter(prefix="/accounts", tags=["accounts"])

T = TypeVar("T")

_Name = Annotated[str, Field(min_length=1, max_length=64)]
_Limits = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=320)]], Field(max_length=LIMITS_LIMIT)
]


class NewAccount(Strict):
    """An account of a person, or a token of a program. limits: domains and addresses whose mail it
    sees; empty for all mail, where the role allows that."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "account",
                    "name": "dora",
                    "role": "helpdesk",
                    "limits": ["mx.example", "ann@other.example"],
                }
            ]
        }
    )

    kind: Literal["account", "token"] = "account"
    name: _Name
    role: Role
    limits: _Limits = Field(default_factory=list)


class ChangedAccount(Strict):
    """Another role, or other limits."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "dora", "role": "auditor", "limits": []}]}
    )

    name: _Name
    role: Role
    limits: _Limits = Field(default_factory=list)


class NamedAccount(Strict):
    """One account."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "dora"}]})

    name: _Name


class RemovedAccount(Strict):
    """One account or token."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "account", "name": "dora"}]})

    kind: Literal["account", "token"] = "account"
    name: _Name


class KnownAccount(BaseModel):
    """made: when it was, as ISO 8601 has it, empty where nobody noted it. factor: a code of a
    second factor is asked for."""

    name: str
    role: str
    domains: list[str]
    recipients: list[str]
    made: str
    factor: bool


class KnownAccounts(BaseModel):
    """By name."""

    accounts: list[KnownAccount]
    tokens: list[KnownAccount]


class AccountChanged(BaseModel):
    """words: what it is now. secret: the password or token that was made, shown this once."""

    words: str
    secret: str = ""


@router.get("", response_model=KnownAccounts)
def known(request: Request, access: Bearer) -> JSONResponse:
    """All accounts and tokens, without their secrets."""
    accounts = _accounts(request)

    def plain(kind: Kind) -> list[dict[str, object]]:
        return [_plain(one) for one in accounts.all(access, kind)]

    return AsciiJSONResponse({"accounts": plain("account"), "tokens": plain("token")})


@router.post("/add", response_model=AccountChanged)
def add(request: Request, access: Bearer, wish: NewAccount) -> JSONResponse:
    """Make an account with a password, or a token."""
    accounts = _accounts(request)
    secret = _done(lambda: accounts.add(access, wish.kind, wish.name, wish.role, wish.limits))
    return _told("added", secret)


@router.post("/change", response_model=AccountChanged)
def change(request: Request, access: Bearer, wish: ChangedAccount) -> JSONResponse:
    """Give an account another role, or other limits."""
    accounts = _accounts(request)
    return _told(_done(lambda: accounts.change(access, wish.name, wish.role, wish.limits)))


@router.post("/password", response_model=AccountChanged)
def password(request: Request, access: Bearer, wish: NamedAccount) -> JSONResponse:
    """Give an account a new password; its sessions end."""
    accounts = _accounts(request)
    return _told("new password", _done(lambda: accounts.new_password(access, wish.name)))


@router.post("/factor", response_model=AccountChanged)
def factor(request: Request, access: Bearer, wish: NamedAccount) -> JSONResponse:
    """Switch an account's second factor off, for somebody whose phone is lost."""
    accounts = _accounts(request)
    _done(lambda: accounts.factor_off(access, wish.name))
    return _told("no code is asked for any more")


@router.post("/remove", response_model=AccountChanged)
def remove(request: Request, access: Bearer, wish: RemovedAccount) -> JSONResponse:
    """Remove an account, whose sessions end, or a token."""
    accounts = _accounts(request)
    _done(lambda: accounts.remove(access, wish.kind, wish.name))
    return _told("removed")


def _done(made: Callable[[], T]) -> T:
    """Raises HTTPException 422 for what is not possible."""
    try:
        return made()
    except PrincipalError as error:
        raise HTTPException(422, without_folders(str(error))) from None


def _told(words: str, secret: str = "") -> JSONResponse:
    return AsciiJSONResponse({"words": words, "secret": secret})


def _plain(one: Principal) -> dict[str, object]:
    return {
        "name": one.name,
        "role": one.role,
        "domains": [*one.domains],
        "recipients": [*one.recipients],
        "made": one.made,
        "factor": bool(one.totp),
    }


def _accounts(request: Request) -> SiteAccounts:
    state = state_of(request)
    return SiteAccounts(state.accounts, state.tokens, state.actions.store)
