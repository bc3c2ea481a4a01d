"""Values as people read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.system.display import (
    count,
    exactly,
    printable,
    size,
    to_the_second,
    when,
    when_short,
    without_folders,
)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1.0 KB"),
        (2486, "2.4 KB"),
        (10 * 1024 - 1, "10 KB"),
        (300 * 1024, "300 KB"),
        ((1 << 20) - 1, "1.0 MB"),
        (1 << 20, "1.0 MB"),
        (256 << 20, "256 MB"),
        (5 << 30, "5.0 GB"),
        (3 << 40, "3.0 TB"),
        (5000 << 40, "5000 TB"),
    ],
)
def test_sizes(number: int, shown: str) -> None:
    assert size(number) == shown


@given(st.integers(0, 1 << 50))
def test_a_size_has_four_characters_of_number_at_most(number: int) -> None:
    digits = size(number).split()[0].replace(",", "")
    assert len(digits) <= 4


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 entries"), (1, "1 entry"), (12345, "12,345 entries")]
)
def test_counts(number: int, shown: str) -> None:
    assert count(number, "entry", "entries") == shown


def test_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        moment = datetime(2021, 7, 1, 12, 30, 5, tzinfo=UTC).timestamp()
        assert when(moment) == "2021-07-01 14:30"
        assert when_short(moment) == "2021-07-01"
        assert to_the_second(moment) == "2021-07-01 14:30:05"
        assert exactly(moment) == "2021-07-01 14:30:05 +0200"
        now = datetime.now()
        assert when_short(now.timestamp()) == f"{now:%m-%d %H:%M}"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "lines", "shown"),
    [
        ("Grüße", False, "Grüße"),
        ("a\x1b[31mb", False, "a�[31mb"),
        ("a\u202eb\u200b", False, "a�b�"),
        ("\udce9", False, "�"),
        ("a\nb\tc\r", False, "a�b�c�"),
        ("a\nb\tc\r", True, "a\nb\tc�"),
    ],
)
def test_text_of_strangers(text: str, lines: bool, shown: str) -> None:
    assert printable(text, lines=lines) == shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/var/lib/filterd/a.list:3: no", "a.list:3: no"),
        ("unix:/run/filterd/s", "unix:s"),
        ("cannot open '/etc/x/y'", "cannot open 'y'"),
        ("/a", "/a"),
        ("file:///var/lib/x", "file:x"),
        ("sqlite:////var/lib/x.db", "sqlite:x.db"),
        ("postgresql://ann@db.example/filterd", "postgresql://ann@db.example/filterd"),
        ("http://127.0.0.1:8080/a/b", "http://127.0.0.1:8080/a/b"),
        ("and/or/not", "and/or/not"),
        ("2.5/3.0/4", "2.5/3.0/4"),
    ],
)
def test_folders_of_this_machine(text: str, told: str) -> None:
    assert without_folders(text) == told


@given(st.text(), st.integers(0, 10))
def test_printable_text_is_cut_and_printable(text: str, limit: int) -> None:
    assert printable(text).isprintable()
    assert printable(text, limit) == printable(text)[:limit]
