"""Rules of a sendmail.cf and what they make of addresses, as `filterd mta trace` and the page have
it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from filterd.mta.trace.asking import TraceError, TraceUnavailableError, ask
from filterd.mta.trace.question import TraceQuestion
from filterd.mta.trace.request import (
    ADDRESS_COUNT,
    ADDRESS_LIMIT,
    FILE_COUNT,
    NAME_LIMIT,
    TEXT_LIMIT,
    TraceRequest,
)
from filterd.web.api.identity import Admin
from filterd.web.api.problems import AsciiJSONResponse
from filterd.web.api.values import Strict
from filterd.web.state import state_of

router = APIRouter(tags=["site"])


class TraceWish(Strict):
    """Ask rules about addresses.

    rules: the text of a sendmail.cf, or with mc of an mc file. mailer: how it sees the addresses;
    empty for where they go. host: the name of the host that the rules are for; empty if they say
    it. files: text by name, the tables, alias and class files that the rules read."""

    rules: Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT)]
    addresses: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=ADDRESS_LIMIT)]],
        Field(min_length=1, max_length=ADDRESS_COUNT),
    ]
    mc: bool = False
    sender: bool = False
    header: bool = False
    mailer: Annotated[str, Field(max_length=NAME_LIMIT)] = ""
    host: Annotated[str, Field(max_length=NAME_LIMIT)] = ""
    files: Annotated[dict[str, str], Field(default_factory=dict, max_length=FILE_COUNT)]


class Taken(BaseModel):
    """What a wildcard of a rule took: `$1`, the wildcard as written, the text."""

    reference: str
    wildcard: str
    text: str


class TraceLookup(BaseModel):
    """A lookup. value: null where nothing was found. status: 75 for a temporary failure. entry:
    where the value stands, `FILE:LINE`. not_looked_up: why nobody looked, for a map that is not
    asked."""

    map: str
    key: str
    arguments: list[str]
    value: str | None
    status: int
    entry: str
    not_looked_up: str | None = None


class TraceStep(BaseModel):
    """What happened, by its kind. ruleset: one is entered, with `given`. rule: one matched `given`,
    its wildcards took `taken`; it stands at `line` of the sendmail.cf, `place` says where m4 took
    it from. result: the workspace after it. return: the ruleset ends, by an error if `failed`.
    message: sendmail says `text`. depth: of the ruleset, 0 for those that sendmail itself calls."""

    kind: Literal["ruleset", "rule", "result", "return", "message"]
    depth: int
    ruleset: str = ""
    number: int | None = None
    given: str | None = None
    line: int | None = None
    place: str | None = None
    left: str | None = None
    right: str | None = None
    taken: list[Taken] | None = None
    lookups: list[TraceLookup] | None = None
    result: str | None = None
    failed: bool | None = None
    text: str | None = None


class TracedAddress(BaseModel):
    """What became of an address: `answer` in words; mailer, host, user and state (`ok`, or `queue`
    for later) if it goes somewhere, else `error`; `rewritten` as the mailer sees it.

    left_out: rules that matched and are not among the steps."""

    address: str
    answer: str
    mailer: str | None = None
    host: str | None = None
    user: str | None = None
    state: str | None = None
    rewritten: str | None = None
    error: str | None = None
    steps: list[TraceStep]
    left_out: int


class McSaid(BaseModel):
    """What is wrong with an mc file."""

    line: int
    severity: Literal["error", "warning"]
    text: str


class NotAsked(BaseModel):
    """A map in which nobody looked."""

    map: str
    why: str


class Traced(BaseModel):
    """A trace. problems: why sendmail would not start with the file. not_read: files that it names
    and that were taken for empty. not_looked_up: maps in which nothing was found for that."""

    is_mc: bool
    messages: list[McSaid]
    problems: list[str]
    not_read: list[str]
    not_looked_up: list[NotAsked]
    addresses: list[TracedAddress]


@router.post("/trace", response_model=Traced)
def trace(request: Request, access: Admin, wish: TraceWish) -> JSONResponse:
    """Show which rules match addresses. No file of this machine is read but sendmail's m4 files, no
    program is run, nobody is asked; what was not read or looked up is in the answer."""
    access.require("trace")
    try:
        asked = TraceRequest(
            wish.rules,
            tuple(wish.addresses),
            wish.mc,
            TraceQuestion(wish.sender, wish.header, wish.mailer),
            wish.host,
            wish.files,
        )
        answer = ask(asked, state_of(request).settings.web.sendmail_macros)
    except TraceUnavailableError as error:
        raise HTTPException(503, str(error)) from None
    except (ValueError, TraceError) as error:
        raise HTTPException(422, str(error)) from None
    return AsciiJSONResponse(answer)
