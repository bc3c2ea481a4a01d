"""What people type into the one search: words, phrases and conditions, and which message fits them.

    invoice "red shoes" from:shop.example file:report.pdf since:2026-11-23

All must hold, in any order. A word stands for itself anywhere in what is known of a message, also
as a part of a longer word; capitals do not count.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from filterd.message.address import readable_part
from filterd.message.envelope import ip
from filterd.quarantine.words import ACTIONS, REASONS, SEARCH_STATES, known
from filterd.system import zone

TEXT_LIMIT = 500
"""Characters of a search."""

TERMS_LIMIT = 20
"""Words, phrases and conditions of one."""

TEXTS = ("from", "to", "subject", "id", "client", "file", "virus")
"""What a word is looked for in, and conditions of that name.

from: the sender of the envelope, and the header's From. to: recipients. id: filterd's, the MTA's
queue id, Message-ID. file: names of attachments.
"""

WORDS: Mapping[str, tuple[str, ...]] = {
    "action": ACTIONS,
    "reason": REASONS,
    "state": SEARCH_STATES,
}
"""Conditions that take one of some words; reason and state are of kept messages only."""

CONDITIONS = (*TEXTS, "symbol", *WORDS, "since", "until")

# A word, or a condition, whose value may be in quotation marks; each character is taken once.
_TERM = re.compile(r'(?:(?P<name>[A-Za-z]+):)?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+))?')


class SearchError(ValueError):
    """A search that cannot be understood, in words for the person who typed it."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase that must be there. field: one of `TEXTS`, empty for any. texts: how it may
    be spelled, as `folded` has it; one is enough."""

    field: str
    texts: tuple[str, ...]

    def fits(self, document: Mapping[str, str]) -> bool:
        """True if it is in what is known of a message: its folded texts by field."""
        fields = (self.field,) if self.field else TEXTS
        return any(text in document[name] for name in fields for text in self.texts)

    def pieces(self) -> list[tuple[str, ...]]:
        """What every text that fits has in it, however its blanks and accents are written: for each
        piece its spellings, of which one is enough."""
        if len(self.texts) == 1:
            return [_spellings(piece) for piece in self.texts[0].split(" ")]
        # Several spellings of one address, which has no blanks.
        longest = (max(text.split(" "), key=len) for text in self.texts)
        return [tuple(dict.fromkeys(one for piece in longest for one in _spellings(piece)))]


@dataclass(frozen=True, slots=True)
class SearchConditions:
    """Conditions that must all hold; empty and None are left out. symbols: whole names. since,
    until: seconds since 1970, `until` not included."""

    terms: tuple[Term, ...] = ()
    symbols: tuple[str, ...] = ()
    action: str = ""
    reason: str = ""
    state: str = ""
    since: float | None = None
    until: float | None = None


def folded(text: str) -> str:
    """The text as searches compare it: composed (NFC), casefolded, each run of blanks as one. Zero-
    width joiners and non-joiners are letters of their words, and stay."""
    composed = unicodedata.normalize("NFC", text).casefold()
    return " ".join(unicodedata.normalize("NFC", composed).split())


def document(texts: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """What is known of a message, by field, as `Term.fits` takes it."""
    return {name: "\n".join(map(folded, texts.get(name, ()))) for name in TEXTS}


def read(text: str) -> SearchConditions:
    """The search that somebody typed. Raises SearchError."""
    if len(text) > TEXT_LIMIT:
        raise SearchError(f"expected a search of at most {TEXT_LIMIT} characters")
    if text.count('"') % 2:
        raise SearchError('a quotation mark is missing: expected "…" around each phrase')
    terms: list[Term] = []
    symbols: list[str] = []
    single: dict[str, str] = {}
    for name, value, number in _terms(text):
        if number > TERMS_LIMIT:
            raise SearchError(f"expected at most {TERMS_LIMIT} words and conditions")
        if not value:
            expected = f"expected a value behind it, such as {_example(name)}" if name else ""
            raise SearchError(f"{name}: {expected}" if name else 'expected a text between ""')
        if name in ("", *TEXTS):
            terms.append(_term(name, value))
        elif name == "symbol":
            symbols.append(value)
        elif single.setdefault(name, value) != value:
            raise SearchError(f"{name}: is there twice; expected it once")
    moments = {name: _moment(name, single.pop(name, "")) for name in ("since", "until")}
    try:
        for name, words in WORDS.items():
            known(name, single.get(name, ""), words)
    except ValueError as error:
        raise SearchError(str(error)) from None
    return SearchConditions(tuple(terms), tuple(symbols), **single, **moments)  # type: ignore[arg-type]


def _terms(text: str) -> Iterable[tuple[str, str, int]]:
    """Name (empty for none) and value of each word, phrase and condition, and its number."""
    position, number = 0, 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        found = _TERM.match(text, position)
        assert found is not None
        number += 1
        # A quotation mark within a word ends it.
        position = max(found.end(), position + 1)
        name, phrase, word = found["name"] or "", found["phrase"], found["word"]
        value = phrase if phrase is not None else word or ""
        if name and name.lower() not in CONDITIONS:
            if phrase is None and (not value or _is_text(name, value)):
                yield "", f"{name}:{value}", number
                continue
            raise SearchError(_unknown(name))
        yield name.lower(), value.strip(), number


def _is_text(name: str, value: str) -> bool:
    """True for what has a colon and is not a condition: an address of IPv6, a URL."""
    return value.startswith("//") or ip(f"{name}:{value}") is not None


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower()[:20], CONDITIONS, 1)
    hint = f" (did you mean {near[0]}:?)" if near else ""
    listed = ", ".join(f"{one}:" for one in CONDITIONS)
    return (
        f"{name[:20]}: is unknown{hint}; expected {listed}; "
        "to look for it as text, put it in quotation marks"
    )


def _term(name: str, value: str) -> Term:
    texts = [folded(value)]
    if name in ("", "from", "to") and " " not in value:
        # Addresses have one spelling where they are kept.
        texts.append(folded(readable_part(value)))
    return Term(name, tuple(dict.fromkeys(filter(None, texts))) or (value,))


def _spellings(piece: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((piece, unicodedata.normalize("NFD", piece))))


def _moment(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        return zone.at(datetime.fromisoformat(text))
    except (ValueError, OverflowError, OSError):
        raise SearchError(f"{name}: no date; expected {_example(name)}") from None


def _example(name: str) -> str:
    values = {
        "from": "shop.example",
        "to": "ann@mx.example",
        "subject": '"red shoes"',
        "client": "192.0.2.7",
        "file": "report.pdf",
        "virus": "Eicar",
        "symbol": "BAYES_99",
        "action": "reject",
        "reason": "spam",
        "state": "held",
        "since": "2026-11-23 or 2026-11-23T12:00",
        "until": "2026-11-23 or 2026-11-23T12:00",
    }
    return f"{name}:{values.get(name, '4cbdb56t4MzPjfw')}"
