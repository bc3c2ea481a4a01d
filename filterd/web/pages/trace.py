"""Rules of a sendmail.cf or an mc file, and what they make of addresses, step by step.

Nothing of it is stored, and no file of this machine is read but sendmail's m4 files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from filterd.mta.trace.asking import TraceError, ask
from filterd.mta.trace.lookups import lookup_text
from filterd.mta.trace.question import TraceQuestion
from filterd.mta.trace.request import TEXT_LIMIT, TraceRequest, files_of, looks_like_mc
from filterd.review.access import Access
from filterd.review.reviewer import Reviewer
from filterd.system.confinement import can_confine_files
from filterd.web.forms import text_of
from filterd.web.identity import Asking, Posted
from filterd.web.state import state_of
from filterd.web.views import page

router = APIRouter()

TEXTS = ("rules", "addresses", "files")
"""Fields of several lines."""

WORDS = {"kind": ("", "cf", "mc"), "side": ("recipient", "sender"), "place": ("envelope", "header")}
"""Fields with a choice; the first is meant where none is made."""

NAMES = ("host", "mailer")


@router.get("/trace")
def ask_for_rules(request: Request, asking: Asking) -> Response:
    """The form. Raises ActionError for a reviewer."""
    _require(request, asking)
    return _page(request, asking, _typed(FormData()))


@router.post("/trace")
async def trace(request: Request, asking: Asking, form: Posted) -> Response:
    """The answer. Raises ActionError for a reviewer."""
    _require(request, asking)
    typed = _typed(form)
    file = form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        data = await file.read(TEXT_LIMIT + 1)
        if len(data) > TEXT_LIMIT:
            raise HTTPException(413, f"The file is larger than {TEXT_LIMIT >> 10} KiB.")
        typed["rules"] = _lines(data.decode("utf-8", "surrogateescape"))
        typed["kind"] = typed["kind"] or ("mc" if file.filename.endswith(".mc") else "")
    return await run_in_threadpool(_traced, request, asking, typed)


def _require(request: Request, asking: Reviewer) -> None:
    Access(state_of(request).actions, asking, "web").require("trace")


def _typed(form: FormData) -> dict[str, str]:
    typed = {name: text_of(form, name) for name in NAMES}
    for name in TEXTS:
        value = form.get(name, "")
        typed[name] = _lines(value) if isinstance(value, str) else ""
    for name, words in WORDS.items():
        chosen = text_of(form, name)
        typed[name] = chosen if chosen in words else words[0]
    return typed


def _lines(text: str) -> str:
    """As a browser sends it, or Windows has it, with plain line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _traced(request: Request, asking: Reviewer, typed: dict[str, str]) -> Response:
    try:
        wish = TraceRequest(
            typed["rules"],
            tuple(filter(None, map(str.strip, typed["addresses"].split("\n")))),
            typed["kind"] == "mc" or (not typed["kind"] and looks_like_mc(typed["rules"])),
            TraceQuestion(typed["side"] == "sender", typed["place"] == "header", typed["mailer"]),
            typed["host"],
            files_of(typed["files"]),
        )
        answer = ask(wish, state_of(request).settings.web.sendmail_macros)
    except (ValueError, TraceError) as error:
        return _page(request, asking, typed, error=str(error))
    for number, one in enumerate(answer["addresses"], 1):
        _number(one["steps"], number)
    return _page(request, asking, typed, answer=answer)


def _number(steps: Sequence[dict[str, Any]], address: int) -> None:
    """Give the rules that matched their numbers, from 1, and the names by which links lead to
    them."""
    rules = [one for one in steps if one["kind"] == "rule"]
    for number, one in enumerate(rules, 1):
        one["number"] = number
        one["id"] = f"a{address}-{number}"
        one["before"] = f"a{address}-{number - 1}" if number > 1 else ""
        one["after"] = f"a{address}-{number + 1}" if number < len(rules) else ""
        one["looked"] = [lookup_text(lookup) for lookup in one["lookups"]]


def _page(
    request: Request,
    asking: Reviewer,
    typed: dict[str, str],
    *,
    error: str = "",
    answer: dict[str, Any] | None = None,
) -> Response:
    return page(
        request,
        "trace.html",
        asking,
        422 if error else 200,
        typed=typed,
        error=error,
        answer=answer,
        takes_mc=can_confine_files(),
        kilobytes=TEXT_LIMIT >> 10,
    )
