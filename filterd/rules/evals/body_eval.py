"""Tests of the text of a message. Source: Mail::SpamAssassin::Plugin::BodyEval(3pm)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from filterd.rules.evals.registry import Plugin
from filterd.rules.view.body import BLANKS, WIDE_BLANKS
from filterd.rules.view.rawbody import pieces_of

if TYPE_CHECKING:
    from filterd.rules.view.parts import PartView
    from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::BodyEval")

NO_SIGNATURE = 1e6
"""Ratio of text and signature where there is no signature."""

_DELIMITER = re.compile(rb"^-- ?\r?$", re.MULTILINE)
_WORDS = {
    False: re.compile(f"[^{BLANKS}]+"),
    True: re.compile(f"[^{WIDE_BLANKS}]+"),
}
_LETTER = re.compile(r"\w", re.ASCII)
# What else Perl's `\w` is in wide text (perlrecharclass(1)): no superscript two.
_LETTERS = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "Pc"))
_JOINERS = "\u200c\u200d"
_LABEL = re.compile(r"([^:\s][^:\n]{2,29}):\s*+\S")
_NOT_LETTERS = re.compile("[^a-z]+")


# Multipart alternatives


class _Difference(NamedTuple):
    """per_cent: of the words of the HTML, those that the text has not. html, text: how many
    different words they have."""

    per_cent: float = 0.0
    html: int = 0
    text: int = 0


@PLUGIN.test("multipart_alternative_difference")
def multipart_alternative_difference(view: View, low: str, high: str) -> bool:
    """True if more than `low` per cent of the HTML's words, up to `high`, are not in the text."""
    found = _difference(view).per_cent
    return (float(low) == 0 or found > float(low)) and (high == "undef" or found <= float(high))


@PLUGIN.test("multipart_alternative_difference_count")
def multipart_alternative_difference_count(view: View, ratio: str, least: str) -> bool:
    """True if the text has more than `ratio` times the words of the HTML."""
    found = _difference(view)
    return found.html > float(least) and found.text / found.html > float(ratio)


def _difference(view: View) -> _Difference:
    found = view.notes.get("multipart_alternative_difference")
    if not isinstance(found, _Difference):
        found = view.notes["multipart_alternative_difference"] = _differing(view)
    return found


def _differing(view: View) -> _Difference:
    root = view.parts
    groups = [part for part in root.walk() if part.type == "multipart/alternative"]
    summary = ["text/html", "text/calendar"]
    if not groups or (groups[0] is root and _summary(root) == summary):
        return _Difference()
    most, html_words, text_words = 0.0, 0, 0
    for group in groups:
        html, text = _words_of(view, group)
        if html:
            html_words, text_words = len(html), len(text)
            left = sum(
                count > text.get(word, 0) or word not in text for word, count in html.items()
            )
            most = max(most, left / len(html) * 100)
    return _Difference(most, html_words, text_words)


def _summary(root: PartView) -> list[str]:
    return [",".join(part.type for part in child.walk()) for child in root.children or ()]


def _words_of(view: View, group: PartView) -> tuple[Counter[str], Counter[str]]:
    html: Counter[str] = Counter()
    text: Counter[str] = Counter()
    for part in group.walk():
        rendered = view.texts.of(part) if part.type.startswith("text/") else None
        if rendered is None:
            continue
        wide = rendered.is_wide
        words = Counter(
            word
            for word in _WORDS[wide].findall(rendered.text)
            if _LETTER.search(word) or (wide and _has_wide_letter(word))
        )
        if part.effective_type != "text/html":
            text += words
            continue
        html += words
        if not html and rendered.html is not None and "img" in rendered.html.inside:
            html["\n"] = 1  # a picture instead of words
    return html, text


def _has_wide_letter(word: str) -> bool:
    return any(unicodedata.category(one) in _LETTERS or one in _JOINERS for one in word)


# Lines and blanks


@PLUGIN.test("check_blank_line_ratio")
def check_blank_line_ratio(view: View, low: str, high: str, least: str = "1") -> bool:
    """True if more than `low` per cent of the lines, up to `high`, are blank, of at least `least`
    lines."""
    blank, lines = _blank_lines(view)
    ratio = -1.0 if lines < max(float(least), 1) else 100 * blank / lines
    return ratio <= float(high) and (float(low) == 0 or ratio > float(low))


def _blank_lines(view: View) -> tuple[int, int]:
    found = view.notes.get("blank_lines")
    if not isinstance(found, tuple):
        blank = lines = 0
        for chunk in view.rawbody:
            every = chunk.split(b"\n")
            if not every[-1]:
                every.pop()
            lines += len(every)
            blank += sum(not line.strip() for line in every)
        found = view.notes["blank_lines"] = blank, lines
    return found


@PLUGIN.test("tvd_vertical_words")
def tvd_vertical_words(view: View, low: str, high: str) -> bool:
    """True if the paragraph with most blanks has from `low` to less than `high` per cent of them,
    counted against what is none."""
    most = -1
    for paragraph in view.body:
        if len(paragraph) > 5:
            blanks = paragraph.count(b" ")
            others = len(paragraph) - blanks
            most = max(most, 100 if blanks > others or not others else 100 * blanks // others)
    return int(low) <= most < (101 if int(high) >= 100 else int(high))


# Stock tips


def _gapped(word: str) -> str:
    """A word, also with a letter between any two of its own."""
    return r"\w?".join(word)


_STOCK = re.compile(
    "("
    + "|".join(
        (
            "^tradedate",
            "^tradingdate",
            "companyname",
            "company",
            r"s\w?" + _gapped("tock"),
            r"s\w?" + _gapped("ymbol"),
            r"s\w?" + _gapped("ym"),
            "target",
            "ticker",
            "openingprice",
            "openingp",
            "currentprice",
            "currentp",
            "projected",
            "position",
            "expectations",
            "weekhigh",
            "weekshigh",
            "marketperformance",
            "(?:year|week|month|day|price)(?:target|estimates?)",
            "sector",
            "recommendation",
            "rating",
        )
    )
    + ")$"
)


@PLUGIN.test("check_stock_info")
def check_stock_info(view: View, least: str) -> bool:
    """True if the first plain text has so many different labels of a share's data sheet."""
    found = view.notes.get("stock_info")
    if not isinstance(found, int):
        found = view.notes["stock_info"] = _stock_labels(view)
    return float(least) == 0 or found >= float(least)


def _stock_labels(view: View) -> int:
    part = next((part for part in view.parts.walk() if part.type == "text/plain"), None)
    rendered = view.texts.of(part) if part is not None else None
    if rendered is None:
        return 0
    labels: set[str] = set()
    for piece in pieces_of(rendered.text):
        for line in piece.split("\n"):
            match = _LABEL.match(line.lstrip())
            if match is not None:
                name = _STOCK.search(_NOT_LETTERS.sub("", match[1].lower()))
                if name is not None:
                    labels.add(name[1])
    return len(labels)


# Lengths


@PLUGIN.test("check_body_length")
def check_body_length(view: View, most: str) -> bool:
    """True if the body, as it came, has no more than so many octets."""
    return len(view.parts.body_octets) <= float(most)


@PLUGIN.test("plaintext_body_length")
def plaintext_body_length(view: View, low: str, high: str = "inf") -> bool:
    """True if the first plain text without its signature has so many octets."""
    lengths = _lengths(view)
    return lengths is not None and float(low) <= lengths[0] <= float(high)


@PLUGIN.test("plaintext_sig_length")
def plaintext_sig_length(view: View, low: str, high: str = "inf") -> bool:
    """True if its signature has so many octets."""
    lengths = _lengths(view)
    return lengths is not None and float(low) <= lengths[1] <= float(high)


@PLUGIN.test("plaintext_body_sig_ratio")
def plaintext_body_sig_ratio(view: View, low: str, high: str = "1e6") -> bool:
    """True if the text is so many times as long as the signature."""
    lengths = _lengths(view)
    if lengths is None:
        return False
    ratio = lengths[0] / lengths[1] if lengths[1] else NO_SIGNATURE
    return float(low) <= ratio <= float(high)


def _lengths(view: View) -> tuple[int, int] | None:
    """Octets of the first plain text and of its signature; None if there is none."""
    part = next((part for part in view.parts.walk() if part.type.startswith("text/plain")), None)
    if part is None or not part.is_leaf:
        return None
    text = part.content
    body, signature = len(text), 0
    for match in _DELIMITER.finditer(text):
        if len(text) - match.end() > 4:
            body, signature = match.start(), len(text) - match.end()
    return body, signature
