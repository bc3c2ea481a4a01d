"""Attachments that are not accepted: what is found, what is taken out, what stays as it was."""

from __future__ import annotations

import base64
import gzip
import struct
from collections.abc import Callable

import libarchive
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain.verdict import Action, ChangeField, Verdict
from filterd.filters.gtube import Gtube, GtubeSettings
from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartRule, PartsSettings
from filterd.filters.parts.unpacking.kinds import kind_of
from filterd.filters.parts.unpacking.office import workbook
from filterd.message import Message
from tests.helpers import messages
from tests.helpers.archives import PROGRAM, zipped
from tests.helpers.edits import after
from tests.hostile.tricks import archives, encodings

PDF_WITH_SCRIPT = b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/Java#53cript/JS(app.alert)>>>>"


def examined(data: bytes, parts: Parts | None = None) -> Verdict:
    return (parts or Parts(PartsSettings())).examine(Message(data, id="X1"))


def names(verdict: Verdict) -> set[str]:
    return {symbol.name for symbol in verdict.symbols}


def test_clean_mail_is_left_alone() -> None:
    assert examined(messages.message()) == Verdict()
    assert examined(messages.multipart([("minutes.txt", b"All agreed.")])) == Verdict()


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_a_banned_part_gives_way_to_a_notice_and_nothing_else_changes(eol: bytes) -> None:
    data = messages.multipart([("run.exe", PROGRAM), ("minutes.txt", b"All agreed.")])
    data = data.replace(b"\r\n", eol)
    verdict = examined(data)
    assert names(verdict) == {"BANNED_PART"}
    assert verdict.action is Action.ACCEPT
    (removed,) = verdict.removed
    assert removed.filename == "run.exe"

    left = after(data, verdict)
    assert left.startswith(data[: removed.start])
    assert left.endswith(data[removed.end :])
    assert (b"\r\n" in left) == (eol == b"\r\n")
    before, now = Message(data), Message(left)
    assert [p.filenames for p in now.leaves()] == [(), (), ("minutes.txt",)]
    assert [p.body for p in now.leaves()][::2] == [p.body for p in before.leaves()][::2]
    notice = list(now.leaves())[1].text
    assert "run.exe" in notice
    assert "X1" in notice


def test_a_message_that_is_the_banned_part_keeps_its_header_but_for_what_describes_it() -> None:
    part = messages.attachment("run.exe", PROGRAM)
    header, _, body = part.partition(b"\r\n\r\n")
    data = messages.message(body + b"\r\n", *header.split(b"\r\n"))
    verdict = examined(data)
    changed = {edit.name: edit.value for edit in verdict.edits if isinstance(edit, ChangeField)}
    assert changed == {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
        "Content-Disposition": "inline",
    }
    assert b"run.exe" in after(data, verdict)[Message(data).body_start :]


@pytest.mark.parametrize(
    ("way", "action"),
    [
        ("score", Action.ACCEPT),
        ("quarantine", Action.QUARANTINE),
        ("reject", Action.REJECT),
    ],
)
def test_other_actions_leave_the_message_whole(way: str, action: Action) -> None:
    verdict = examined(messages.multipart([("a.exe", b"x")]), Parts(PartsSettings(action=way)))  # type: ignore[arg-type]
    assert (verdict.action, verdict.edits) == (action, ())
    assert (verdict.reply is not None) == (action is Action.REJECT)


@pytest.mark.parametrize(
    ("name", "content", "symbol"),
    [
        ("photo.jpg", PROGRAM, "BANNED_PART"),
        ("a.zip", zipped(**{"deep/run.exe": b"x"}), "BANNED_PART"),
        ("a.zip", zipped(**{"photo.jpg": PROGRAM}), "BANNED_PART"),
        ("a.gz", gzip.compress(bytes(30 << 20), 1), "ARCHIVE_LIMIT"),
        ("a.pdf", PDF_WITH_SCRIPT, "DOC_SCRIPT"),
        ("a.pdf", b"%PDF-1.4\n<</S/Launch/F(cmd.exe)>>", "DOC_LAUNCH"),
        ("a.svg", b"<svg xmlns='x'><script>alert(1)</script></svg>", "DOC_SCRIPT"),
        ("a.html", b"<html><body onload=go()>hi</body></html>", "DOC_SCRIPT"),
        ("a.rtf", b"{\\rtf1{\\object\\objemb{\\*\\objdata 0105}}}", "DOC_EMBEDDED"),
        ("a.rtf", b"{\\rtf1{\\*\\template http://x.example/a.dotm}}", "DOC_REMOTE"),
        (
            "a.docx",
            zipped(
                **{
                    "word/_rels/settings.xml.rels": b'<Relationship Id="1" Type="http://x/attached'
                    b'Template" Target="http://x.example/a" TargetMode="External"/>'
                }
            ),
            "DOC_REMOTE",
        ),
        (
            "a.docx",
            zipped(
                **{"word/document.xml": b'<w:instrText>DDEAUTO "c:\\\\cmd.exe" "/k"</w:instrText>'}
            ),
            "DOC_DDE",
        ),
    ],
)
def test_content_tells_what_the_name_does_not(name: str, content: bytes, symbol: str) -> None:
    assert symbol in names(examined(messages.multipart([(name, content)])))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pdf", b"%PDF-1.4\n<</Type/Catalog/JSON 1/Launched 2>>"),
        ("a.html", b"<html><body>Conclusion: one = two</body></html>"),
        ("a.docx", zipped(**{"word/document.xml": b"<w:t>DDE is an old protocol</w:t>"})),
        ("a.txt", b"MZ is how programs begin"),
        ("a.zip", zipped(**{"minutes.txt": b"x"})),
    ],
)
def test_harmless_documents_are_left_alone(name: str, content: bytes) -> None:
    assert examined(messages.multipart([(name, content)])) == Verdict()


def test_signed_mail_is_held_rather_than_broken() -> None:
    data = messages.multipart([("run.exe", PROGRAM)]).replace(
        b"multipart/mixed;", b"multipart/signed;"
    )
    assert examined(data).action is Action.QUARANTINE
    assert examined(data).removed == ()
    assert examined(data, Parts(PartsSettings(signed="strip"))).removed != ()


def test_what_only_other_readers_see_holds_the_message() -> None:
    body = b"Hello\r\n\r\nbegin 644 run.exe\r\n#86)C\r\n`\r\nend\r\n"
    verdict = examined(messages.message(body))
    assert names(verdict) == {"MIME_AMBIGUOUS", "BANNED_PART"}
    assert (verdict.action, verdict.edits) == (Action.QUARANTINE, ())


HIDDEN = (
    b"Subject: a\r\nno field\r\nContent-Type: text/plain\r\n\r\n"
    b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename=%s\r\n\r\n%s\r\n"
)
"""A part behind a header that a line ends that is no field, and no boundary anywhere."""


def hiding(name: bytes, content: bytes) -> bytes:
    return HIDDEN % (name, base64.encodebytes(content))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (b"run.exe", b"hello"),
        (b"a.txt", PROGRAM),
        (b"a.zip", zipped(**{"run.exe": b"hello"})),
    ],
)
def test_a_banned_part_that_no_reading_shows_holds_the_message(name: bytes, content: bytes) -> None:
    data = hiding(name, content)
    verdict = examined(data)
    (symbol,) = verdict.symbols
    assert (symbol.name, symbol.score) == ("MIME_HIDDEN_PART", 3.0)
    at = data.index(b"Content-Type: application")
    assert symbol.detail.startswith(f"{name.decode()} near octet {at}: ")
    assert (verdict.action, verdict.edits) == (Action.QUARANTINE, ())


@pytest.mark.parametrize("line", [b"\r\n-\r\n", b"\r\n--'\r\n"])
def test_a_line_that_begins_with_a_hyphen_does_not_end_what_is_hidden(line: bytes) -> None:
    coded = base64.b64encode(PROGRAM)
    verdict = examined(HIDDEN % (b"a.dat", coded[:1] + line + coded[1:]))
    assert names(verdict) == {"MIME_HIDDEN_PART"}
    assert verdict.action is Action.QUARANTINE


def test_what_a_mail_kept_as_a_file_holds_beyond_the_limits_is_said() -> None:
    part = b"--x\r\n\r\nhello\r\n"
    letter = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    many = messages.multipart([("a.eml", letter + part * 2500 + b"--x--\r\n")])
    assert names(examined(many)) >= {"MIME_TOO_MANY_PARTS"}
    assert examined(many).action is Action.QUARANTINE
    # A text with many lines that look like fields is not mail with a long header.
    settings = b"Content-Type: text/plain\nDate: today\n" + b"key: value; a; b\n" * 3000
    few = messages.multipart([("a.txt", settings), ("a.eml", letter + part + b"--x--\r\n")])
    assert examined(few) == Verdict()


def test_pictures_in_an_address_book_mean_nothing() -> None:
    picture = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(200))
    card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Joe\r\nPHOTO;ENCODING=b;TYPE=JPEG:%s\r\nEND:VCARD\r\n"
    assert examined(messages.multipart([("all.vcf", card % picture * 50)])) == Verdict()


@pytest.mark.parametrize("code", [encodings.uuencoded, encodings.yenc, encodings.binhex])
def test_nor_does_it_cover_a_copy_in_a_coding(code: Callable[[bytes, bytes], bytes]) -> None:
    data = messages.multipart([("run.exe", PROGRAM)]) + code(PROGRAM, b"run.exe")
    assert names(examined(data)) == {"BANNED_PART", "MIME_HIDDEN_PART"}
    assert examined(data).action is Action.QUARANTINE


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
@pytest.mark.parametrize("oddity", [b"no field\r\n", b"no\0field\r\n", b"X-A: b\rno field\r\n"])
def test_what_is_stripped_does_not_cover_its_copy(oddity: bytes, eol: bytes) -> None:
    part = b"--x\r\nContent-Disposition: attachment; filename=run.exe\r\n\r\nhello\r\n"
    copy = b"--x\r\n" + oddity + b"\r\n" + part.replace(b"--x", b"--y") + b"--y--\r\n--x--\r\n"
    top = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    assert examined((top + part + copy).replace(b"\r\n", eol)).action is Action.QUARANTINE
    alone = b"--x\r\n" + oddity + b"\r\nhello\r\n--x--\r\n"
    verdict = examined((top + part + alone).replace(b"\r\n", eol))
    assert (verdict.action, len(verdict.removed)) == (Action.ACCEPT, 1)


def test_what_it_means_is_a_setting_for_all_and_for_some() -> None:
    data = hiding(b"run.exe", b"hello")
    assert examined(data, Parts(PartsSettings(hidden="score"))).action is Action.ACCEPT
    assert examined(data, Parts(PartsSettings(hidden="reject"))).action is Action.REJECT
    rules = (PartRule(extensions=("js",), kinds=()),)
    assert examined(data, Parts(PartsSettings(rules=rules))) == Verdict()
    assert (
        examined(data, Parts(PartsSettings(rules=(PartRule(hidden="score"),)))).action
        is Action.ACCEPT
    )


def test_the_cause_is_what_forces_the_action() -> None:
    """Not what was found first."""
    banned = messages.multipart([("a.pdf", PDF_WITH_SCRIPT), ("a.exe", b"x")])
    held = examined(banned, Parts(PartsSettings(action="quarantine")))
    assert [one.name for one in held.symbols] == ["DOC_SCRIPT", "BANNED_PART"]
    assert held.action is Action.QUARANTINE
    assert held.because == "a.exe: files of type .exe are not accepted"
    assert examined(messages.multipart([("a.pdf", PDF_WITH_SCRIPT)])).because == ""


def test_harmless_parts_of_odd_mail_mean_nothing() -> None:
    assert examined(hiding(b"minutes.txt", b"All agreed.")) == Verdict()
    assert examined(hiding(b"minutes.zip", zipped(**{"minutes.txt": b"x"}))) == Verdict()


@pytest.mark.parametrize("pack", [archives.zipped, archives.tarred])
def test_an_archive_that_may_go_on_holds_the_message(pack: Callable[..., bytes]) -> None:
    """Where a part ends that is not encoded nobody knows, so it may hold more to its reader."""
    hiding = b"Subject: a\r\nno field\r\n\r\nContent-Disposition: x; filename=a.bin\r\n\r\n"
    verdict = examined(hiding + pack("a.txt", b"All agreed.") + b"\nContent-Type: a/b\n\nmore")
    assert "MIME_HIDDEN_PART" in names(verdict)
    assert verdict.action is Action.QUARANTINE


def test_a_message_in_pieces_is_held() -> None:
    data = messages.message(b"x", b'Content-Type: message/partial; id="a"; number=1; total=2')
    assert names(examined(data)) == {"MIME_PARTIAL"}
    assert examined(data).action is Action.QUARANTINE


def test_a_whole_message_inside_a_message_keeps_who_wrote_it() -> None:
    inner = b"From: <eve@x.example>\r\nSubject: hi\r\n" + messages.attachment("run.exe", PROGRAM)
    data = messages.message(inner, b"Content-Type: message/rfc822")
    left = after(data, examined(data))
    assert b"From: <eve@x.example>\r\nSubject: hi\r\n" in left
    assert b"filename=" not in left


def test_the_notice_is_a_template_that_is_checked() -> None:
    data = messages.multipart([("run.exe", b"x")])
    verdict = examined(data, Parts(PartsSettings(notice="gone: $filename ($id)")))
    assert b"gone: run.exe (X1)" in after(data, verdict)
    with pytest.raises(ValueError, match="known"):
        Parts(PartsSettings(notice="$name"))


def test_kinds_need_more_than_two_letters() -> None:
    assert kind_of(b"MZ greets you") == ""
    assert kind_of(PROGRAM) == "exe"
    assert kind_of(b"\xef\xbb\xbf  <!DOCTYPE html><html>") == "html"
    assert kind_of(bytes(40_000)) == ""


def test_passwords_from_the_text_open_an_archive_if_that_is_wanted() -> None:
    data = messages.multipart(
        [("a.zip", locked_zip("geheim7", "photo.jpg", PROGRAM))],
        text=b"Hello,\r\n\r\nthe password is: geheim7.\r\n",
    )
    assert names(examined(data)) == {"ARCHIVE_ENCRYPTED"}
    assert names(examined(data, Parts(PartsSettings(try_passwords=True)))) == {"BANNED_PART"}


def locked_zip(password: str, name: str, content: bytes) -> bytes:
    packed = bytearray()

    def write(block: bytes) -> int:
        packed.extend(block)
        return len(block)

    options = "encryption=traditional"
    with libarchive.custom_writer(write, "zip", passphrase=password, options=options) as writer:
        writer.add_file_from_memory(name, len(content), content)
    return bytes(packed)


# None is of a banned kind by its content: that is what the names decide here.
CONTENTS = st.binary(max_size=60).map(b"data ".__add__)
NAMES = st.sampled_from(["run.exe", "minutes.txt", "a.js", "photo.png", "table.csv", "x.scr"])


@given(st.lists(st.tuples(NAMES, CONTENTS), max_size=6), st.booleans())
def test_stripping_takes_the_banned_parts_and_nothing_else(
    files: list[tuple[str, bytes]], unix: bool
) -> None:
    data = messages.multipart(files)
    data = data.replace(b"\r\n", b"\n") if unix else data
    verdict = examined(data)
    left = after(data, verdict)
    banned = {"run.exe", "a.js", "x.scr"}
    assert [part.filename for part in verdict.removed] == [n for n, _ in files if n in banned]

    # The same tree, with a notice where a banned part was.
    before, now = list(Message(data).leaves()), list(Message(left).leaves())
    assert len(before) == len(now)
    for old, new in zip(before, now, strict=True):
        if set(old.filenames) & banned:
            assert (new.content_type, new.filenames) == ("text/plain", ())
        else:
            assert data[old.start : old.end] == left[new.start : new.end]

    # What lies outside the removed spans is in the result, octet for octet and in order.
    position = 0
    at = 0
    for part in [*verdict.removed, None]:
        stretch = data[position : part.start if part else len(data)]
        at = left.index(stretch, at) + len(stretch)
        position = part.end if part else position
    assert at == len(left)


def test_gtube_is_found_in_plain_and_coded_text() -> None:
    assert Gtube(GtubeSettings()).examine(Message(messages.gtube())).score == 1000
    assert Gtube(GtubeSettings()).examine(Message(messages.message())) == Verdict()


def test_excel_4_macros_are_found_in_aworkbook() -> None:
    sheet = struct.pack("<HHIBB", 0x0085, 8, 0, 0, 1) + b"\x00\x00"
    plain = struct.pack("<HHIBB", 0x0085, 8, 0, 0, 0) + b"\x00\x00"
    begin = struct.pack("<HH", 0x0809, 4) + bytes(4)
    assert list(workbook(begin + plain)) == []
    assert list(workbook(begin + plain + sheet)) == [("DOC_MACRO", "Excel 4 macros")]
    assert "DOC_MACRO" in names(
        examined(messages.multipart([("a.xlsx", zipped(**{"xl/macrosheets/s1.xml": b"<x/>"}))]))
    )
