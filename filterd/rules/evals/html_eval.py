"""Tests of the HTML in a message. Source: Mail::SpamAssassin::Plugin::HTMLEval(3pm)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from filterd.rules.conf.rule import RulePattern
from filterd.rules.evals.locales import is_charset_ok, ok_locales
from filterd.rules.evals.registry import Plugin
from filterd.rules.patterns import compile_pattern

if TYPE_CHECKING:
    from filterd.rules.view.html import HtmlInfo
    from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::HTMLEval")

_COMPARISON = re.compile(r"\s*(==|!=|<=|>=|<|>)\s*([+-]?\d{1,15})\s*", re.ASCII)
_NOT_LATIN = re.compile(r"[^\x00-\xff]")


def _holds(value: float, comparison: str) -> bool:
    match = _COMPARISON.fullmatch(comparison)
    if match is None:
        raise ValueError(f"expected a comparison like '> 0', not {comparison!r}")
    other = int(match[2])
    return {
        "==": value == other,
        "!=": value != other,
        "<=": value <= other,
        ">=": value >= other,
        "<": value < other,
        ">": value > other,
    }[match[1]]


@PLUGIN.test("html_tag_balance")
def html_tag_balance(view: View, tag: str, comparison: str) -> bool:
    """True if so many elements of the name are still open at the end."""
    return any(_holds(info.inside[tag], comparison) for info in view.html if tag in info.inside)


@PLUGIN.test("html_tag_exists")
def html_tag_exists(view: View, tag: str) -> bool:
    """True if there is such an element."""
    return any(tag in info.inside for info in view.html)


@PLUGIN.test("html_image_only")
def html_image_only(view: View, low: str, high: str) -> bool:
    """True if a document of more than `low` characters up to `high` has a picture."""
    return any(
        "img" in info.inside and float(low) < info.numbers["length"] <= float(high)
        for info in view.html
    )


@PLUGIN.test("html_image_ratio")
def html_image_ratio(view: View, low: str, high: str) -> bool:
    """True if the characters of text for each point of the pictures are in that range."""
    for info in view.html:
        area = info.numbers["image_area"]
        if area > 0 and float(low) < info.numbers["non_space_len"] / area <= float(high):
            return True
    return False


@PLUGIN.test("html_charset_faraway")
def html_charset_faraway(view: View) -> bool:
    """True if most charsets that a document names are not of `ok_locales`."""
    locales = ok_locales(view)
    if "all" in locales:
        return False
    for info in view.html:
        known = [is_charset_ok(charset, locales) for charset in " ".join(info.charsets).split()]
        if known and known.count(False) >= max(known.count(True), 1):
            return True
    return False


@PLUGIN.test("html_test")
def html_test(view: View, name: str) -> bool:
    """True if that was found in a document."""
    return any(info.numbers.get(name) or _texts(info, name) for info in view.html)


@PLUGIN.test("html_eval")
def html_eval(view: View, name: str, comparison: str) -> bool:
    """True if that number of a document is so."""
    return any(_holds(info.numbers[name], comparison) for info in view.html if name in info.numbers)


@PLUGIN.test("html_range")
def html_range(view: View, name: str, low: str, high: str = "inf") -> bool:
    """True if that number is more than `low`, and no more than `high`."""
    return any(
        float(low) < info.numbers[name] <= float(high) for info in view.html if name in info.numbers
    )


@PLUGIN.test("html_text_match")
def html_text_match(view: View, name: str, pattern: str) -> bool:
    """True if the pattern matches one of the comments, titles, anchors or scripts."""
    compiled = compile_pattern(RulePattern(pattern))
    return any(
        compiled.search(text) is not None for info in view.html for text in _octets(info, name)
    )


@PLUGIN.test("html_text_not_match")
def html_text_not_match(view: View, name: str, pattern: str) -> bool:
    """True if the pattern does not match one of them."""
    compiled = compile_pattern(RulePattern(pattern))
    return any(compiled.search(text) is None for info in view.html for text in _octets(info, name))


@PLUGIN.test("html_title_subject_ratio")
def html_title_subject_ratio(view: View, ratio: str) -> bool:
    """True if a title is so many times as long as the Subject."""
    subject = view.header("Subject") or b""
    return bool(subject) and any(
        len(title) / len(subject) > float(ratio) for info in view.html for title in info.titles
    )


@PLUGIN.test("check_iframe_src")
def check_iframe_src(view: View) -> bool:
    """True if an `iframe` shows another document."""
    return any("iframe" in link.types for info in view.html for link in info.links.values())


def _texts(info: HtmlInfo, name: str) -> list[str]:
    match name:
        case "comment":
            return info.comments
        case "title":
            return info.titles
        case "anchor":
            return info.anchors
        case "script":
            return info.scripts
    return []


def _octets(info: HtmlInfo, name: str) -> Iterator[bytes]:
    """Texts with an octet for each character: rules count characters here."""
    for text in _texts(info, name):
        if text.isascii():
            yield text.encode("ascii")
        else:
            yield _NOT_LATIN.sub("\xfe", text).encode("latin-1")
