"""File names and parameters as readers understand them, right and wrong."""

from __future__ import annotations

import pytest

from filterd.message import Message
from filterd.message.parameters import PARAMETER_LIMIT, parse_value
from tests.helpers.growth import is_linear


def names(*fields: bytes) -> tuple[str, ...]:
    """The names of an attachment with these header fields."""
    return Message(b"\r\n".join(fields) + b"\r\n\r\nx").root.filenames


DISPOSITIONS: dict[bytes, tuple[str, ...]] = {
    # As the standards have it.
    b"attachment; filename=a.txt": ("a.txt",),
    b'attachment; filename="a b;c.txt"': ("a b;c.txt",),
    b'attachment; filename="a\\"b\\\\c.txt"': ('a"b\\c.txt',),
    b"ATTACHMENT ; FileName = a.txt": ("a.txt",),
    b"attachment; filename*=utf-8''%C3%A4%20b.txt": ("ä b.txt",),
    b"attachment; filename*=iso-8859-1'de'%e4.txt": ("ä.txt",),
    b"attachment; filename*0=long; filename*1=name.txt": ("longname.txt",),
    b"attachment; filename*1=name.txt; filename*0=long": ("longname.txt",),
    b"attachment; filename*0*=utf-8''%C3%A4; filename*1=%41; filename*2*=%41": ("ä%41A",),
    b'attachment;\r\n\tfilename="a\r\n b.txt"': ("a b.txt",),
    # Against them, and everywhere.
    b"attachment; filename=a.exe b.txt": ("a.exe b.txt", "a.exe"),
    b"attachment; filename=a.exe,b.txt; x=y": ("a.exe,b.txt", "a.exe"),
    b"attachment; filename==?utf-8?q?a=2Eexe?= b.txt": ("a.exe b.txt", "a.exe"),
    b"attachment; filename==?utf-8?q?a=2Eexe?==b.txt": ("a.exe=b.txt", "a.exe"),
    b'attachment; filename*0a="a."; filename*1b=exe': ("a.exe",),
    b'attachment; filename=a"b;c.exe".txt': ('a"b', "ab;c.exe"),
    b"attachment; =?utf-8?q?filename=3Da=2Eexe?=": ("a.exe",),
    b'attachment; filename="=?utf-8?B?w6QuZXhl?="': ("ä.exe",),
    b"attachment; filename==?iso-8859-1?Q?=E4=2Eexe?=": ("ä.exe",),
    b'attachment; filename="=?utf-8?Q?a?= =?utf-8?Q?b.exe?="': ("ab.exe",),
    b'attachment; filename="x=?utf-8?Q?a.exe?="': ("xa.exe",),
    b'attachment; filename="=?utf-8*en?Q?a.exe?="': ("a.exe",),
    b'attachment; filename="=?utf-8?B?YS5leGU?="': ("a.exe",),
    b"attachment; filename=a b.exe": ("a b.exe",),
    b'attachment; filename="a.exe': ("a.exe",),
    b"attachment; filename=\xe4.exe": ("ä.exe",),
    b"attachment; filename=\xc3\xa4.exe": ("ä.exe",),
    b"attachment; filename*=a.exe": ("a.exe",),
    b"attachment; filename*=no-such-charset''a.exe": ("a.exe",),
    b"attachment;; ;filename=a.exe": ("a.exe",),
    b"; filename=a.exe": ("a.exe",),
    # Several: every one is some reader's.
    b"attachment; filename=a.txt; filename=b.exe": ("a.txt", "b.exe"),
    b"attachment; filename=a.txt; filename*=utf-8''b.exe": ("b.exe", "a.txt"),
    b"attachment; filename=a.txt; filename*0=b; filename*1=.exe": ("b.exe", "a.txt"),
    # Comments, to readers that know them and to readers that do not.
    b"attachment (a comment); filename=a.exe": ("a.exe",),
    b'attachment (; filename="a.exe")': ("a.exe",),
    b'attachment (never closed; filename="a.exe"': ("a.exe",),
    b"attachment; filename=a(b).exe": ("a .exe", "a(b).exe", "a.exe"),
    b'attachment; filename="a(b).exe"': ("a(b).exe",),
    # Nothing there.
    b"attachment": (),
    b"attachment; filename=": (),
    b"attachment; filename*0": (),
    b'attachment; filename=""': (),
}


@pytest.mark.parametrize("value, expected", DISPOSITIONS.items(), ids=repr)
def test_names_in_content_disposition(value: bytes, expected: tuple[str, ...]) -> None:
    assert names(b"Content-Disposition: " + value) == expected


def test_all_places_of_a_name_count() -> None:
    assert names(
        b"Content-Type: application/octet-stream; name=a.exe",
        b"Content-Disposition: attachment; filename=b.txt",
        b"Content-Location: c.scr",
    ) == ("b.txt", "a.exe", "c.scr")


@pytest.mark.parametrize(
    "raw, word",
    [
        (b" Text/HTML", "text/html"),
        (b" text/html;", "text/html"),
        (b" text / html", "text/html"),
        (b' "text/html"', "text/html"),
        (b" text/html (with (nested) comment)", "text/html"),
        (b" (before) text/(amid)html (behind", "text/html"),
        (b" text/html ; charset=x", "text/html"),
        (b"", ""),
        (b";", ""),
    ],
)
def test_the_word_before_the_parameters(raw: bytes, word: str) -> None:
    assert parse_value(raw)[0] == word


def test_no_more_parameters_than_the_limit_are_looked_at() -> None:
    raw = b"a/b" + b"; x=y" * (PARAMETER_LIMIT + 5)
    assert len(parse_value(raw)[1].all_raw("x")) == PARAMETER_LIMIT


@pytest.mark.parametrize("one", [b";name=(c)%d", b";name=%d x", b';name=a"%d"b'])
def test_many_parameters_that_are_read_in_several_ways_take_time_in_proportion(one: bytes) -> None:
    def field(count: int) -> bytes:
        return b"a/b" + b"".join(one % number for number in range(count))

    assert is_linear(parse_value, field, 240)
