"""What is banned as it comes: by extension, by declared type, by content."""

from __future__ import annotations

import struct
import tarfile
import uuid
from pathlib import Path

import pytest

from filterd.chain.verdict import Verdict
from filterd.config.load import ConfigError, load
from filterd.filters.parts.filter import Parts
from filterd.filters.parts.lists import BANNED, BANNED_MEDIA_TYPES
from filterd.filters.parts.settings import PartRule, PartsSettings
from filterd.filters.parts.unpacking import msi
from filterd.filters.parts.unpacking.files import File
from filterd.message import Envelope, Message, Recipient
from tests.helpers import messages
from tests.hostile.tricks import archives, documents
from tests.hostile.tricks.encodings import PROGRAM
from tests.hostile.tricks.structure import TEXT, base64_of, usual

pytestmark = pytest.mark.slow

FAMILIES = (
    "cer crt der",
    "docm dotm xlsm xltm xlam pptm potm ppsm ppam sldm vsdm vssm vstm",
    "accda accde accdr accdu ade adp mda mdb mde mdt mdw mdz",
    "appx appxbundle msix msixbundle appinstaller",
    "py pyc pyo pyw pyz pyzw",
    "js jse mjs vb vbe vbs ws wsc wsf wsh",
    "ps1 ps1xml ps2 ps2xml psc1 psc2 psd1 psdm1 psm1 pssc cdxml",
    "terminal inetloc fileloc webloc mobileconfig pkg mpkg scpt scptd command app dmg",
    "img iso vhd vhdx vmdk qcow2",
    "diagcab diagcfg diagpkg",
    "theme themepack desktopthemepackfile",
    "msi msp mst msu",
    "asp aspx asx htc hta",
    "library-ms search-ms searchconnector-ms settingcontent-ms appref-ms appcontent-ms",
)
"""Extensions of which one is as good as another."""


def examined(data: bytes, parts: Parts | None = None, *recipients: str) -> Verdict:
    envelope = Envelope("a@client.example", tuple(map(Recipient, recipients)))
    return (parts or Parts(PartsSettings(verify_dkim=False))).examine(
        Message(data, envelope, id="X1")
    )


def typed(media_type: str, name: str = "file.dat", content: bytes = b"text only") -> bytes:
    part = f"Content-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\n"
    part += f"Content-Disposition: attachment; filename={name}\r\n\r\n" if name else "\r\n"
    return usual(TEXT, part.encode() + base64_of(content))


@pytest.mark.parametrize("family", FAMILIES)
def test_whole_families_of_extensions_are_banned(family: str) -> None:
    assert set(family.split()) - set(BANNED) == set()


def test_the_lists_are_in_order() -> None:
    assert list(BANNED) == sorted(set(BANNED))
    assert all(extension == extension.lower().strip(".") for extension in BANNED)
    assert all(media_type.count("/") == 1 for media_type in BANNED_MEDIA_TYPES)
    # Each type as it comes stands for an extension that is banned as it comes.
    rule = Parts(PartsSettings())._rules._default
    assert rule.media_types == frozenset(BANNED_MEDIA_TYPES)


@pytest.mark.parametrize("name", ["file.dat", "photo.jpg", "minutes.txt", ""])
@pytest.mark.parametrize(
    "media_type",
    [
        "application/x-msdownload",
        "Application/X-MSDOS-Program",
        "application/javascript",
        "text/javascript",
        "text/vbscript",
        "application/x-bat",
        "application/hta",
        "application/vnd.ms-word.document.macroEnabled.12",
    ],
)
def test_a_banned_declared_type_is_taken_out_whatever_the_name(media_type: str, name: str) -> None:
    verdict = examined(typed(media_type, name))
    assert [part.filename for part in verdict.removed] == [name or "without a name"]
    assert "BANNED_PART" in {symbol.name for symbol in verdict.symbols}


def test_a_declared_type_counts_in_attached_mail_too() -> None:
    inner = typed("application/x-msdownload")
    for name in ("a.eml", "a.mht"):
        assert len(examined(archives.mailed(name, inner)).removed) == 1
    packed = archives.zipped("a.eml", inner)
    assert len(examined(archives.mailed("a.zip", packed)).removed) == 1


@pytest.mark.parametrize("media_type", ["text/vbscript", "application/x-bat", "text/javascript"])
def test_parts_without_a_name_are_judged_by_type_in_attached_mail_too(media_type: str) -> None:
    inner = typed(media_type, "", b"<html> is what this script writes")
    assert len(examined(inner).removed) == 1
    assert len(examined(archives.mailed("a.eml", inner)).removed) == 1


def test_parts_without_a_name_are_opened_where_a_reader_saves_them() -> None:
    packed = b"junk" + archives.zipped("run.exe")
    for described in (
        b"text/plain\r\nContent-Disposition: attachment",
        b"application/octet-stream",
    ):
        part = b"Content-Type: " + described + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        message = usual(TEXT, part + base64_of(packed))
        assert len(examined(message).removed) == 1
        assert len(examined(archives.mailed("a.eml", message)).removed) == 1


def test_other_types_pass() -> None:
    for media_type in ("application/octet-stream", "application/pdf", "application/x-unknown"):
        assert examined(typed(media_type)) == Verdict()


def test_a_type_of_the_list_counts_while_its_extension_is_banned() -> None:
    script = typed("text/javascript")
    assert examined(script, Parts(PartsSettings(extensions=("exe",)))) == Verdict()
    assert examined(
        typed("application/x-msdownload"), Parts(PartsSettings(extensions=("exe",)))
    ).removed
    own = Parts(PartsSettings(extensions=(), media_types=("Text/JavaScript",)))
    assert examined(script, own).removed
    assert examined(typed("application/x-msdownload"), own) == Verdict()
    assert examined(script, Parts(PartsSettings(media_types=()))) == Verdict()


def test_rules_have_types_of_their_own() -> None:
    script = typed("text/javascript")
    rules = (
        PartRule("developers", recipients=("dev@mx.example",), extensions=("exe",)),
        PartRule("clerks", recipients=("clerk@mx.example",), media_types=("application/pdf",)),
    )
    parts = Parts(PartsSettings(rules=rules))
    assert examined(script, parts, "dev@mx.example") == Verdict()
    assert examined(script, parts, "clerk@mx.example") == Verdict()
    assert examined(typed("application/pdf"), parts, "clerk@mx.example").removed
    assert examined(script, parts, "ann@mx.example").removed


@pytest.mark.parametrize("wrong", ["exe", "text/", "text/a b", "", "*/*;"])
def test_what_is_not_a_media_type_is_refused(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected type/subtype"):
        Parts(PartsSettings(media_types=(wrong,)))
    settings = tmp_path / "filterd.toml"
    settings.write_text(f'[filters.parts]\nmedia_types = ["{wrong}"]\n')
    with pytest.raises(ConfigError, match="media_types"):
        load(settings)


def compound_of(class_id: str, *streams: tuple[str, bytes]) -> bytes:
    """A compound file with a class id at its root (MS-CFB §2.6.1)."""
    packed = bytearray(documents.compound(*streams))
    (sector,) = struct.unpack_from("<I", packed, 48)
    at = (sector + 1) * 512 + 80
    packed[at : at + 16] = uuid.UUID(class_id).bytes_le
    return bytes(packed)


INSTALLERS = {
    f"class id {number:X}": compound_of(
        f"{number:08x}-0000-0000-c000-000000000046", ("a", b"x" * size)
    )
    for number, size in ((0xC1082, 1), (0xC1084, 1), (0xC1086, 1), (0xC1084, 60_000))
}
INSTALLERS["tables, without a class id"] = documents.compound(
    (msi.stream_name("_StringPool").decode("utf-16-le"), b"x"),
    (msi.stream_name("_StringData").decode("utf-16-le"), b"x"),
)


@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("name", ["photo.jpg", "setup.doc", "data"])
def test_an_installer_is_told_by_its_content(installer: str, name: str) -> None:
    content = INSTALLERS[installer]
    assert "msi" in File.of((name,), content).kinds
    verdict = examined(archives.mailed(name, content))
    assert [part.filename for part in verdict.removed] == [name]
    packed = archives.zipped(name, content)
    assert len(examined(archives.mailed("a.zip", packed)).removed) == 1


def test_other_compound_files_are_no_installers() -> None:
    word = compound_of("00020906-0000-0000-c000-000000000046", ("WordDocument", b"\xec\xa5\xc1\0"))
    assert File.of(("a.doc",), word).kinds == ("ole",)
    assert examined(archives.mailed("a.doc", word)) == Verdict()
    assert msi.is_installer(word[:100]) is False
    # The names of tables as Windows Installer writes them.
    assert msi.stream_name("_Tables") == "\u4840\u3f7f\u4164\u422f\u4836".encode("utf-16-le")


def test_programs_that_an_installer_or_a_document_keeps_as_a_stream_are_found() -> None:
    for stream in ("Package", "CONTENTS", "Binary.setup"):
        content = documents.compound(("WordDocument", b"\xec\xa5\xc1\0"), (stream, PROGRAM))
        assert len(examined(archives.mailed("a.doc", content)).removed) == 1
    broken = documents.compound(("\1Ole10Native", b"\xff" * 5000), ("Package", PROGRAM))
    assert len(examined(archives.mailed("a.doc", broken)).removed) == 1


def test_a_name_that_some_links_have_is_judged() -> None:
    packed = archives.tarred("a.txt")[:-1024] + archives.tarred(
        "run.exe", b"", type=tarfile.LNKTYPE, linkname="a.txt"
    )
    assert len(examined(archives.mailed("a.tar", packed)).removed) == 1


def test_extensions_of_macs_are_banned_in_archives_too() -> None:
    for name in ("a.terminal", "b.inetloc", "c.py", "d.msixbundle", "e.cer"):
        data = messages.multipart([("a.zip", archives.zipped(name))])
        assert len(examined(data).removed) == 1


def pdf_with(name: bytes) -> bytes:
    content = documents.pdf_stream(b"/Type/EmbeddedFile", b"x = 1\n" * 9)
    return documents.pdf(b"<</Type/Filespec %s/EF<</F 2 0 R>>>>" % name, content)


@pytest.mark.parametrize(
    ("name", "banned"),
    [
        (b"/F(notes.js)/UF(notes.js)", True),
        (b"/F(notes.txt)/UF(\xfe\xff\0n\0.\0j\0s)", True),
        (b"/F(notes\\056js)", True),
        (b"/F <6E2e 6a73>", True),
        (b"/UF(notes\\(1\\).vbs)", True),
        (b"/#46(notes.js)", True),
        (b"/F(notes.txt)", False),
        (b"/F(notes\\8.txt)/UF<6>", False),
        (b"/F(http://www.firm.com)", False),
    ],
)
def test_a_file_in_a_pdf_is_judged_by_its_name(name: bytes, banned: bool) -> None:
    verdict = examined(archives.mailed("a.pdf", pdf_with(name)))
    assert ("BANNED_PART" in {symbol.name for symbol in verdict.symbols}) is banned


def test_a_file_in_a_pdf_is_read_as_its_name_says() -> None:
    page = b"PK\5\6" + bytes(18) + b"<html><script>x()</script></html>"
    content = documents.pdf_stream(b"/Type/EmbeddedFile", page)
    for name, symbol in ((b"p.html", "DOC_SCRIPT"), (b"p.bin", "DOC_EMBEDDED")):
        file = documents.pdf(b"<</Type/Filespec/F(%s)/EF<</F 2 0 R>>>>" % name, content)
        found = {one.name for one in examined(archives.mailed("a.pdf", file)).symbols}
        assert symbol in found, name
