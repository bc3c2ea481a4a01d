"""The paragraphs and chunks that body and rawbody rules see."""

from __future__ import annotations

import pytest

from filterd.rules.view.body import LINE_LIMIT, BodyView
from filterd.rules.view.html_tokens import TOKEN_LIMIT
from filterd.rules.view.parts import parts_of
from filterd.rules.view.rawbody import CHUNK, PART_SIZE, rawbody

HTML = b"Subject: s\nContent-Type: text/html; charset=%s\n\n"


def paragraphs(message: bytes) -> tuple[bytes, ...]:
    return BodyView(parts_of(message)).paragraphs()


PARAGRAPHS: dict[str, tuple[bytes, tuple[bytes, ...]]] = {
    "Subject first": (b"Subject: a\n\nb\nc\n\n\nd\n", (b"a\n", b"b c\n", b"d ")),
    "without a Subject": (b"X: y\n\nb\n", (b"\n", b"b ")),
    "blanks": (b"Subject: a\n\nb \t c\n \n d\n", (b"a\n", b"b c\n", b" d ")),
    "NUL ends a paragraph": (b"Subject: a\n\nb\0c", (b"a\n", b"b\n", b"c")),
    "other charset": (
        b"Subject: a\nContent-Type: text/plain; charset=iso-8859-1\n\n\xe9\xa0x",
        (b"a\n", b"\xc3\xa9 x"),
    ),
    "a picture": (b"Subject: a\nContent-Type: image/png\n\nabc", (b"a\n",)),
    "HTML by its name": (
        b"Subject: a\nContent-Type: application/x; name=a.html\n\n<p>b</p>",
        (b"a\n", b"\n", b"b\n"),
    ),
}


@pytest.mark.parametrize(("message", "expected"), PARAGRAPHS.values(), ids=PARAGRAPHS)
def test_paragraphs(message: bytes, expected: tuple[bytes, ...]) -> None:
    assert paragraphs(message) == expected


RENDERED: dict[str, tuple[bytes, bytes]] = {
    "paragraphs": (b"<p>a</p><p>b</p>", b"\na\nb\n"),
    "line breaks": (b"a<br>b<br/>c", b"a b c"),
    "cells": (b"<table><tr><td>a</td><td>b</td></tr></table>", b" a b "),
    "entities": (
        b"&lt;a&gt; &amp; &eacute; &#233; &#x20ac; &eacutex &nosuch;",
        "<a> & é é € éx &nosuch;".encode(),
    ),
    "no-break spaces": (b"a&nbsp;b", b"a b"),
    "a comment": (b"a<!-- b -->c", b"ac"),
    "a comment without end": (b"a<!-- b > c", b"a c"),
    "a tag without end": (b"a <b", b"a "),
    "no tag": (b"1 < 2 <3", b"1 < 2 <3"),
    "scripts and styles": (b"<style>a</style>b<script>c<d></script>e", b"be"),
    "a script without end": (b"b<script>c<d>", b"b"),
    "a title": (b"<title>a<b></title>c", b"\na<b>\nc"),
    "conditional comments": (b"<![if !mso]>a<![endif]>b", b"ab"),
    "CDATA": (b"<![CDATA[<b>&lt;]]>c", b"<b>&lt;c"),
    "quotation marks in a tag": (b"<a title='>'>b</a>", b"b"),
    "a document type": (b"<!DOCTYPE html PUBLIC \"x\"'y' -- > -->a", b"a"),
    "a document type with an open quotation mark": (b'a<!DOCTYPE html "x>b', b"a"),
    "a document type with a dash": (b"a<!DOCTYPE html -x>b", b"ab"),
    "processing instructions": (b"<?xml version='1.0'?>a", b"a"),
}


@pytest.mark.parametrize(("html", "expected"), RENDERED.values(), ids=RENDERED)
def test_html_is_rendered(html: bytes, expected: bytes) -> None:
    assert b"".join(paragraphs(HTML % b"utf-8" + html)[1:]) == expected


HIDDEN: dict[str, bytes] = {
    "white on white": b'<font color="white">b</font>',
    "nearly white": b'<font color="#fefefe">b</font>',
    "CSS": b'<span style="color: rgb(255, 255, 255)">b</span>',
    "of the background's colour": b'<div style="background: url(x) #123; color:#112233">b</div>',
    "transparent": b'<p style="color:transparent">b</p>',
    "a colour that is none": b'<font color="ffffff">b</font>',
    "no display": b'<div style="Color:red; display:none">b</div>',
    "not visible": b'<td style="visibility: Hidden !x; visibility: hidden">b</td>',
    "size 1": b'<font size="-2">b</font>',
    "small": b"<small><small>b</small></small>",
    "inside": b'<div style="display:none"><p><a href="x">b</a></p></div>',
}


@pytest.mark.parametrize("html", HIDDEN.values(), ids=HIDDEN)
def test_hidden_text(html: bytes) -> None:
    body = BodyView(parts_of(HTML % b"utf-8" + b"a " + html + b" c"))
    assert b"b" in b"".join(body.paragraphs())
    assert b"b" in b"".join(body.invisible())
    visible = b"".join(body.visible())
    assert b"b" not in visible
    assert b"a" in visible
    assert b"c" in visible


SEEN: dict[str, bytes] = {
    "black": b'<font color="black">b</font>',
    "closed": b'<font color="white"></font>b',
    "a cell ends the one before": b'<tr><td style="color:white"><td>b',
    "inherit": b'<p style="color: inherit">b</p>',
    "important": b'<p style="color: red !important">b</p>',
}


@pytest.mark.parametrize("html", SEEN.values(), ids=SEEN)
def test_text_that_is_seen(html: bytes) -> None:
    body = BodyView(parts_of(HTML % b"utf-8" + html))
    assert b"b" in b"".join(body.visible())
    assert b"b" not in b"".join(body.invisible())


def test_a_long_paragraph_is_divided_behind_a_blank() -> None:
    found = paragraphs(b"Subject: s\n\n" + b"word " * 1000)
    assert [len(line) for line in found] == [2, 2045, 2045, 910]
    assert max(map(len, found)) <= LINE_LIMIT


def test_rawbody_is_decoded_and_not_rendered() -> None:
    assert rawbody(parts_of(HTML % b"x" + b"<p>a</p>\n\n\nb\n")) == (b"<p>a</p>\n\n\nb\n",)


def test_rawbody_chunks_end_with_a_line() -> None:
    chunks = rawbody(parts_of(b"A: b\n\n" + b"x" * 99 + b"\n" + (b"y" * 99 + b"\n") * 70))
    assert [len(chunk) for chunk in chunks] == [2100, 2100, 2900]
    assert 2 * CHUNK >= 2900


def test_of_a_long_part_the_beginning_counts() -> None:
    chunks = rawbody(parts_of(b"A: b\n\n" + b"line\n" * 200_000))
    assert PART_SIZE <= sum(map(len, chunks)) <= PART_SIZE + 5


def test_many_open_titles_are_read_in_one_pass() -> None:
    assert b"x" in b"".join(paragraphs(HTML % b"utf-8" + b"<title>" * 5_000 + b"x"))


@pytest.mark.slow
def test_of_many_tags_the_first_count() -> None:
    found = b"".join(paragraphs(HTML % b"utf-8" + b"x<b>" * (TOKEN_LIMIT + 10)))
    assert found.count(b"x") == TOKEN_LIMIT
