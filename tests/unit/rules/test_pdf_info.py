"""PDFInfo: properties, pictures and checksums of PDF files."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.rules.evals.pdf_file import read_pdf
from tests.unit.rules.eval_mail import attached, message, says

PDF = rb"""%PDF-1.4
1 0 obj
<</Type/XObject/Subtype/Image
/Width 630/Height 149
>>
2 0 obj
<</Author(Ada \(Byron\))/Creator<FEFF004F0074>/Producer(Otter Press 1.2)
/CreationDate(D:20261109095958Z)/ModDate(D:20261110)
/Title(\101nnual report)
>>
"""
DATA = message(
    "Content-Type: text/plain\n\nsee the file",
    attached("application/pdf", PDF, "report.pdf"),
    attached("application/octet-stream", PDF.replace(b"630", b"10"), "second.FDF"),
    attached("application/octet-stream", PDF, "not.bin"),
)


@pytest.mark.parametrize(
    ("test", "arguments", "expected"),
    [
        ("pdf_count", ("2", "2"), True),
        ("pdf_count", ("3",), False),
        ("pdf_image_count", ("2", "2"), True),
        ("pdf_pixel_coverage", ("1490", "1490"), True),
        ("pdf_pixel_coverage", ("2000",), False),
        ("pdf_image_size_exact", ("149", "630"), True),
        ("pdf_image_size_exact", ("630", "149"), False),
        ("pdf_image_size_range", ("100", "600", "200", "700"), True),
        ("pdf_image_size_range", ("200", "10"), False),
        ("pdf_image_to_text_ratio", ("0.001", "0.1"), True),
        ("pdf_image_to_text_ratio", ("0.1", "1"), False),
        ("pdf_named", ("report.pdf",), True),
        ("pdf_named", ("not.bin",), False),
        ("pdf_name_regex", ("/^second/",), True),
        ("pdf_name_regex", ("/otter/",), False),
        ("pdf_match_details", ("author", r"/^Ada \(Byron\)$/"), True),
        ("pdf_match_details", ("creator", "/^Ot$/"), True),
        ("pdf_match_details", ("producer", "/^otter press/i"), True),
        ("pdf_match_details", ("created", "/^20261109095958$/"), True),
        ("pdf_match_details", ("modified", "/^20261110$/"), True),
        ("pdf_match_details", ("title", "/^Annual report$/"), True),
        ("pdf_match_details", ("title", "/otter/"), False),
        ("pdf_match_details", ("of_nobody", "/./"), False),
        ("pdf_is_encrypted", (), False),
        ("pdf_is_empty_body", (), False),
        ("pdf_is_empty_body", ("100",), True),
        ("pdf_match_md5", (hashlib.md5(PDF).hexdigest(),), True),
        ("pdf_match_md5", ("0" * 32,), False),
        ("pdf_match_fuzzy_md5", ("0" * 32,), False),
    ],
)
def test_tests(test: str, arguments: tuple[str, ...], expected: bool) -> None:
    assert says(DATA, test, *arguments) is expected


def test_the_fuzzy_checksum_does_not_know_the_size() -> None:
    first, second = read_pdf(PDF), read_pdf(PDF.replace(b"630", b"999"))
    assert first.checksums != second.checksums
    assert first.fuzzy == second.fuzzy
    (one, *_) = first.fuzzy
    assert says(DATA, "pdf_match_fuzzy_md5", one.lower()) is True


def test_an_encrypted_file() -> None:
    data = message(attached("application/pdf", PDF + b"/Encrypt 5 0 R\n", "a.pdf"))
    assert says(data, "pdf_is_encrypted") is True


def test_what_only_says_that_it_is_a_pdf_file() -> None:
    data = message(attached("application/pdf", b"otter", "a.pdf"))
    assert says(data, "pdf_count", "1", "1") is True
    assert says(data, "pdf_named", "a.pdf") is False
    assert says(data, "pdf_is_encrypted") is False


def test_strings_that_are_never_closed_take_no_longer() -> None:
    found = read_pdf(b"%PDF-1.4\n" + b"/Author(" * 100_000 + b"/Author<" * 100_000)
    assert found.details == {}


@given(st.binary(max_size=500))
def test_any_octets_can_be_read(data: bytes) -> None:
    found = read_pdf(b"%PDF-1.7\n/Image/Width 1/Height 2\n/Title(" + data)
    assert found.is_pdf
    assert found.images >= 1
