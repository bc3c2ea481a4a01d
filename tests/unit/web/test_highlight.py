"""The classifier's words, marked in the text of a message."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.bayes.model.explain import Clue, Explanation
from filterd.config.load import load
from filterd.web.app import create_app
from filterd.web.highlight import PLACES, Highlighter
from filterd.web.preview import harmless
from tests.helpers.site import Site, text_of

WORDS = (
    ("text", "free", 2.0),
    ("text", "meeting", -1.0),
    ("text", "minutes to", 1.5),
    ("text", "cheap … now", -0.5),
    ("text", "x" * 39 + "…", 0.5),
    ("subject", "hello", 3.0),
    ("text", "(signs)", 1.0),
)


def highlighter(*words: tuple[str, str, float]) -> Highlighter:
    clues = [Clue(*one) for one in words or WORDS]
    spam = tuple(one for one in clues if one.weight > 0)
    ham = tuple(one for one in clues if one.weight < 0)
    return Highlighter(Explanation(0.9, 1.0, spam, ham, 0.0))


def marked(text: str, *words: tuple[str, str, float]) -> list[str]:
    return [f"{one.side}:{one.text}" for one in highlighter(*words).pieces(text) if one.side]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("it is free.", ["spam:free"]),
        ("the Free meeting, freely", ["ham:meeting"]),
        ("hello", []),
        ("send minutes\n to Sue", ["spam:minutes", "spam:to"]),
        ("minutes for you to", []),
        ("cheap pills now, cheap as it now", ["ham:cheap", "ham:now"] * 2),
        ("cheap now", []),
        ("x" * 50, ["spam:" + "x" * 50]),
        ("(signs)", []),
        ("", []),
    ],
)
def test_what_is_named_and_nothing_else(text: str, found: list[str]) -> None:
    assert marked(text) == found


def test_a_word_by_itself_counts_before_a_pair() -> None:
    words = ("text", "free", -1.0), ("text", "free money", 9.0)
    assert marked("free money", *words) == ["ham:free", "spam:money"]


def test_the_first_places() -> None:
    assert len(marked("free " * 99)) == PLACES


@given(st.text(st.sampled_from("free mtingus\n…<>&\"'\u00fc\u202e"), max_size=200))
def test_the_pieces_are_the_text(text: str) -> None:
    assert "".join(one.text for one in highlighter().pieces(text)) == text


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>free</p>", '<p><mark class="spam" title="for spam">free</mark></p>'),
        ("<b>minutes</b> <i>to</i>", "<b>*</b> <i>*</i>"),
        ('<p dir="free" lang="free>free">a</p>', '<p dir="free" lang="free>free">a</p>'),
        ("&lt;free&gt; &amp;amp;", "&lt;*&gt; &amp;amp;"),
        ("<mark>free</mark>", "<mark>*</mark>"),
        ('<mark class="ham" title="x">other</mark>', "<mark>other</mark>"),
        ("<script>free</script>a", "a"),
    ],
)
def test_html(html: str, shown: str) -> None:
    made = highlighter().html(harmless(html).html)
    if "*" in shown:
        made = re.sub('<mark class="spam" title="for spam">[a-z]+</mark>', "*", made)
    assert made.replace('&gt;free"', '>free"') == shown


MARKUP = [
    *(
        "<b>",
        "</b>",
        "free",
        " ",
        "<img alt='free > \" <x'>",
        '<p lang="a\'>free">',
        "&lt;",
        "</a>",
    ),
    *("<a href=//x title='>'>", "minutes", "to", "&", "<", ">", '"', "\u00fc"),
]


@given(st.lists(st.sampled_from(MARKUP), max_size=12))
def test_marks_change_no_tag_and_no_text(pieces: list[str]) -> None:
    safe = harmless("".join(pieces)).html
    made = highlighter().html(safe)
    plain = re.sub('<mark class="(?:spam|ham)" title="for (?:spam|ham)">|</mark>', "", made)
    assert unescape(plain) == unescape(safe)
    # And it is as harmless as before.
    assert harmless(made).html.replace("<mark>", "").replace("</mark>", "") == safe


def with_classifier(folder: Path) -> Site:
    """A site with the starter model."""
    site = Site(folder)
    file = folder / "filterd.toml"
    text = file.read_text().replace('filters = ["senders"', 'filters = ["bayes", "senders"')
    file.write_text(text.replace("starter = false\n", ""))
    site.state.close()
    site.app = create_app(load(file))
    site.state = site.app.state.filterd
    site.browser = site.another()
    return site


@pytest.mark.slow
def test_the_page_marks_what_its_table_names(tmp_path: Path) -> None:
    head = b"From: Ann <ann@a.example>\r\nSubject: hello\r\nMIME-Version: 1.0\r\nContent-Type: "
    text = b"Buy cheap VIAGRA now <b>click</b> free money!!! the meeting\r\n"
    site = with_classifier(tmp_path)
    site.log_in()
    id = site.put(data=head + b"text/plain\r\n\r\n" + text)
    page = site.get(f"/message/{id}")
    found = re.findall(r'<mark class="(\w+)" title="for \w+">([^<]*)</mark>', page.text)
    named = {
        side: re.findall(r"<td><bdi>([^<]*)</bdi></td><td class=\"dim\">text", rows)
        for side, rows in re.findall(
            r"<caption>Strongest for (spam|ham)</caption>(.*?)</table>", page.text, re.DOTALL
        )
    }
    assert len(found) > 3
    for side, word in found:
        assert any(word in unescape(one).split() for one in named[side]), (side, word)
    assert "Marked are the classifier's strongest words" in text_of(page)
    assert "<b>" not in page.text
    assert len(page.content) < 100_000
    id = site.put(data=head + b"text/html\r\n\r\n<p>" + text)
    site.get(f"/message/{id}")
    frame = site.get(f"/message/{id}/part/0")
    assert frame.text.count("<mark class=") >= 2
    assert "<b>" in frame.text
    assert "mark.ham{" in frame.text
    site.state.close()


@pytest.mark.slow
def test_without_a_classifier_nothing_is_marked(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.log_in()
    assert "<mark" not in site.get(f"/message/{site.put()}").text
    site.state.close()
