"""One search over kept mail and the history, merged, newest first.

The databases find what may fit, by words that stand anywhere in a row; what a reviewer may see of
each message is then compared with the search. So nothing is found by what is hidden, and a field
means the same in both. A message that is kept is one result, whether the history has it or not.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from filterd.database.search import Coarse
from filterd.database.symbols import symbol_spellings
from filterd.quarantine.candidates import Candidate, candidates, with_ids
from filterd.review.search_words import SearchConditions, SearchError, document
from filterd.review.seen import as_seen, has_symbol

if TYPE_CHECKING:
    from filterd.history import History, Record
    from filterd.review.access import Access

PAGE_LIMIT = 200
"""Results of one page at most."""

BATCH = 200
"""Rows that are read at a time, after a first page of them."""

SCAN_LIMIT = 1000
"""Rows of both tables together that are compared for one page; then it ends, and the next one goes
on from there. Most rows that the databases find fit; those do not that have the words elsewhere
than in the field that was named, or in what a reviewer may not see."""

Key = tuple[float, str]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One message. received: seconds since 1970. is_kept: the quarantine has it. what: of a kept
    message its state, of another one the action. recipients: those that the reader may know;
    hidden: the number of the others. subject: decoded; empty of a refusal before the message came,
    which has a `stage`. score: as the reader may know it."""

    id: str
    received: float
    is_kept: bool
    what: str
    reason: str
    sender: str
    header_from: str
    recipients: tuple[str, ...]
    hidden: int
    subject: str
    score: float
    virus: str
    stage: str = ""

    def to_json(self) -> dict[str, Any]:
        """The result as a plain value, the time as ISO 8601 in UTC."""
        return {**asdict(self), "received": datetime.fromtimestamp(self.received, UTC).isoformat()}


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Results, newest first; next: what `after` must be for those behind, empty at the end."""

    results: tuple[SearchResult, ...] = ()
    next: str = ""


def search(
    access: Access, history: History, wanted: SearchConditions, *, limit: int = 50, after: str = ""
) -> ResultPage:
    """One page of the messages that fit and that the reviewer may see. There may be fewer on it
    than `limit`, or none, and still a next one (`SCAN_LIMIT`).

    Raises SearchError, StoreError, HistoryError.
    """
    if not 1 <= limit <= PAGE_LIMIT:
        raise SearchError(f"limit is {limit}; expected 1 to {PAGE_LIMIT}")
    if wanted == SearchConditions():
        return ResultPage()
    coarse = Coarse(
        tuple(piece for term in wanted.terms for piece in term.pieces()),
        wanted.symbols,
        wanted.since,
        wanted.until,
        access.reviewer.visible,
        _place(after),
        limit + 1,
    )
    if wanted.reason or wanted.state:
        return _page([_kept(access, wanted, coarse)], limit)
    with ThreadPoolExecutor(1) as other:
        # Where few messages fit, each database reads all it has: at the same time, that is.
        first = other.submit(history.candidates, coarse, wanted.action)
        kept = _kept(access, wanted, coarse)
        recorded = _recorded(access, history, wanted, coarse, first)
        return _page([kept, recorded], limit)


def _page(sources: list[Iterator[tuple[Key, SearchResult | None]]], limit: int) -> ResultPage:
    """The first so many results of both."""
    found: list[SearchResult] = []
    last: Key | None = None
    merged = heapq.merge(*sources, key=lambda one: one[0], reverse=True)
    for key, result in islice(merged, SCAN_LIMIT):
        if result is not None:
            if len(found) == limit:
                return ResultPage(tuple(found), _end(found[-1]))
            found.append(result)
        last = key
    goes_on = last is not None and next(merged, None) is not None
    return ResultPage(tuple(found), f"{last[0]!r},{last[1]}" if goes_on and last else "")


def _end(result: SearchResult) -> str:
    return f"{result.received!r},{result.id}"


def _place(after: str) -> Key | None:
    if not after:
        return None
    received, comma, id = after.partition(",")
    try:
        if not comma:
            raise ValueError
        return float(received), id
    except ValueError:
        raise SearchError("after is not the `next` of a page") from None


def _kept(
    access: Access, wanted: SearchConditions, coarse: Coarse
) -> Iterator[tuple[Key, SearchResult | None]]:
    """Kept messages, newest first; None for one that does not fit."""
    while True:
        rows = candidates(
            access.index, coarse, action=wanted.action, reason=wanted.reason, state=wanted.state
        )
        for one in rows:
            yield (one.row.received, one.row.id), _of_kept(access, wanted, one)
        if len(rows) < coarse.limit:
            return
        last = rows[-1].row
        coarse = replace(coarse, before=(last.received, last.id), limit=BATCH)


def _recorded(
    access: Access,
    history: History,
    wanted: SearchConditions,
    coarse: Coarse,
    first: Future[list[Record]],
) -> Iterator[tuple[Key, SearchResult | None]]:
    """Messages of the history, newest first; None for one that does not fit, or that is found among
    kept ones. first: the first of them."""
    rows = first.result()
    while True:
        fitting = {one.id: one for one in rows if _fits_record(access, wanted, one)}
        kept = with_ids(access.index, list(fitting))
        for one in rows:
            result = None
            if one.id in fitting:
                other = kept.get(one.id)
                if other is None or not access.reviewer.may_see(other.row.recipients):
                    result = _of_record(access, one, is_kept=False)
                elif not _is_among_kept(access, wanted, other):
                    result = _of_record(access, one, is_kept=True)
            yield (one.received, one.id), result
        if len(rows) < coarse.limit:
            return
        coarse = replace(coarse, before=(rows[-1].received, rows[-1].id), limit=BATCH)
        rows = history.candidates(coarse, wanted.action)


def _is_among_kept(access: Access, wanted: SearchConditions, one: Candidate) -> bool:
    row = one.row
    return (
        (not wanted.action or row.action == wanted.action)
        and (wanted.since is None or row.received >= wanted.since)
        and (wanted.until is None or row.received < wanted.until)
        and _of_kept(access, wanted, one) is not None
    )


def _of_kept(access: Access, wanted: SearchConditions, one: Candidate) -> SearchResult | None:
    """The result for a kept message; None if it does not fit as the reviewer may see it."""
    row, own = one.row, access.reviewer.within(one.row.recipients)
    known = document(
        {
            "from": (row.sender, row.header_from),
            "to": own,
            "subject": (row.subject,),
            "id": (row.id, row.queue_id, row.message_id),
            "client": (row.client_address,),
            "file": one.attachments,
            "virus": (row.virus,),
        }
    )
    if not all(term.fits(known) for term in wanted.terms):
        return None
    row = access.seen(row)
    if any(set(row.symbols).isdisjoint(symbol_spellings(one)) for one in wanted.symbols):
        return None
    return SearchResult(
        row.id,
        row.received,
        True,
        row.state,
        row.reason,
        row.sender,
        row.header_from,
        own,
        len(row.recipients) - len(own),
        row.subject,
        row.score,
        row.virus,
    )


def _fits_record(access: Access, wanted: SearchConditions, record: Record) -> bool:
    seen = as_seen(record, access.reviewer)
    known = document(
        {
            "from": (record.sender, record.header_from),
            "to": access.reviewer.within(record.recipients),
            "subject": (record.subject,),
            "id": (record.id, record.queue_id, record.message_id),
            "client": (record.client,),
            "file": record.attachments,
            "virus": (record.virus,),
        }
    )
    return all(term.fits(known) for term in wanted.terms) and all(
        has_symbol(seen.symbols, name) for name in wanted.symbols
    )


def _of_record(access: Access, record: Record, *, is_kept: bool) -> SearchResult:
    own = access.reviewer.within(record.recipients)
    return SearchResult(
        record.id,
        record.received,
        is_kept,
        record.action,
        record.why,
        record.sender,
        record.header_from,
        own,
        len(record.recipients) - len(own),
        record.subject,
        as_seen(record, access.reviewer).score,
        record.virus,
        record.stage,
    )
