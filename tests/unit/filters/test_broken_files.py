"""Files that are broken anywhere: whoever looks into them finds something or nothing, and raises
nothing that its caller does not know."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.parts.unpacking import containers, office, pdf, tables, zip_directory
from filterd.filters.parts.unpacking.files import OLE_ERRORS, File
from filterd.filters.parts.unpacking.kinds import kind_of
from filterd.message import Message
from filterd.message.inline_files import inline_files
from tests.helpers import messages
from tests.hostile import harmless
from tests.hostile.tricks import archives, documents, encodings, wrappings

pytestmark = pytest.mark.slow


SAMPLES: dict[str, bytes] = {
    "zip": archives.zipped() + archives.by_hand(b"evil.exe", b"note.txt"),
    "pdf": documents.object_stream(b"1 0 " + documents.ACTION),
    "ole": documents.compound(("Workbook", documents.BIFF_MACROS), ("_VBA_PROJECT", b"x")),
    "outlook": documents.compound(("__attach_version1.0_#00000000", b"x")),
    "onenote": documents.FILES["OneNote with a program"][1],
    "mail": messages.multipart([("a.exe", b"x")]),
    "text": encodings.yenc(b"hello", b"a.exe") + encodings.binhex(b"hello", b"a.exe"),
    "package": documents.compound(("\1Ole10Native", wrappings.packaged(b"a.exe", b"hello"))),
    "invoice": harmless.FILES["PDF invoice with its data"][1],
    "apple": wrappings.apple_single(b"a.exe", b"hello"),
    "mbox": wrappings.mbox(messages.message(), messages.message()),
    "S/MIME": wrappings.signed_in_pieces(messages.message()),
    "calendar": wrappings.calendar(wrappings.ATTACHED % (b"a.exe", b"aGVsbG8=")),
    "link": b"<html><a href='data:a/b;base64,%41" + b"A" * 20 + b"'>",
    "rtf": b"{\\rtf1{\\*\\template http://x}{\\object{\\*\\objdata 01}}}",
    "xml": b'<?xml version="1.0"?><w:instrText>DDE</w:instrText><w:binData>',
}


@st.composite
def broken(draw: st.DrawFn, name: str) -> bytes:
    """A sample with some octets changed, cut or doubled."""
    octets = bytearray(SAMPLES[name])
    for _ in range(draw(st.integers(0, 4))):
        if not octets:
            break
        at = draw(st.integers(0, len(octets) - 1))
        what = draw(st.sampled_from(["change", "cut", "double", "insert"]))
        if what == "change":
            octets[at] = draw(st.integers(0, 255))
        elif what == "cut":
            del octets[at : at + draw(st.integers(1, 64))]
        elif what == "double":
            octets[at:at] = octets[at : at + draw(st.integers(1, 64))]
        else:
            octets[at:at] = draw(st.binary(max_size=8))
    return bytes(octets)


def looked_into_by_olefile(look: Callable[[bytes], Iterable[object]], octets: bytes) -> None:
    with contextlib.suppress(*OLE_ERRORS):
        list(look(octets))


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
def test_nobody_raises(name: str, data: st.DataObject) -> None:
    octets = data.draw(broken(name))
    kind_of(octets)
    list(pdf.findings(octets))
    list(office.rtf(octets))
    list(office.workbook(octets))
    file = File(("a.docx/x.xml",), "", octets)
    list(office.member(file))
    list(tables.findings(file))
    list(containers.of_onenote(octets))
    list(containers.of_mail(octets))
    list(inline_files(octets))
    assert len(zip_directory.look(octets, 10).hidden) <= 10
    list(containers.of_text(octets))
    list(containers.of_markup(octets))
    list(containers.of_icalendar(octets))
    list(containers.of_cms(octets))
    list(containers.of_pdf(octets))
    looked_into_by_olefile(containers.of_apple, octets)
    looked_into_by_olefile(containers.of_ole, octets)


@given(broken("ole"))
def test_a_broken_office_file_is_said_to_be(octets: bytes) -> None:
    for symbol, detail in office.ole(File(("a.doc",), "ole", octets)):
        assert symbol.startswith("DOC_")
        assert detail


def test_what_oletools_says_of_macros_is_no_line_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    data = messages.multipart([("a.doc", SAMPLES["ole"])])
    verdict = Parts(PartsSettings()).examine(Message(data, id="X1"))
    assert "DOC_MACRO" in {symbol.name for symbol in verdict.symbols}
    assert [record for record in caplog.records if "olevba" in record.name] == []


def test_a_directory_of_too_many_members_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_directory, "MEMBER_LIMIT", 2)
    assert zip_directory.look(archives.many(2), 10).names == ["0", "1"]
    assert zip_directory.look(archives.many(3), 10).names == []
