"""OLEVBMacro: macros, objects and encryption in Office files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.rules.evals.office_file import OfficeFindings, is_encrypted, read_new, read_old
from tests.unit.rules.eval_mail import attached, message, says

OLE = b"\xd0\xcf\x11\xe0" + bytes(600)
MACROS = OLE + b"\0Attribut\0 Sub AutoOpen()"
PACKAGE = OLE + "EncryptedPackage".encode("utf-16-le")
ENCRYPTED = OLE[:300] + "EncryptedPackage".encode("utf-16-le") + bytes(600)
CSV = rb"=MSEXCEL|'\..\..\Windows\System32\cmd.exe'!''"
LINK = b"MHTML:http://x.example/a.html!x-usc:http://x.example/a.html"


def archive(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return stream.getvalue()


def relations(target: bytes) -> dict[str, bytes]:
    link = b'<Relationship Id="r1" Target="' + target + b'" TargetMode="External"/>'
    return {"word/_rels/a.rels": b"<Relationships>" + link + b"</Relationships>"}


def locked(data: bytes) -> bytes:
    """A ZIP archive whose members say that they are encrypted."""
    raw = bytearray(data)
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


WORD = {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>"}
MACRO_WORD = WORD | {"word/vbaProject.bin": b"Attribute VB_Name AutoOpen"}


@pytest.mark.parametrize(
    ("data", "name", "hits"),
    [
        (MACROS, "a.doc", {"macro", "malice"}),
        (OLE, "a.doc", set()),
        (OLE, "a.docm", {"macro"}),
        (b"{\\rtf1 {\\object\\objemb}}", "a.rtf", {"macro"}),
        (b"{\\rtf1 otter}", "a.rtf", set()),
        (archive(MACRO_WORD), "a.docx", {"macro", "malice"}),
        (archive(WORD), "a.docx", set()),
        (archive(WORD | {"[Content_Types].xml": b"macroEnabled"}), "a.docx", {"macro"}),
        (archive(WORD | {"xl/embeddings/a.bin": b"x"}), "a.xlsx", {"object"}),
        (archive(WORD | {"word/a.rtf": b"x"}), "a.docx", {"rtf_object"}),
        (archive(WORD | relations(b"http://x.example/a")), "a.docx", {"redirect"}),
        (archive(WORD | relations(LINK)), "a.docx", {"redirect", "mhtml"}),
        (archive(WORD | relations(b"file:///a")), "a.docx", set()),
        (ENCRYPTED, "a.xlsx", {"encrypted"}),
        (archive({"a.doc": MACROS}), "a.zip", {"macro", "malice"}),
        (archive({"b.zip": archive({"a.doc": MACROS})}), "a.zip", {"macro", "malice"}),
        (locked(archive({"a.doc": MACROS})), "a.zip", {"zip_password"}),
        (CSV, "a.csv", {"csv"}),
        (OLE + b"\0http://www.example.com/otter/mink/beaver.exe\0", "a.doc", {"download"}),
        (b"PK and no archive", "a.zip", set()),
        (MACROS, "a.txt", set()),
    ],
)
def test_what_is_found(data: bytes, name: str, hits: set[str]) -> None:
    mail = message(attached("application/octet-stream", data, name))
    tests = {
        "macro": "check_olemacro",
        "object": "check_oleobject",
        "rtf_object": "check_olertfobject",
        "malice": "check_olemacro_malice",
        "encrypted": "check_olemacro_encrypted",
        "zip_password": "check_olemacro_zip_password",
        "csv": "check_olemacro_csv",
        "download": "check_olemacro_download_exe",
        "redirect": "check_olemacro_redirect_uri",
        "mhtml": "check_olemacro_mhtml_uri",
        "renamed": "check_olemacro_renamed",
    }
    options = ["olemacro_extended_scan 0"]
    if name.endswith(".csv"):
        options = ["olemacro_exts csv$"]
    found = {key for key, test in tests.items() if says(mail, test, options=options)}
    assert found == hits


def test_a_file_under_another_name() -> None:
    mail = message(attached("application/octet-stream", MACROS, "a.dat"))
    assert says(mail, "check_olemacro_renamed") is False
    assert says(mail, "check_olemacro_renamed", options=["olemacro_extended_scan 1"]) is True
    assert says(mail, "check_olemacro", options=["olemacro_extended_scan 1"]) is True


@pytest.mark.parametrize(
    "option",
    ["olemacro_num_mime 0", "olemacro_skip_exts doc$", "olemacro_skip_ctypes ^application/"],
)
def test_what_the_site_leaves_out(option: str) -> None:
    mail = message(attached("application/octet-stream", MACROS, "a.doc"))
    assert says(mail, "check_olemacro") is True
    assert says(mail, "check_olemacro", options=[option]) is False


@given(st.binary(max_size=400))
def test_any_octets_can_be_read(data: bytes) -> None:
    for start in (b"", b"PK\x03\x04", OLE[:8]):
        found = OfficeFindings()
        read_old(start + data, found)
        read_new(b"a.docx", start + data, found)
        is_encrypted(start + data)
        assert found.links == set()
