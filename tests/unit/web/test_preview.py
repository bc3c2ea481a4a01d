"""A message's HTML is harmless before a browser sees it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.message import Message
from filterd.system.display import printable
from filterd.web.preview import (
    ATTRIBUTES,
    HTML_LIMIT,
    NESTING_LIMIT,
    SHOWN_PARTS,
    TAGS,
    anchors,
    document,
    harmless,
    parts,
    plain,
    text_parts,
)
from tests.helpers.growth import is_linear

REMOTE = "http://evil.example/x"

LEFT = {name for names in ATTRIBUTES.values() for name in names} - {"href", "src"}


class Seen(HTMLParser):
    """Every tag and attribute of a document."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<SCRIPT SRC=http://evil.example/x></SCRIPT>",
        "<scr<script>ipt>alert(1)</script>",
        f'<img src="{REMOTE}">',
        f"<img src='{REMOTE}' onerror=alert(1)>",
        f'<img srcset="{REMOTE} 2x">',
        f'<p style="background:url({REMOTE})">x</p>',
        f"<style>@import '{REMOTE}';</style>",
        f'<link rel=stylesheet href="{REMOTE}">',
        f'<meta http-equiv=refresh content="0;url={REMOTE}">',
        f'<base href="{REMOTE}">',
        f'<form action="{REMOTE}"><input name=a><button>x</button></form>',
        f'<iframe src="{REMOTE}"></iframe>',
        '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
        f'<object data="{REMOTE}"><embed src="{REMOTE}"></object>',
        f'<video src="{REMOTE}" poster="{REMOTE}"><source src="{REMOTE}"></video>',
        f'<audio src="{REMOTE}" autoplay></audio>',
        f'<svg><image href="{REMOTE}"/><script>alert(1)</script></svg>',
        f'<math><mtext><img src="{REMOTE}"></mtext></math>',
        f'<table background="{REMOTE}"><tr><td background="{REMOTE}">x</td></tr></table>',
        f'<body background="{REMOTE}" onload="alert(1)">',
        '<a href="javascript:alert(1)">x</a>',
        f'<a href="{REMOTE}" ping="{REMOTE}" target=_top>x</a>',
        "<div onclick=alert(1) onmouseover=alert(1)>x</div>",
        '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
        "<template><script>alert(1)</script></template>",
        "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
        "<!--[if gte mso 9]><script>alert(1)</script><![endif]-->",
        "<textarea></textarea><script>alert(1)</script>",
        f'<input type=image src="{REMOTE}">',
        "<details open ontoggle=alert(1)><summary>x</summary></details>",
        "<marquee onstart=alert(1)>x</marquee>",
        f'<q cite="{REMOTE}">x</q><ins cite="{REMOTE}">x</ins>',
    ],
)
def test_nothing_acts_and_nothing_is_loaded(html: str) -> None:
    seen = Seen(harmless(html).html)
    assert seen.tags <= TAGS
    assert seen.attributes <= LEFT


@given(st.text(alphabet=st.sampled_from("<>/\"'= \n!-abimgscrptylefonxuj:()&;#"), max_size=200))
def test_whatever_it_is_only_what_may_stay_stays(html: str) -> None:
    seen = Seen(harmless(html).html)
    assert seen.tags <= TAGS
    assert seen.attributes <= LEFT


def test_it_still_reads_as_it_did() -> None:
    safe = harmless(
        '<h1>Dear <b>Joe</b></h1><p align=left>See <a href="http://a.example/?x=1&amp;y=2">here</a>'
        '<img alt="our logo" src="cid:1"></p><table border=1><tr><td colspan=2>1</td></tr></table>'
    )
    assert safe.html == (
        '<h1>Dear <b>Joe</b></h1><p>See <a>here</a><img alt="our logo"></p>'
        '<table border="1"><tbody><tr><td colspan="2">1</td></tr></tbody></table>'
    )
    assert safe.links == ("http://a.example/?x=1&y=2",)
    assert (safe.images, safe.is_cut) == (1, False)


def test_where_a_link_leads_is_told_whatever_its_scheme() -> None:
    safe = harmless('<a href="javascript:alert(1)">a</a><a href="data:text/html,x">b</a>')
    assert safe.links == ("javascript:alert(1)", "data:text/html,x")


@pytest.mark.parametrize(
    "piece", ["<div>", "<b></i>", "<a><b>", "<table><a>", "<span><p></span>", "<font>", "<svg><g>"]
)
def test_deep_nesting_is_work_in_proportion(piece: str) -> None:
    """Without a limit the first takes half a minute."""
    assert is_linear(harmless, lambda n: piece * n, HTML_LIMIT // len(piece) // 4)


def test_what_is_nested_too_deeply_is_cut_there() -> None:
    safe = harmless("<p>begin</p>" + "<div>" * (NESTING_LIMIT + 1) + "end")
    assert safe.is_cut
    assert "begin" in safe.html
    assert "end" not in safe.html
    assert not harmless("<div></div><p>a<br>" * (NESTING_LIMIT + 1)).is_cut


def test_the_frame_has_no_style_but_its_own() -> None:
    text = document(harmless("<style>b{color:red}</style><b>x</b>"))
    assert text.count("<style>") == 1
    assert "color:red" not in text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain text, Grüße, 你好", "plain text, Grüße, 你好"),
        ("invoice\u202egnp.exe", "invoice\N{REPLACEMENT CHARACTER}gnp.exe"),
        ("a\0b\x1b[31mc", "a\ufffdb\ufffd[31mc"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("lone \ud800", "lone \ufffd"),
        ("line\n\ttab", "line\n\ttab"),
    ],
)
def test_text_of_strangers_cannot_deceive(text: str, seen: str) -> None:
    assert printable(text, lines=True) == seen


MIXED = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
    b"--c\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
    b"--c\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+eDwvYj4=\r\n"
    b"--c--\r\n"
    b"--b\r\nContent-Type: application/zip; name=a.zip\r\nContent-Disposition: attachment\r\n\r\n"
    b"PK\r\n--b--\r\n"
)


def test_the_tree_of_parts() -> None:
    message = Message(MIXED)
    seen = [(p.depth, p.content_type, p.name, p.size, p.number) for p in parts(message)]
    assert seen == [
        (0, "multipart/mixed", "", len(MIXED), None),
        (1, "multipart/alternative", "", seen[1][3], None),
        (2, "text/plain", "", 7, 0),
        (2, "text/html", "", 8, 1),
        (1, "application/zip", "a.zip", 2, None),
    ]
    assert plain(text_parts(message)[0]) == ("Grüße", False)


def test_only_so_many_parts_are_shown() -> None:
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 50 + b"--b--\r\n"
    assert len(text_parts(Message(data))) == SHOWN_PARTS
    assert len(list(parts(Message(data)))) == 51


def test_links_are_read_with_their_texts_also_those_around_a_picture() -> None:
    html = (
        '<p><a href="https://one.example/">the <b>bank</b></a> <a name=x>no link</a>'
        '<a href="https://two.example/"><img src="cid:1"></a></p>'
    )
    assert [(one.target, one.text) for one in anchors(html)] == [
        ("https://one.example/", "the bank"),
        ("https://two.example/", ""),
    ]
