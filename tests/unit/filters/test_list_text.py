"""A local list as people edit it: what is not changed stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.filters.locallists import text as list_text
from filterd.filters.locallists.entries import read
from filterd.filters.locallists.settings import Fact
from filterd.filters.locallists.text import LINE_LIMIT, ListText, Mistake
from filterd.filters.senders.list import ListEntryError

LIST = b"""\
# partners, see the wiki

a.example            # since May
.b.example for mx.example
ann@ c.example
/^x[0-9]+@/ for joe@mx.example  # a robot
"""


def senders(data: bytes) -> ListText:
    return ListText(data, ["sender"])


def test_lines() -> None:
    text = senders(LIST)
    assert len(text) == 6
    told = [
        (one.number, one.entry and one.entry.pattern, one.entry and one.entry.recipient, one.note)
        for one in text.lines()
    ]
    assert told == [
        (1, None, None, "partners, see the wiki"),
        (3, "a.example", "*", "since May"),
        (4, ".b.example", "mx.example", ""),
        (5, None, None, ""),
        (6, "/^x[0-9]+@/", "joe@mx.example", "a robot"),
    ]
    wrong = "is not an entry; expected `PATTERN`, or `PATTERN for RECIPIENT`"
    assert text.line(5).mistake == wrong
    summary = text.summary()
    assert (summary.entries, summary.wrong, summary.mistakes) == (3, 1, (Mistake(5, wrong),))
    assert [one.number for one in text.lines("MX.example")] == [4, 6]
    assert [one.number for one in text.lines("", 4)] == [5, 6]
    for number in (0, -1, 7):
        with pytest.raises(IndexError):
            text.line(number)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"b.example\n"),
        (b"a.example\n", b"a.example\nb.example\n"),
        (b"a.example", b"a.example\nb.example\n"),
        (b"a.example\r\n", b"a.example\r\nb.example\r\n"),
        (b"a.example\r\n# x", b"a.example\r\n# x\r\nb.example\r\n"),
        (b"\xef\xbb\xbf# x\n", b"\xef\xbb\xbf# x\nb.example\n"),
        (b"# Gr\xfc\xdfe\n", b"# Gr\xfc\xdfe\nb.example\n"),
    ],
)
def test_an_entry_more(before: bytes, after: bytes) -> None:
    text = senders(before)
    line = text.written(" b.example ", "", len(text) + 1)
    assert text.added(line).data == after
    assert text.added(line).removed(len(text) + 1).summary() == text.summary()


def test_another_in_its_place() -> None:
    text = senders(LIST.replace(b"a.example  ", b"  a.example"))
    line = text.written("bob@a.example for .example", "since June", 3)
    changed = text.changed(line).data.splitlines()
    assert changed[2] == b"  bob@a.example for .example  # since June"
    del changed[2]
    assert changed == [one for n, one in enumerate(LIST.splitlines()) if n != 2]


@pytest.mark.parametrize(
    ("typed", "note", "written"),
    [
        ("a.example", "", "a.example"),
        ("a.example", "why # and  more", "a.example  # why # and more"),
        ("a.example # why", "", "a.example  # why"),
        ("a.example # why", "that", "a.example  # that"),
        ("a.example for *", "", "a.example"),
        ("/a  b#c/ for mx.example", "why", "/a  b#c/ for mx.example  # why"),
        ("/a/", "see /b/ there", "/a/  # see /b/ there"),
        ("/a/ b/c/", "", "/a/ b/c/"),
        ('"a b"@a.example', "", '"a b"@a.example'),
        ("<>", "", "<>"),
    ],
)
def test_what_is_written(typed: str, note: str, written: str) -> None:
    assert senders(b"").written(typed, note, 1).text == written


@pytest.mark.parametrize(
    ("about", "typed", "note", "why"),
    [
        ("sender", "", "", "the entry is empty"),
        ("sender", "# only this", "", "the entry is empty"),
        ("sender", "a b", "", "is not an entry"),
        ("sender", "a.example\nb.example", "", "characters that cannot be shown"),
        ("sender", "a.example", "x\nb.example", "characters that cannot be shown"),
        ("sender", "a.example", "x\u202ey", "characters that cannot be shown"),
        ("sender", "a.example for joe@", "", "expected"),
        ("sender", "/(/", "", "not a regular expression"),
        ("sender", "a.example", "x" * LINE_LIMIT, "shorter entry or note"),
        ("client", "a.example", "", "expected"),
        ("client", "192.0.2.0/33", "", "expected"),
        ("rdns", "ann@a.example", "", "is not a domain"),
        ("subject", "lottery", "", "expected a regular expression"),
    ],
)
def test_what_is_not_written(about: Fact, typed: str, note: str, why: str) -> None:
    with pytest.raises(ListEntryError, match=why):
        ListText(b"", [about]).written(typed, note, 1)


def test_one_file_for_two_lists_has_entries_that_fit_both() -> None:
    text = ListText(b"", ["helo", "sender"])
    assert text.written("a.example", "", 1).text == "a.example"
    with pytest.raises(ListEntryError, match="is not a domain"):
        text.written("ann@a.example", "", 1)


@pytest.mark.parametrize(
    ("about", "has", "typed", "line"),
    [
        ("sender", b"# x\nA.Example\n", "a.example", 2),
        ("sender", "# x\nmüller.example\n".encode(), "xn--mller-kva.example", 2),
        ("sender", b"a.example for mx.example\n", "a.example", None),
        ("sender", b"a.example for mx.example\n", "a.example for MX.example", 1),
        ("sender", b"<>\n", "<>", 1),
        ("sender", b"/a/\n", "/A/", None),
        ("client", b"192.0.2.7/24\n", "192.0.2.0/24", 1),
        ("client", b"192.0.2.7\n", "::ffff:192.0.2.7", 1),
    ],
)
def test_spellings_of_one_entry(about: Fact, has: bytes, typed: str, line: int | None) -> None:
    text = ListText(has, [about])
    entry = text.written(typed, "", 9).entry
    assert entry is not None
    found = text.find(entry)
    assert (found and found.number) == line


def test_what_is_not_text() -> None:
    for data, why in ((b"a\0b", "NUL"), ("a".encode("utf-16"), "UTF-16")):
        with pytest.raises(ListEntryError, match=why):
            senders(data)


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_text, "SIZE_LIMIT", 12)
    monkeypatch.setattr(list_text, "MISTAKES_LIMIT", 2)
    monkeypatch.setattr(list_text, "REGEX_LIMIT", 1)
    text = senders(b"a.example\n")
    with pytest.raises(ListEntryError, match="larger"):
        text.added(text.written("b.example", "", 2))
    many = senders(b"a b\n" * 5).summary()
    assert (many.wrong, len(many.mistakes)) == (5, 2)
    assert senders(b"a b\n").line(1).mistake == many.mistakes[0].what
    assert senders(b"/a/\n/b/\n").summary().mistakes == (
        Mistake(0, "more than 1 regular expressions"),
    )


TEXTS = st.binary(max_size=60) | st.lists(
    st.sampled_from(
        [
            b"a.example",
            b"# x",
            b"",
            b" ",
            b"\n",
            b"\r\n",
            b"\r",
            b"\xfc",
            b"/a/ for b.example",
            b"a b",
        ]
    )
).map(b"".join)


@given(TEXTS)
def test_whatever_is_in_it_the_rest_stays(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    try:
        text = senders(data)
    except ListEntryError:
        return
    line = text.written("new.example", "why", len(text) + 1)
    more = text.added(line)
    assert more.data.startswith(data)
    assert more.line(len(text) + 1).entry == line.entry
    assert more.summary().entries == text.summary().entries + 1
    assert more.removed(len(text) + 1).data.startswith(data)
    for number in range(1, len(text) + 1):
        less = text.removed(number)
        # (An empty line between CR and LF is none any more, if the line before it goes.)
        left = [one.text for one in text.lines() if one.number != number]
        assert [one.text for one in less.lines()] == left
        put = text.changed(text.written("new.example", "", number))
        others = [one for one in put.lines() if one.number != number]
        assert others == [one for one in text.lines() if one.number != number]
    path = tmp_path_factory.getbasetemp() / "some.list"
    path.write_bytes(data)
    try:
        entries = read(path, "sender")
    except ListEntryError:
        assert text.summary().wrong
    else:
        # What the filter reads is what the page shows.
        assert entries == tuple(one.entry for one in text.lines() if one.entry)
        assert not text.summary().wrong
