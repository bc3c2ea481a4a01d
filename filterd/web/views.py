"""Turning values into pages: the templates, and what every page has."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

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
from filterd.web.languages import LANGUAGE_COOKIE, SOURCE, shown, shown_with
from filterd.web.look import LOOK_COOKIE, Look
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


def _in_url(value: object) -> str:
    """Text, or a mapping, for the query of a link. A text of strangers may hold lone surrogates,
    which no charset has; they become question marks."""
    if isinstance(value, dict):
        return urlencode(value, errors="replace")
    return quote(str(value), safe="/", errors="replace")


_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    finalize=_finalize,
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=["jinja2.ext.i18n"],
)
_environment.install_gettext_callables(  # type: ignore[attr-defined]  # by the extension
    lambda text: shown().gettext(text),
    lambda one, many, number: shown().ngettext(one, many, number),
    newstyle=True,
)
_environment.filters.update(
    urlencode=_in_url,
    translated=lambda text: shown().gettext(text),
    moment=lambda seconds: shown().moment(seconds),
    number=lambda value: shown().number(value),
    kilobytes=lambda octets: shown().kilobytes(octets),
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
    told = session.notices.pop(request.query_params.get("done", ""), ())
    # A user's page shows what a user did, and an error page has no place for it.
    notices = [one for one in told if isinstance(one, ActionResult)]
    return plain_page(
        request,
        template,
        status,
        reviewer=reviewer,
        is_local_account=session.outside is None,
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
    """A page for anybody, in the language of its reader where that may be a user."""
    state = state_of(request)
    reviewer = context.get("reviewer")
    english = not state.settings.users.enabled or (reviewer and reviewer.role != "user")
    catalogue = state.languages.chosen(
        SOURCE if english else request.cookies.get(LANGUAGE_COOKIE, ""),
        request.headers.get("accept-language", ""),
    )
    values = {
        "language": catalogue.language,
        "languages": state.languages.names,
        **_values(request),
        **{"reviewer": None, "notices": (), "undo": (), **context},
    }
    with shown_with(catalogue):
        text = _environment.get_template(template).render(values)
    # Subjects may hold lone surrogates, which no charset has.
    answer = HTMLResponse(text.encode("utf-8", "replace"), status)
    if not english:
        answer.headers["Content-Language"] = catalogue.language.replace("_", "-")
        answer.headers["Vary"] = "Accept-Language, Cookie"
    return answer


def _values(request: Request) -> dict[str, Any]:
    """What every page may show."""
    state = state_of(request)
    return {
        "path": request.url.path,
        "here": _without_notices(request) if request.method == "GET" else "/",
        "look": Look.of(request.cookies.get(LOOK_COOKIE, "")),
        "version": __version__,
        "zone_name": zone.name(),
        "greylists": state.waiting.is_used,
        "has_lists": state.lists.is_used,
        "has_senders": state.senders.is_used,
        "has_rates": state.held_parties.is_used,
        "has_users": state.settings.users.enabled,
        "describe": state.descriptions.told,
    }


def back(
    request: Request, path: str, done: Sequence[Any], session: WebSession | None = None
) -> RedirectResponse:
    """Redirect to a page that shows what was done; reloading that does nothing again. done:
    `ActionResult`, or what the page itself takes out of the session's notices. session: None
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
