"""TextCat: the language of a message's text, by its most frequent groups of letters.

The profiles are those in SpamAssassin's file `languages`, read where it is installed; filterd has
none of its own, so that the same file gives the same answers, and no library is needed. Without
the file `check_language` never hits. Source: Mail::SpamAssassin::Plugin::TextCat(3); W. Cavnar and
J. Trenkle, "N-Gram-Based Text Categorization" (1994).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::TextCat",
    *("ok_languages", "inactive_languages", "textcat_max_languages", "textcat_optimal_ngrams"),
    *("textcat_max_ngrams", "textcat_acceptable_score"),
)

PLACES = ("/usr/share/spamassassin/languages", "/usr/local/share/spamassassin/languages")
"""Where the file of profiles is looked for."""

FILE_LIMIT = 4_000_000
"""Octets of that file."""

TEXT_LIMIT = 10_000
"""Octets of text that are looked at."""

LEAST_TEXT = 256
"""Octets of text below which nothing is said."""

RUN = 8
"""Octets beyond ASCII in a row that `check_body_8bits` takes for another script."""

_INACTIVE = "bs cy eo et eu fy ga gd is la lt lv rm sa sco sl yi"
_BEYOND_ASCII = frozenset(
    "am ar be bg cs el et fa fi he hi hy is ja ka ko mr pt ru ta th tr uk vi yi zh".split()
)
_PREFIXES = re.compile(rb"(?:[a-z]{2,12}:\s*+){1,10}", re.IGNORECASE)
_LINK = re.compile(rb"https?(?:://|:&#x2F;&#x2F;|%3A%2F%2F)\S{1,1024}")
_ADDRESS = re.compile(rb"\S{1,64}?@[a-zA-Z]\S{1,128}")
_HOST = re.compile(rb"\bwww\.\S{1,128}")
_WORD = re.compile(rb"[^0-9\s\-!\"#$%&()*+,./:;<=>?@\[\\\]^_`{|}~]+")
_LONG_WORD = re.compile(rb"[a-zA-Z\xc0-\xd6\xd8-\xde\xe0-\xf6\xf8-\xfe]{4}")
_UPPER = bytes([*range(0x41, 0x5B), *range(0xC0, 0xD7), *range(0xD8, 0xDF)])
_TO_LOWER = bytes.maketrans(_UPPER, bytes(octet | 0x20 for octet in _UPPER))
_HIGH_RUN = re.compile(rb"[\x80-\xff]{%d}" % RUN)


def read_profiles(data: bytes) -> dict[str, dict[bytes, int]]:
    """The profiles of a file `languages`: rank by group of letters, by language."""
    profiles: dict[str, dict[bytes, int]] = {}
    ranks: dict[bytes, int] = {}
    for line in data.split(b"\n"):
        if line.startswith(b"0 ") and len(line) > 2:
            profiles[line[2:].decode("latin-1")] = ranks
            ranks = {}
        else:
            ranks[line] = len(ranks) + 1
    return profiles


@cache
def _profiles() -> Mapping[str, Mapping[bytes, int]]:
    for place in PLACES:
        try:
            with Path(place).open("rb") as file:
                return read_profiles(file.read(FILE_LIMIT))
        except OSError:
            continue
    return {}


def frequent(text: bytes, most: int, least_count: int = 0) -> list[bytes]:
    """The most frequent groups of one to five octets in the words of a text, falling."""
    counts: Counter[bytes] = Counter()
    words = Counter(_lowered(word) for word in _WORD.findall(text))
    for word, count in words.items():
        marked = b"\0" + word + b"\0"
        size = len(marked)
        for start in range(size):
            for end in range(start + 1, min(start + 5, size) + 1):
                counts[marked[start:end]] += count
    groups = sorted(group for group, count in counts.items() if count > least_count)
    return sorted(groups, key=counts.__getitem__, reverse=True)[:most]


def _lowered(word: bytes) -> bytes:
    # Short words in capitals are abbreviations.
    has_capital = re.search(rb"[A-Z]", word) is not None
    return word.translate(_TO_LOWER) if has_capital and _LONG_WORD.search(word) else word


def plain_text(view: View) -> bytes:
    """The text without what belongs to no language: links, addresses, `Re:`."""
    text = b"\n".join(view.body)
    if (prefixes := _PREFIXES.match(text)) is not None:
        text = text[prefixes.end() :]
    for pattern in (_LINK, _ADDRESS, _HOST):
        text = pattern.sub(b" ", text[: 4 * TEXT_LIMIT])
    return text[:TEXT_LIMIT]


def languages(view: View) -> tuple[str, ...]:
    """The languages that the text may be in, the likeliest first; none if it is unclear."""
    found = view.notes.get("text_cat")
    if not isinstance(found, tuple):
        found = view.notes["text_cat"] = _languages(view, plain_text(view))
    return found


def _languages(view: View, text: bytes) -> tuple[str, ...]:
    if len(text) < LEAST_TEXT:
        return ()
    skipped = set(_option(view, "inactive_languages", _INACTIVE).split())
    skipped -= set(_option(view, "ok_languages", "all").split())
    most = int(_option(view, "textcat_max_ngrams", "400"))
    groups = frequent(text, most, int(_option(view, "textcat_optimal_ngrams", "0")))
    distances: dict[str, int] = {}
    for language, ranks in _profiles().items():
        short = language.partition(".")[0]
        if short in skipped:
            continue
        name = short if language.find(".utf8") > 0 else language
        distance = sum(
            [
                abs(rank - index) if (rank := ranks.get(group)) is not None else most
                for index, group in enumerate(groups)
            ]
        )
        distances[name] = min(distance, distances.get(name, distance))
    ordered = sorted(distances, key=distances.__getitem__)
    if not ordered:
        return ()
    bound = float(_option(view, "textcat_acceptable_score", "1.02")) * distances[ordered[0]]
    near = [ordered[0], *(name for name in ordered[1:] if distances[name] < bound)]
    return tuple(near) if len(near) <= int(_option(view, "textcat_max_languages", "3")) else ()


def _option(view: View, name: str, default: str) -> str:
    lines = view.options.get(name, ())
    return lines[-1].value if lines else default


@PLUGIN.test("check_language")
def check_language(view: View) -> bool:
    """The text is in none of the `ok_languages`."""
    wanted = _option(view, "ok_languages", "all").split()
    if "all" in wanted:
        return False
    found = languages(view)
    # A short text in English is easily taken for Scots.
    is_short = len(plain_text(view)) < 1024 * len(found)
    alike = {"sco": "en"} if is_short else {}
    short = {alike.get(name, name) for name in (name.partition(".")[0] for name in found)}
    return bool(found) and not short & {alike.get(name, name) for name in wanted}


@PLUGIN.test("check_body_8bits")
def check_body_8bits(view: View) -> bool:
    """Many octets beyond ASCII in a row, where no wanted language needs them."""
    wanted = set(_option(view, "ok_languages", "all").split())
    if "all" in wanted or wanted & _BEYOND_ASCII:
        return False
    return any(_HIGH_RUN.search(line) is not None for line in view.body)
