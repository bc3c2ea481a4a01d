"""What people type into the pages' fields, as the values that the stores ask for."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import FormData

from filterd.message.address import AddressPatternError, checked_mailbox
from filterd.quarantine.query import NEWEST_FIRST, SORTS, Query
from filterd.quarantine.words import REASONS, STATES, WAITING
from filterd.review.accounts import PASSWORD_LIMIT
from filterd.system import zone
from filterd.web.dates import days_of

TEXTS = ("text", "sender", "recipient", "domain", "subject", "symbol", "virus")
"""Fields of a search that are text; the words are those of `filterd quarantine list`."""

SHAPE = ("sort", "limit", "after")
"""Fields that say in which order and on which page messages are shown, not which."""

ANY = "any"
"""The choice of every state."""

STATE_CHOICES = (WAITING, ANY, *STATES)
"""States that one can choose in a search."""

LIMITS = (25, 50, 100, 250)
"""Rows of a page that one can choose."""

DEFAULT_LIMIT = 50

DAY = 86400.0
"""Seconds."""

TEXT_LIMIT = 500
"""Characters of one field of a search."""

NOTE_LIMIT = 1000
"""Characters of a reason; it is one line of the journal."""

ID_LIMIT = 1000
"""Messages of one action; a page of the list has at most 250."""

PATH_LIMIT = 4000
"""Characters of an address that a form leads back to: a message's has that of its list in it."""

ADDRESS_LIMIT = 100
"""Addresses of one release."""


@dataclass(slots=True)
class SearchForm:
    """A search as it was typed, what it means, and what is wrong with it, by field."""

    typed: dict[str, str]
    query: Query
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """True if nothing is asked for in particular: what waits for a decision is shown."""
        return self.typed["state"] == WAITING and not self._asks_more

    @property
    def is_for_all(self) -> bool:
        """True if everything that is kept is asked for."""
        return self.typed["state"] == ANY and not self._asks_more

    @property
    def _asks_more(self) -> bool:
        return any(v for k, v in self.typed.items() if k not in (*SHAPE, "state"))

    def is_view(self, asked: str) -> bool:
        """True if the search is the one that this query of an address asks for."""
        chosen = {k: v for k, v in self.typed.items() if v and k not in SHAPE}
        return chosen == dict(parse_qsl(asked))

    @property
    def conditions(self) -> list[tuple[str, str]]:
        """What is asked for, by the name of the field and what stands in it."""
        typed = {k: v for k, v in self.typed.items() if v and k not in SHAPE}
        return [(k, v) for k, v in typed.items() if (k, v) != ("state", ANY)]

    def order_of(self, name: str) -> str:
        """`ascending` or `descending` if the list is sorted by that, else empty."""
        sort = self.query.sort or NEWEST_FIRST
        if sort.removeprefix("-") != name:
            return ""
        return "descending" if sort.startswith("-") else "ascending"

    def sort_link(self, name: str) -> str:
        """The first page sorted by that, as `link` does it: text from its beginning and numbers
        from the greatest; the other way round if it is sorted so."""
        first = name if name == "sender" else f"-{name}"
        sort = self.query.sort or NEWEST_FIRST
        return self.link(sort=self.query.turned.sort if sort == first else first)

    def link(self, **changes: str) -> str:
        """The search as the query of an address, with these fields changed."""
        chosen = {**self.typed, "after": "", **changes}
        if chosen["state"] == ANY and self._asks_more:
            chosen["state"] = ""
        return "?" + urlencode({name: value for name, value in chosen.items() if value})


def search_of(given: Mapping[str, str]) -> SearchForm:
    """The search that an address asks for; what is wrong is left out and told. Nothing should be
    looked for then: without a condition more would be found than was asked for."""
    names = (
        *TEXTS,
        "reason",
        "state",
        "when",
        "since",
        "until",
        "score_from",
        "score_to",
        "pinned",
        "seen",
        "sort",
        "limit",
        "after",
    )
    typed = {name: given.get(name, "").strip()[:TEXT_LIMIT] for name in names}
    # A place may begin with a blank, as the sender that it is made of.
    typed["after"] = given.get("after", "")[:TEXT_LIMIT]
    errors: dict[str, str] = {}

    def moment(name: str) -> float | None:
        try:
            return moment_of(typed[name])
        except ValueError as error:
            errors[name] = str(error)
            return None

    def points(name: str) -> float | None:
        try:
            return points_of(typed[name])
        except ValueError as error:
            errors[name] = str(error)
            return None

    if not typed["state"]:
        # Without any condition what waits for a decision; a search looks at all that is kept.
        asks = any(typed[name] for name in names if name not in SHAPE)
        typed["state"] = ANY if asks else WAITING
    for name in ("pinned", "seen"):
        if typed[name] not in ("", "yes", "no"):
            errors[name] = "accepted: yes, no"
            typed[name] = ""
    for name, accepted in (("reason", REASONS), ("state", STATE_CHOICES)):
        if typed[name] and typed[name] not in accepted:
            errors[name] = f"accepted: {', '.join(accepted)}"
            typed[name] = ANY if name == "state" else ""
    if typed["sort"] and typed["sort"] not in SORTS:
        errors["sort"] = f"sort: accepted: {', '.join(SORTS)}"
        typed["sort"] = ""
    if typed["sort"] == NEWEST_FIRST:
        typed["sort"] = ""
    since, until = moment("since"), moment("until")
    if typed["when"]:
        try:
            first, after = days_of(typed["when"], zone.local(time.time()).date())
            since = first if since is None else max(since, first)
            until = after if until is None else min(until, after)
        except ValueError as error:
            errors["when"], typed["when"] = str(error), ""
    limit = typed["limit"] if typed["limit"] in map(str, LIMITS) else str(DEFAULT_LIMIT)
    typed["limit"] = "" if limit == str(DEFAULT_LIMIT) else limit
    query = Query(
        sender=typed["sender"],
        recipient=typed["recipient"],
        domain=typed["domain"],
        subject=typed["subject"],
        text=typed["text"],
        symbol=typed["symbol"],
        virus=typed["virus"],
        reason=typed["reason"],
        state="" if typed["state"] == ANY else typed["state"],
        since=since,
        until=until,
        score_from=points("score_from"),
        score_to=points("score_to"),
        pinned={"yes": True, "no": False}.get(typed["pinned"]),
        seen={"yes": True, "no": False}.get(typed["seen"]),
        limit=int(limit),
        after=typed["after"],
        sort=typed["sort"],
    )
    return SearchForm(typed, query, errors)


def moment_of(text: str) -> float | None:
    """A time of the zone, as the browser or a person writes it, as seconds since 1970; None for
    nothing.

    Raises ValueError in words for the person who typed it.
    """
    if not text:
        return None
    try:
        return zone.at(datetime.fromisoformat(text))
    except (ValueError, OverflowError, OSError):
        raise ValueError("no date; expected 2026-11-23 or 2026-11-23T12:00") from None


def points_of(text: str) -> float | None:
    """A score; None for nothing. Raises ValueError in words for the person who typed it."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError("no number of points; expected 7.5")
    return value


def text_of(form: FormData, name: str, limit: int = TEXT_LIMIT) -> str:
    """A field's text, its line ends as blanks; empty if it is not there or is a file."""
    value = form.get(name, "")
    return " ".join(value.split())[:limit] if isinstance(value, str) else ""


def password_of(form: FormData, name: str) -> str:
    """A field's text as it was typed, with its blanks: they belong to a password. One character
    more than a password may have, at most."""
    value = form.get(name, "")
    return value[: PASSWORD_LIMIT + 1] if isinstance(value, str) else ""


def texts_of(form: FormData, name: str, limit: int) -> list[str]:
    """The texts of a field that may be there several times, each once."""
    found = [value.strip() for value in form.getlist(name) if isinstance(value, str)]
    return list(dict.fromkeys(filter(None, found)))[:limit]


def addresses_of(text: str) -> list[str]:
    """Addresses that somebody typed, separated by commas or blanks.

    Raises ValueError in words for the person who typed it.
    """
    found = list(dict.fromkeys(text.replace(",", " ").split()))
    if len(found) > ADDRESS_LIMIT:
        raise ValueError(f"more than {ADDRESS_LIMIT} addresses")
    for address in found:
        try:
            checked_mailbox(address)
        except AddressPatternError:
            raise ValueError(f"{address[:80]} is not an address; expected ann@mx.example") from None
    return found


def local_path(text: str, otherwise: str) -> str:
    """The text if it is a path on this site, else the other one: nobody is sent elsewhere."""
    is_ours = text.startswith("/") and not text.startswith("//") and "\\" not in text
    return text if is_ours and text.isprintable() and len(text) < PATH_LIMIT else otherwise
