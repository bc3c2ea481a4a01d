"""What one message may cost is bounded, however many files and readers it has."""

from __future__ import annotations

import io
import random
import zipfile

import pytest

from filterd.filters.parts.unpacking import pdf, unpack
from filterd.filters.parts.unpacking.unpack import Unpacker
from tests.hostile.harmless import zipped_many
from tests.hostile.tricks.archives import zipped
from tests.hostile.tricks.documents import pdf as pdf_of

pytestmark = pytest.mark.slow


def test_the_files_of_a_message_share_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "WORK_LIMIT", 1 << 20)
    unpacker = Unpacker()
    page = b"<html>" + b"a" * 300_000
    read = []
    for number in range(5):
        read += [file.complete for file in unpacker.files((f"{number}.html",), page)]
    assert read == [True, True, True]
    assert {symbol for symbol, _detail in unpacker.findings} == {"ARCHIVE_LIMIT"}


def test_a_file_counts_for_each_kind_that_it_is_read_as(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "WORK_LIMIT", 1 << 20)
    content = b"%PDF-1.4\n" + zipped("a.txt", b"a" * 100) + b"a" * 400_000
    unpacker = Unpacker()
    for _ in range(5):
        list(unpacker.files(("a.pdf",), content))
    assert {symbol for symbol, _detail in unpacker.findings} == {"ARCHIVE_LIMIT"}


def test_members_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "WORK_LIMIT", 20_000)
    unpacker = Unpacker()
    list(unpacker.files(("a.zip",), zipped_many(2000)))
    assert {symbol for symbol, _detail in unpacker.findings} == {"ARCHIVE_LIMIT"}


def test_object_streams_of_a_pdf_that_have_no_end_are_not_read_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pdf, "OBJECTS_SIZE", 1 << 20)
    content = pdf_of(b"1 0 obj<</Type/ObjStm>>stream\n" * 10_000)
    pieces = pdf._pieces(content)
    assert sum(map(len, pieces[1:])) <= pdf.OBJECTS_SIZE + len(content)
    assert "ARCHIVE_LIMIT" in dict(pdf.findings(content))


def test_a_workbook_of_many_rows_is_no_bomb() -> None:
    digits = "".join(map(str, random.Random(1).choices(range(10), k=1 << 20)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            for _ in range(150):
                sheet.write(digits.encode())
    unpacker = Unpacker()
    list(unpacker.files(("a.xlsx",), packed.getvalue()))
    assert unpacker.findings == []


def test_names_are_work_too() -> None:
    unpacker = Unpacker()
    files = list(unpacker.files(("a.zip",), b"PK\3\4" * (16 << 10)))
    assert len(files) < 5000
    # However many other findings there are, that a limit ended the work is said.
    assert "ARCHIVE_LIMIT" in dict(unpacker.findings)
