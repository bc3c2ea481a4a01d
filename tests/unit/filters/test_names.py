"""File names as desktops understand them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.filters.parts.unpacking.names import (
    extensions,
    has_class_id,
    has_direction_marks,
    leaves_folder,
    shown,
)


@pytest.mark.parametrize(
    "name",
    [
        "invoice.exe",
        "invoice.EXE",
        "invoice.pdf.exe",
        "invoice.pdf" + " " * 200 + ".exe",
        "invoice.exe.",
        "invoice.exe. . ",
        "invoice.exe::$DATA",
        "..\\..\\windows\\invoice.exe",
        "/tmp/invoice.exe",
        "invoice\u202efdp.exe",
        "invoice\uff0eexe",
        "invoice.e\u200bxe",
        "invoice%2Eexe",
        "invoice.exe;1",
        "invoice.exe?x=1",
        "invoice.exe\x00.txt",
        "invoice\r\n .exe",
        'invoice.exe"',
        "invoice.\uff45\uff58\uff45",
        "invoice.exe#.txt",
    ],
)
def test_exe_is_seen_through_the_trick(name: str) -> None:
    assert "exe" in dict(extensions(name))


@pytest.mark.parametrize(
    "name", ["exe", "minutes.txt", "notes on exe files.pdf", "a.exempt", "", ".", "exe.txt"]
)
def test_no_exe_where_none_is(name: str) -> None:
    assert "exe" not in dict(extensions(name))


def test_class_id_direction_marks_and_paths() -> None:
    assert has_class_id("report.txt.{00020906-0000-0000-C000-000000000046}")
    assert not has_class_id("report{2026}.txt")
    assert has_direction_marks("a\u202etxt.exe")
    assert not has_direction_marks("Müller.txt")
    for path in ("../x", "a/../../x", "/etc/passwd", "C:\\x", "..\\x"):
        assert leaves_folder(path)
    for path in ("a/b", "a..b", "..."):
        assert not leaves_folder(path)


def test_a_name_is_shown_without_what_could_deceive() -> None:
    assert shown("a\u202eb\r\nc") == "a?b??c"
    assert len(shown("x" * 5000)) == 200


@given(st.text(max_size=300))
def test_any_name_can_be_judged(name: str) -> None:
    for extension, _is_whole in extensions(name):
        assert extension == extension.lower()
    assert not any(c in "\r\n\x00\u202e" for c in shown(name))
