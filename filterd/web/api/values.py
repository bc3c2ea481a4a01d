"""What the REST interface takes and gives, as the OpenAPI document shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, overload

from fastapi import Query as Parameter
from pydantic import BaseModel, ConfigDict, Field

from filterd.chain.report import ScanReport
from filterd.chain.report_codec import plain
from filterd.history.record import Record
from filterd.quarantine import Entry
from filterd.quarantine.index import Row
from filterd.quarantine.query import PAGE_LIMIT, Query, QueryError
from filterd.review.reviewer import Reviewer
from filterd.review.seen import seen_sentence
from filterd.review.timeline import Timeline
from filterd.system.display import without_folders

IDS_LIMIT = 1000
"""Messages of one action."""

TEXT_LIMIT = 500
"""Characters of a condition, and of a reason."""

ADDRESSES_LIMIT = 100
"""Recipients that a release is given."""

Text = Annotated[str, Parameter(max_length=TEXT_LIMIT)]
"""A condition."""

_Text = Annotated[str, Field(max_length=TEXT_LIMIT)]
_Id = Annotated[str, Field(min_length=1, max_length=64)]
Ids = Annotated[list[_Id], Field(min_length=1, max_length=IDS_LIMIT)]
_Address = Annotated[
    str, Field(max_length=320, pattern=r"^[^\s<>@][^\s<>]*@[^\s<>@]+$", examples=["ann@mx.example"])
]


class Strict(BaseModel):
    """A request's body, in which nothing unknown may be."""

    model_config = ConfigDict(extra="forbid")


class Release(Strict):
    """Hand messages to the MTA. to: only to these, or to others; empty for those whose copy is
    held. again: also to those who have it. virus: although it has a virus; needs a note. learn:
    teach the site's model that it is ham."""

    ids: Ids
    to: Annotated[list[_Address], Field(max_length=ADDRESSES_LIMIT)] = []
    note: _Text = ""
    attached: bool = False
    again: bool = False
    virus: bool = False
    learn: bool = False


class Learn(Strict):
    """Teach the site's model what messages are."""

    ids: Ids
    kind: Annotated[Literal["spam", "ham"], Field(alias="class")]
    note: _Text = ""


class Delete(Strict):
    """Delete messages. now: their bytes at once, so that they cannot be brought back."""

    ids: Ids
    note: _Text = ""
    now: bool = False


class Undelete(Strict):
    """Bring deleted messages back."""

    ids: Ids
    note: _Text = ""


class Pin(Strict):
    """Keep messages from expiring, or with pinned false allow it again."""

    ids: Ids
    note: _Text = ""
    pinned: bool = True


class SendersRequest(Strict):
    """Allow or block the senders of messages. everybody: for all recipients. unproven: allow them
    also for mail that does not prove to come from their domains. off: remove the entry."""

    ids: Ids
    kind: Literal["allow", "block"]
    everybody: bool = False
    unproven: bool = False
    off: bool = False
    note: _Text = ""


class Search(Strict):
    """Conditions, as those of a search; all must hold, and there must be one. Times without an
    offset are UTC."""

    sender: _Text = ""
    recipient: _Text = ""
    domain: _Text = ""
    subject: _Text = ""
    text: _Text = ""
    reason: _Text = ""
    state: _Text = ""
    symbol: _Text = ""
    virus: _Text = ""
    since: datetime | None = None
    until: datetime | None = None
    score_from: Annotated[float | None, Field(allow_inf_nan=False)] = None
    score_to: Annotated[float | None, Field(allow_inf_nan=False)] = None
    pinned: bool | None = None
    seen: bool | None = None

    def query(self) -> Query:
        """The same for the store. Raises QueryError for a search without a condition."""
        values = self.model_dump(exclude={"since", "until"})
        found = Query(**values, since=seconds(self.since), until=seconds(self.until))
        if found == Query():
            raise QueryError("search: expected a condition, such as a sender or a time")
        return found


class Act(Strict):
    """Do something with the messages that a search finds, the newest ones, as many as `limit`.
    dry_run: only say which these are, and what is not permitted. What comes between a dry run and
    the action itself is among them, unless `until` leaves it out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "action": "delete",
                    "search": {"sender": "news@shop.example", "state": "held"},
                    "limit": 100,
                    "dry_run": True,
                }
            ]
        }
    )

    action: Literal[
        "release",
        "release-ham",
        "spam",
        "ham",
        "pin",
        "unpin",
        "allow",
        "block",
        "delete",
        "undelete",
    ]
    search: Search
    limit: Annotated[int, Field(ge=1, le=IDS_LIMIT)] = 100
    dry_run: bool = True
    note: _Text = ""


class Result(BaseModel):
    """What became of one message. detail: plain values; of a release one for each recipient."""

    id: str
    ok: bool
    words: str
    detail: dict[str, Any]


class Results(BaseModel):
    """What became of each message, in no special order."""

    results: list[Result]


class Acted(Results):
    """What became of each message, or in a dry run could. more: the search finds further ones."""

    dry_run: bool
    more: bool


class Kept(BaseModel):
    """A kept message as a list shows it."""

    model_config = ConfigDict(extra="allow")

    id: str
    received: datetime
    size: int
    sender: str
    recipients: list[str]
    subject: str
    reason: str
    score: float
    symbols: list[str]
    virus: str
    state: str
    pinned: bool
    seen: bool


class Messages(BaseModel):
    """One page. next: `after` for the next page, empty at the end."""

    messages: list[Kept]
    next: str


def question(
    sender: Text = "",
    recipient: Text = "",
    domain: Text = "",
    subject: Text = "",
    text: Text = "",
    reason: Text = "",
    state: Text = "",
    symbol: Text = "",
    virus: Text = "",
    since: datetime | None = None,
    until: datetime | None = None,
    score_from: Annotated[float | None, Parameter(allow_inf_nan=False)] = None,
    score_to: Annotated[float | None, Parameter(allow_inf_nan=False)] = None,
    pinned: bool | None = None,
    seen: bool | None = None,
    sort: Text = "",
    limit: Annotated[int, Parameter(ge=1, le=PAGE_LIMIT)] = 50,
    after: Text = "",
) -> Query:
    """The conditions, in the words of `filterd quarantine list`; all must hold. Times without an
    offset are UTC. seen: by this token. sort: `received`, `score`, `sender` or `size`, with `-` the
    greatest first; `-received` if it is not given."""
    return Query(
        sender,
        recipient,
        domain,
        subject,
        text,
        reason,
        state,
        symbol,
        virus,
        seconds(since),
        seconds(until),
        score_from,
        score_to,
        pinned,
        limit,
        after,
        sort=sort,
        seen=seen,
    )


@overload
def seconds(time: datetime) -> float: ...


@overload
def seconds(time: datetime | None) -> float | None: ...


def seconds(time: datetime | None) -> float | None:
    """Seconds since 1970; None for None."""
    if time is None:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def moment(seconds: float) -> str:
    """Seconds since 1970 as a time in UTC (RFC 3339). Raises ValueError, OverflowError for a year
    before 1 or behind 9999."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def plain_row(row: Row, reviewer: Reviewer, *, seen: bool) -> dict[str, Any]:
    """A line of a list, without the file's place and without recipients of others."""
    plain = {**row.to_json(), "seen": seen}
    del plain["path"]
    plain["recipients"] = list(reviewer.within(row.recipients))
    return plain


def plain_entry(entry: Entry, reviewer: Reviewer) -> dict[str, Any]:
    """All that is known of a message, without recipients that are not the reviewer's."""
    value = within(entry.to_json(), reviewer)
    value["verdict"] = seen_sentence(entry, reviewer)
    if not reviewer.sees_all:
        # The MTA's macros name a recipient too.
        del value["macros"]
    return value


def plain_report(report: ScanReport, reviewer: Reviewer) -> dict[str, Any]:
    """A report without recipients that are not the reviewer's."""
    return within(plain(report), reviewer) | {"verdict": seen_sentence(report, reviewer)}


def plain_record(record: Record, reviewer: Reviewer) -> dict[str, Any]:
    """A record of the history without recipients that are not the reviewer's."""
    value = within(record.to_json(), reviewer)
    return value | {"verdict": seen_sentence(record, reviewer)}


def plain_timeline(told: Timeline, reviewer: Reviewer) -> dict[str, Any]:
    """The timeline as `timeline`, and for admins as `log_trouble` why the MTA's log cannot be
    read."""
    value: dict[str, Any] = {"timeline": [step.to_json() for step in told.steps]}
    if told.trouble and reviewer.is_admin:
        value["log_trouble"] = [without_folders(one) for one in told.trouble]
    return value


def within(value: dict[str, Any], reviewer: Reviewer) -> dict[str, Any]:
    """The plain value of a message without recipients that are not the reviewer's."""
    if reviewer.sees_all:
        return value
    own = set(reviewer.within(value["recipients"]))
    for name in ("recipients", "held_for", "dropped"):
        if name in value:
            value[name] = [one for one in value[name] if one in own]
    value["outcomes"] = [one for one in value["outcomes"] if one["recipient"] in own]
    return value
