"""Turning values into pages: the templates, and what every page has."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from filterd import __version__
from filterd.chain.headers import points
from filterd.chain.report import remaining
from filterd.chain.stages import COMMANDS
from filterd.ops.scanners import stats_in_words
from filterd.review.actions import ActionResult
from filterd.review.reviewer import Reviewer
from filterd.review.rights import ACTIONS, role_refusal
from filterd.review.seen import own_outcomes, seen_sentence
from filterd.system import zone
from filterd.system.display import count, exactly, hours, printable, size, when
from filterd.web.dates import day_input
from filterd.web.identity import session_of
from filterd.web.sessions import WebSession
from filterd.web.state import state_of

NOTICE_LIMIT = 20
"""Outcomes that wait to be shown; who never looks does not fill the memory."""

_FOLDER = Path(__file__).parent

_COMMANDS = {stage.value: command for stage, command in COMMANDS.items()}
"""What SMTP calls the stages; a daemon of another version may know others."""


def _finalize(value: object) -> object:
    """Text of strangers without control characters, wherever a template shows it."""
    return printable(value, lines=True) if type(value) is str else value


_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    finalize=_finalize,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    when=when,
    exactly=exactly,
    size=size,
    points=points,
    count=count,
    clamd_stats=stats_in_words,
    remaining=remaining,
    outcomes_within=own_outcomes,
    sentence_for=seen_sentence,
    hours=hours,
    day_input=day_input,
    command=lambda stage: _COMMANDS.get(stage, stage),
)
_environment.globals["may"] = lambda reviewer, name: not role_refusal(reviewer, ACTIONS[name])


def page(
    request: Request, template: str, reviewer: Reviewer, status: int = 200, /, **context: Any
) -> HTMLResponse:
    """A page for somebody who is logged in, with what was done just now on top of it."""
    session = session_of(request)
    notices: Sequence[ActionResult] = session.notices.pop(request.query_params.get("done", ""), ())
    return plain_page(
        request,
        template,
        status,
        reviewer=reviewer,
        csrf=session.csrf,
        notices=notices,
        undo=[one.id for one in notices if one.ok and one.detail.get("until")],
        undo_back=_without_notices(request),
        **context,
    )


def _without_notices(request: Request) -> str:
    """The address of this page without what was done just now."""
    asked = [(k, v) for k, v in request.query_params.multi_items() if k != "done"]
    return request.url.path + (f"?{urlencode(asked)}" if asked else "")


def plain_page(
    request: Request, template: str, status: int = 200, /, **context: Any
) -> HTMLResponse:
    """A page for anybody."""
    text = _environment.get_template(template).render(
        path=request.url.path,
        version=__version__,
        zone_name=zone.name(),
        greylists=state_of(request).waiting.is_used,
        has_lists=state_of(request).lists.is_used,
        has_senders=state_of(request).senders.is_used,
        has_rates=state_of(request).held_parties.is_used,
        describe=state_of(request).descriptions.told,
        **{"reviewer": None, "notices": (), "undo": (), **context},
    )
    # Subjects may hold lone surrogates, which no charset has.
    return HTMLResponse(text.encode("utf-8", "replace"), status)


def back(
    request: Request, path: str, done: Sequence[ActionResult], session: WebSession | None = None
) -> RedirectResponse:
    """Redirect to a page that shows what was done; reloading that does nothing again. session: None
    for that of the request."""
    notices = (session or session_of(request)).notices
    key = secrets.token_hex(4)
    notices[key] = tuple(done)
    while len(notices) > NOTICE_LIMIT:
        del notices[next(iter(notices))]
    path, _, fragment = path.partition("#")
    joined = f"{path}{'&' if '?' in path else '?'}done={key}"
    return RedirectResponse(joined + (f"#{fragment}" if fragment else ""), 303)


def keeps_only(reviewer: Reviewer, recipients: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """The recipients that may be shown, and how many are hidden."""
    own = reviewer.within(recipients)
    return own, len(recipients) - len(own)
