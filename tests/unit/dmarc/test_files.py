"""Files with reports: packed or not, alone, in messages, mailboxes and folders."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest

from filterd.dmarc import files
from filterd.dmarc.files import reports_at, reports_in
from tests.helpers.feedback import OLD, feedback, record


def zipped(*documents: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for number, document in enumerate(documents):
            archive.writestr(f"r{number}.xml", document)
    return buffer.getvalue()


def mailed(attachment: bytes, kind: str = "application/gzip") -> bytes:
    message = EmailMessage()
    message["From"] = "reports@receiver.example"
    message["Subject"] = "Report Domain: example.org Submitter: receiver.example Report-ID: <one>"
    message.set_content("This is an aggregate report.")
    maintype, _, subtype = kind.partition("/")
    message.add_attachment(
        attachment, maintype=maintype, subtype=subtype, filename="r!example.org!1!2.xml.gz"
    )
    return message.as_bytes()


def bare(attachment: bytes) -> bytes:
    """A message that is nothing but the attachment, as Google sends them."""
    message = EmailMessage()
    message["From"] = "noreply@big.example"
    message.set_content(attachment, maintype="application", subtype="zip")
    return message.as_bytes()


@pytest.mark.parametrize(
    "data",
    [
        feedback(),
        b"\xef\xbb\xbf" + feedback(),
        feedback(form=OLD),
        gzip.compress(feedback()),
        gzip.compress(b"\xef\xbb\xbf" + feedback()),
        gzip.compress(feedback()) + b"\0" * 512,
        zipped(feedback()),
        zipped(feedback(), compression=zipfile.ZIP_STORED),
        mailed(gzip.compress(feedback())),
        mailed(zipped(feedback()), "application/octet-stream"),
        mailed(feedback(), "application/xml"),
        bare(zipped(feedback())),
    ],
)
def test_a_report_is_found(data: bytes) -> None:
    (found,) = reports_in(data, "x")
    assert found.report is not None, found.trouble
    assert found.report.id == "one"


def test_several_in_one_message() -> None:
    message = EmailMessage()
    message.set_content("two")
    for number in range(2):
        data = gzip.compress(feedback(id=str(number)))
        message.add_attachment(data, maintype="application", subtype="gzip", filename="a.xml.gz")
    found = list(reports_in(message.as_bytes(), "x"))
    assert [one.report and one.report.id for one in found] == ["0", "1"]


def encrypted() -> bytes:
    data = bytearray(zipped(feedback()))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    return bytes(data)


def many_members() -> bytes:
    return zipped(*[b"<a/>"] * 2000)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no report in it; expected XML, gzip, zip, or a message with one"),
        (b"hello\r\n", "no report in it"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "no report in it"),
        (mailed(b"%PDF-1.4", "application/pdf"), "no report in it"),
        (b"\x1f\x8b" + b"x" * 50, "damaged gzip data"),
        (gzip.compress(feedback())[:-20], "gzip data that is cut short"),
        (gzip.compress(b"<html/>"), "the root element is html"),
        (zipped(feedback())[:-30], "a zip archive that is cut short"),
        (b"PK\x03\x04" + b"PK\x05\x06" + b"\0" * 18, "without a file"),
        (encrypted(), "encrypted"),
        (zipped(feedback(), compression=zipfile.ZIP_LZMA), "unusual compression"),
        (many_members(), "a zip archive of more than 16 files"),
        (zipped(*[b"<a/>"] * 17), "a zip archive of more than 16 files"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, words: str) -> None:
    (found,) = reports_in(data, "x")
    assert found.report is None
    assert words in found.trouble


@pytest.mark.parametrize("packed", [gzip.compress, zipped])
def test_a_bomb_is_not_unpacked(
    packed: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "XML_LIMIT", 1 << 20)
    bomb = packed(b"<feedback>" + b" " * (4 << 20))
    assert len(bomb) < 10_000
    (found,) = reports_in(bomb, "x")
    assert found.trouble == "larger than 1 MiB when unpacked"


def test_a_trouble_is_told_in_few_words() -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a\x1b[2J" * 8000, b"<a/>")
    # The name in front of the file is another one than that in the directory.
    (found,) = reports_in(whole.getvalue().replace(b"a\x1b", b"b\x1b", 1), "x")
    assert found.trouble.startswith("a damaged zip archive (File name in directory")
    assert found.trouble.isprintable()
    assert len(found.trouble) < 300


def test_many_small_bombs_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "XML_LIMIT", 1 << 20)
    message = EmailMessage()
    message.set_content("bombs")
    for _ in range(5):
        data = gzip.compress(feedback(record()) + b" " * (400 << 10))
        message.add_attachment(data, maintype="application", subtype="gzip", filename="a")
    troubles = [found.trouble for found in reports_in(message.as_bytes(), "x")]
    assert troubles == ["", "", *["larger than 1 MiB when unpacked"] * 3]


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b.xml.gz").write_bytes(gzip.compress(feedback(id="b")))
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "a.eml").write_bytes(mailed(feedback(id="a"), "text/xml"))
    (tmp_path / ".hidden").write_bytes(feedback(id="hidden"))
    (tmp_path / "link.xml").symlink_to(tmp_path / "b.xml.gz")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "readme.txt").write_text("not a report")
    found = list(reports_at(tmp_path))
    assert [(Path(one.name).name, one.report and one.report.id) for one in found] == [
        ("b.xml.gz", "b"),
        ("a.eml", "a"),
        ("link.xml", "b"),
        ("readme.txt", None),
    ]


def test_an_mbox(tmp_path: Path) -> None:
    path = tmp_path / "mbox"
    line = b"From reports@receiver.example Mon Sep 21 00:00:00 2026\n"
    mails = (mailed(gzip.compress(feedback(id=str(number)))) for number in range(3))
    path.write_bytes(b"".join(line + mail + b"\n" for mail in mails))
    assert [one.report and one.report.id for one in reports_at(path)] == ["0", "1", "2"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(reports_at(tmp_path / "gone.xml"))


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILES_LIMIT", 2)
    for number in range(3):
        (tmp_path / f"{number}.xml").write_bytes(feedback(id=str(number)))
    troubles = [found.trouble for found in reports_at(tmp_path)]
    assert troubles == ["", "", "more than 2 files; the others are left out"]
    monkeypatch.setattr(files, "FILE_LIMIT", 100)
    assert all("larger than 100 bytes" in one.trouble for one in list(reports_at(tmp_path))[:2])
