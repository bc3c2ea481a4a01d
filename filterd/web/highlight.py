"""The classifier's strongest words, marked where they stand in a message's text.

Only what the explanation names is marked, and only what it found in the text: words, pairs of
adjacent words, and words with one or two others between them, cut as the classifier cuts them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape, unescape
from typing import Literal

from filterd.bayes.model.explain import WORD_WIDTH, Clue, Explanation

PLACES = 10
"""In which a clue is marked in one part; the classifier counts it for the first one."""

SPAM: Literal["spam"] = "spam"
HAM: Literal["ham"] = "ham"

TITLES = {SPAM: "for spam", HAM: "for ham"}

_WORD = re.compile("[A-Za-z0-9$'!%_\x80-\U0010ffff-]+")
"""As the classifier cuts octets: whatever is not ASCII belongs to a word."""

_TAG = re.compile(r'<(?:"[^"]*+"|[^"<>]++)*+>')
"""A tag as nh3 writes it: its values stand in double quotes."""

_SKIP = " … "


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a text. side: `spam` or `ham` for a word that is marked, else empty."""

    text: str
    side: Literal["spam", "ham", ""] = ""


@dataclass(frozen=True, slots=True)
class _Token:
    text: int
    start: int
    end: int
    word: str


class Highlighter:
    """Marks what one explanation names."""

    def __init__(self, why: Explanation) -> None:
        found = [one for one in (*why.spam, *why.ham) if one.origin == "text"]
        self._clues = sorted(found, key=_order)

    def __bool__(self) -> bool:
        """Whether there is anything to mark."""
        return bool(self._clues)

    def pieces(self, text: str) -> list[Piece]:
        """The text in pieces, which together are the text."""
        return next(self._cut([text]))

    def html(self, cleaned: str) -> str:
        """HTML that nh3 has sanitized, with the words marked. Tags stay as they are."""
        tags = _TAG.findall(cleaned)
        texts = [unescape(one) for one in _TAG.split(cleaned)]
        marked = ["".join(map(_marked, pieces)) for pieces in self._cut(texts)]
        tags.append("")
        return "".join(text + tag for text, tag in zip(marked, tags, strict=True))

    def _cut(self, texts: Sequence[str]) -> Iterator[list[Piece]]:
        tokens = [
            _Token(number, found.start(), found.end(), _shown(found[0]))
            for number, text in enumerate(texts)
            for found in _WORD.finditer(text)
        ]
        sides = self._sides([one.word for one in tokens])
        marks: dict[int, list[tuple[_Token, Literal["spam", "ham"]]]] = {}
        for place in sorted(sides):
            marks.setdefault(tokens[place].text, []).append((tokens[place], sides[place]))
        for number, text in enumerate(texts):
            yield _pieces(text, marks.get(number, []))

    def _sides(self, words: Sequence[str]) -> dict[int, Literal["spam", "ham"]]:
        """By the place of a word its side."""
        places: dict[str, list[int]] = {}
        for place, word in enumerate(words):
            places.setdefault(word, []).append(place)
        found: dict[int, Literal["spam", "ham"]] = {}
        times: Counter[Clue] = Counter()
        for clue in self._clues:
            first, *others = re.split(f"{_SKIP}| ", clue.word)
            for place in places.get(first, ()):
                if times[clue] == PLACES:
                    break
                ends = _ends(words, place, others, is_skip=_SKIP in clue.word)
                if ends is None:
                    continue
                times[clue] += 1
                for one in ends:
                    found.setdefault(one, SPAM if clue.weight > 0 else HAM)
        return found


def _order(clue: Clue) -> tuple[int, float]:
    """Words by themselves first: one that is a clue is marked as that, also within a pair."""
    return (_SKIP in clue.word) * 2 + (" " in clue.word), -abs(clue.weight)


def _ends(
    words: Sequence[str], place: int, others: Sequence[str], *, is_skip: bool
) -> list[int] | None:
    """The places of a clue's words where its first one is at `place`; None if the other one is not
    where it should be."""
    if not others:
        return [place]
    for distance in (2, 3) if is_skip else (1,):
        other = place + distance
        if other < len(words) and words[other] == others[0]:
            return [place, other]
    return None


def _pieces(text: str, marks: Sequence[tuple[_Token, Literal["spam", "ham"]]]) -> list[Piece]:
    found, done = [], 0
    for token, side in marks:
        if token.start > done:
            found.append(Piece(text[done : token.start]))
        found.append(Piece(text[token.start : token.end], side))
        done = token.end
    if done < len(text) or not found:
        found.append(Piece(text[done:]))
    return found


def _marked(piece: Piece) -> str:
    text = escape(piece.text)
    if not piece.side:
        return text
    return f'<mark class="{piece.side}" title="{TITLES[piece.side]}">{text}</mark>'


def _shown(word: str) -> str:
    """A word as the explanation shows it."""
    if not word.isprintable():
        word = "".join(c if c.isprintable() else "\ufffd" for c in word)
    return word if len(word) <= WORD_WIDTH else f"{word[: WORD_WIDTH - 1]}…"
