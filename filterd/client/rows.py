"""What the REST interface answers, as types; the values are what `json` reads.

Answers may have more in them than these types name: `/api/openapi.json` has all.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

SearchAction = Literal[
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
"""What can be done with all messages that a search finds."""

SenderKind = Literal["allow", "block"]


class KeptRow(TypedDict):
    """A kept message as a list shows it. received: RFC 3339. seen: by this token."""

    id: str
    received: str
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


class ActionRow(TypedDict):
    """What became of one message of an action."""

    id: str
    ok: bool
    words: str
    detail: dict[str, Any]


class ActedRows(TypedDict):
    """What became, or in a dry run could become, of what a search found. more: it finds others."""

    results: list[ActionRow]
    dry_run: bool
    more: bool


class SenderRow(TypedDict):
    """An entry of the list of senders. effect: in words; trouble: why it has none."""

    line: int
    kind: SenderKind
    sender: str
    recipient: str
    proven: bool
    note: str
    effect: str
    trouble: str


class SenderMeaningRow(TypedDict):
    """What a sender of BATV, SRS or VERP stands for."""

    scheme: str
    pattern: str


class SenderChangeRow(TypedDict):
    """What came of a change in the list of senders."""

    words: str
    changed: bool


class ListLineRow(TypedDict):
    """A line of a local list."""

    line: int
    entry: str
    recipient: str
    note: str
    mistake: str


class ListChangeRow(TypedDict):
    """What came of a change in a local list. version: of the file as it is now."""

    version: str
    line: int
    words: str


class HeldSenderRow(TypedDict):
    """Whose mail is held. since, until: seconds since 1970."""

    by: str
    party: str
    why: str
    since: float
    until: float


class FlowBinRow(TypedDict):
    """Messages by action in one stretch of time."""

    start: str
    messages: dict[str, int]


class FlowRow(TypedDict):
    """Messages by action over time. oldest: how far back the history goes."""

    oldest: str | None
    totals: dict[str, int]
    bins: list[FlowBinRow]


class ReadyRow(TypedDict):
    """Whether mail can be filtered now, and what works."""

    status: Literal["ok", "failed"]
    checks: dict[str, bool]


class CountRow(TypedDict):
    """Kept messages of one reason and state."""

    reason: str
    state: str
    messages: int
    octets: int


AccountRole = Literal["admin", "reviewer", "helpdesk", "auditor", "user"]
AccountKind = Literal["account", "token"]


class ReleaseRequestRow(TypedDict):
    """A message that a recipient asks for. asked: since when. message: as `messages` has it."""

    id: str
    recipient: str
    asked: str
    note: str
    message: dict[str, Any]


class RequestAnswerRow(TypedDict):
    """What came of an answer."""

    id: str
    recipient: str
    ok: bool
    words: str


class AccountRow(TypedDict):
    """An account or token. factor: it has a second factor."""

    name: str
    role: str
    domains: list[str]
    recipients: list[str]
    made: str
    factor: bool


class AllAccountsRow(TypedDict):
    """By name."""

    accounts: list[AccountRow]
    tokens: list[AccountRow]
