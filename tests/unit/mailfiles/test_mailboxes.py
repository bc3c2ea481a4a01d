"""Mail as mail servers, mail programs and people really keep it, some of it in use meanwhile."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import libarchive
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.mailfiles import corpora, items, mail_file, mbox
from filterd.mailfiles.corpora import find_messages, read_messages
from filterd.mailfiles.mail_file import CorpusError, SkippedError
from filterd.mailfiles.selection import (
    EMPTY,
    NO_ATTACHED,
    NOT_MAIL,
    Skips,
    attached_messages,
    why_not_mail,
)
from filterd.system.child import python_command
from tests.helpers.commands import filterd
from tests.helpers.training_mail import mail

pytestmark = pytest.mark.slow

A = b"From: a@s.example\nSubject: a\n\nfirst\n"
B = b"From: b@s.example\nSubject: b\n\nsecond\n"


def zstd(data: bytes) -> bytes:
    pieces: list[bytes] = []

    def write(piece: bytes) -> int:
        pieces.append(bytes(piece))
        return len(piece)

    with libarchive.custom_writer(write, "raw", "zstd") as archive:
        archive.add_file_from_memory("m", len(data), data)
    return b"".join(pieces)


def read(path: Path) -> list[bytes]:
    return [data for _label, _name, data in read_messages(path)]


def spans(data: bytes) -> list[bytes]:
    return [data[start:end] for start, end in mbox.spans(io.BytesIO(data))]


# --- mbox --------------------------------------------------------------------------------------

SEPARATORS = {
    "ctime": b"From a@s.example Sat Nov 28 10:00:00 2026",
    "two blanks, day below ten": b"From a@s.example  Sun Nov  1 10:00:00 2026",
    "zone": b"From a@s.example Sat Nov 28 10:00:00 CET 2026",
    "zone behind the year": b"From a@s.example Sat Nov 28 10:00:00 2026 +0100",
    "no seconds": b"From a@s.example Sat Nov 28 10:00 2026",
    "no time of day": b"From a@s.example Sat Nov 28 2026",
    "year of two digits": b"From a@s.example Sat Nov 28 10:00:00 EST 98",
    "nobody": b"From MAILER-DAEMON Sat Nov 28 10:00:00 2026",
    "Mozilla": b"From - Sat Nov 28 10:00:00 2026",
    "Eudora": b"From ???@??? Sat Nov 28 10:00:00 2026",
    "RFC 5322 date": b"From a@s.example Sat, 28 Nov 2026 10:00:00 +0000",
    "RFC 5322 date without day": b"From a@s.example 28 Nov 2026 10:00:00 +0000",
    "ISO 8601": b"From a@s.example 2026-11-28T10:00:00Z",
    "UUCP": b"From a@s.example Sat Nov 28 10:00:00 2026 remote from there",
    "quoted sender": b'From "a b"@s.example Sat Nov 28 10:00:00 2026',
    "sender alone": b"From a@s.example",
}

TEXT = [
    b"From here on it is text, no time of day",
    b"From 10:30 to 11:00 we meet",
    b"From Monday on I am away",
    b"From Nov 2026 on prices rise",
    b"From the 28 Nov 2026 report",
    b"From",
    b"From me",
    b"From: nobody",
]


@pytest.mark.parametrize("line", SEPARATORS.values(), ids=SEPARATORS)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_separators_that_programs_write(line: bytes, newline: bytes) -> None:
    box = b"".join(line + b"\n" + message + b"\n" for message in (A, B))
    assert spans(box.replace(b"\n", newline)) == [
        A.replace(b"\n", newline),
        B.replace(b"\n", newline) + newline,
    ]


@pytest.mark.parametrize(
    "line", [v for k, v in SEPARATORS.items() if k not in ("sender alone", "year of two digits")]
)
def test_separators_without_an_empty_line_before(line: bytes) -> None:
    box = b"".join(line + b"\n" + message for message in (A, B))
    assert spans(box) == [A, B]


@pytest.mark.parametrize("line", TEXT)
@pytest.mark.parametrize("before", [b"text\n", b"text\n\n"])
def test_text_that_begins_with_from_is_text(line: bytes, before: bytes) -> None:
    message = b"Subject: a\n\n" + before + line + b"\nand on it goes\n"
    assert spans(SEPARATORS["ctime"] + b"\n" + message) == [message]


def test_an_mbox_of_one_message_is_unquoted_as_any(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(SEPARATORS["ctime"] + b"\n" + A + b"\n>From me\n>>From him\n")
    (found,) = read_messages(tmp_path / "box")
    assert found == (None, str(tmp_path / "box"), A + b"\nFrom me\n>From him\n")


@settings(max_examples=60)
@given(
    st.lists(st.binary(max_size=300).filter(lambda d: b"From " not in d), min_size=1, max_size=6),
    st.integers(min_value=1, max_value=4096),
)
def test_blocks_of_any_size_give_the_same_messages(bodies: list[bytes], block: int) -> None:
    messages = [b"Subject: x\n\n" + body.replace(b"\r", b"") + b"\n" for body in bodies]
    box = b"".join(SEPARATORS["ctime"] + b"\n" + m + b"\n" for m in messages)
    found = spans_in_blocks(box, block)
    assert found == [*messages[:-1], messages[-1] + b"\n"]


def spans_in_blocks(box: bytes, block: int) -> list[bytes]:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, block))

    return [box[start:end] for start, end in mbox.spans(Slow(box))]


def test_a_large_mbox_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "box"
    message = SEPARATORS["ctime"] + b"\n" + A + b"x" * 70 + b"\n" * 2
    with path.open("wb") as file:
        for _ in range(40):
            file.write(message * 10_000)  # 52 MB
    tracemalloc.start()
    with path.open("rb") as file:
        count = sum(1 for _ in mbox.spans(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 400_000
    assert peak < 8 * mbox.BLOCK


# --- compressed mail ---------------------------------------------------------------------------

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_messages_that_dovecot_compressed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """The zlib plugin keeps the name; only the first bytes tell."""
    cur = tmp_path / "Maildir/cur"
    cur.mkdir(parents=True)
    (cur / "1.M1P1.mx,S=40,W=44:2,S").write_bytes(pack(A))
    (cur / "2.M1P1.mx,S=40,W=44:2,S").write_bytes(B)
    assert read(tmp_path / "Maildir") == [A, B]
    assert read(cur / "1.M1P1.mx,S=40,W=44:2,S") == [A]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_a_compressed_mbox_whatever_its_name(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    box = b"".join(SEPARATORS["ctime"] + b"\n" + m + b"\n" for m in (A, B))
    (tmp_path / "box").write_bytes(pack(box))
    assert read(tmp_path / "box") == [A, B + b"\n"]
    assert read(tmp_path) == [A, B + b"\n"]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_a_damaged_compressed_message_is_left_out_by_name(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "1:2,S").write_bytes(pack(mail(1, spam=True))[:-9])
    (tmp_path / "2:2,S").write_bytes(B)
    told: list[SkippedError] = []
    assert [data for _l, _n, data in read_messages(tmp_path, told.append)] == [B]
    assert [error.name for error in told] == [str(tmp_path / "1:2,S")]
    assert "damaged" in told[0].reason


def test_a_bomb_in_a_mailbox_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_file, "MESSAGE_LIMIT", 10_000)
    (tmp_path / "1:2,S").write_bytes(gzip.compress(bytes(1 << 20)))
    with pytest.raises(SkippedError, match="more than 10000 bytes"):
        read(tmp_path / "1:2,S")


# --- a mailbox in use --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cur/1.M1.mx:2,", "cur/1.M1.mx:2,S"),
        ("cur/1.M1.mx:2,S", "cur/1.M1.mx:2,RST"),
        ("new/1.M1.mx", "cur/1.M1.mx:2,S"),
        ("new/1.M1.mx,S=12", "cur/1.M1.mx,S=12:2,"),
        ("cur/1.M1.mx;2,", "cur/1.M1.mx;2,S"),
    ],
)
def test_a_message_whose_flags_change_is_read_under_its_new_name(
    tmp_path: Path, before: str, after: str
) -> None:
    for folder in ("cur", "new"):
        (tmp_path / folder).mkdir()
    (tmp_path / before).write_bytes(A)
    (tmp_path / "cur/1.M1.mxx:2,S").write_bytes(B)  # another message, whose name begins alike
    stack = corpora.ExitStack()
    items = {item.name: item for item in find_messages(tmp_path, stack)}
    (tmp_path / before).rename(tmp_path / after)
    assert items[str(tmp_path / before)].read() == A


MOVES = [
    # What is listed first and second, and the move between them
    ("cur", "new", "new/1.M1.mx", "cur/1.M1.mx:2,S"),
    ("new", "cur", "new/1.M1.mx", "cur/1.M1.mx:2,S"),
    ("cur", "cur", "cur/1.M1.mx:2,", "cur/1.M1.mx:2,S"),
]


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for folder in ("cur", "new", "tmp"):
        (tmp_path / "box" / folder).mkdir(parents=True)
    (tmp_path / "box/cur/1.M1.mxx:2,S").write_bytes(B)
    return tmp_path / "box"


@pytest.mark.parametrize(("first", "second", "before", "after"), MOVES)
def test_a_message_that_moves_while_the_folders_are_listed_is_read_once(
    maildir: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str, before: str, after: str
) -> None:
    (maildir / before).write_bytes(A)

    def names(folder: Path) -> list[str]:
        return [path.name for path in folder.iterdir()]

    def walk(top: Path, **_: object) -> Iterator[tuple[str, list[str], list[str]]]:
        yield str(top), ["cur", "new", "tmp"], []
        yield str(top / first), [], names(top / first)
        (maildir / before).rename(maildir / after)
        yield str(top / second), [], names(top / second)

    monkeypatch.setattr(os, "walk", walk)
    assert sorted(read(maildir)) == [A, B]


def test_a_message_that_a_listing_passed_over_is_read(
    maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (maildir / "cur/1.M1.mx:2,S").write_bytes(A)
    walked = [(top, folders, []) for top, folders, _names in os.walk(maildir)]
    monkeypatch.setattr(os, "walk", lambda *_, **__: iter(walked))
    assert sorted(read(maildir)) == [A, B]


def test_a_delivery_that_ends_while_the_folders_are_listed_is_read(
    maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (maildir / "tmp/1.M1.mx").write_bytes(A)
    walked = list(os.walk(maildir))
    (maildir / "tmp/1.M1.mx").rename(maildir / "new/1.M1.mx")
    monkeypatch.setattr(os, "walk", lambda *_, **__: iter(walked))
    assert sorted(read(maildir)) == [A, B]


def test_a_maildir_that_never_stands_still_is_listed_a_few_times(
    maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listings: list[Path] = []
    listed = corpora._listed

    def growing(folder: Path) -> Iterator[Path]:
        listings.append(folder)
        (folder / f"{len(listings)}.M1.mx").write_bytes(A)
        return listed(folder)

    monkeypatch.setattr(corpora, "_listed", growing)
    assert len(read(maildir)) == 1 + len(listings)
    assert len(listings) == 2 * corpora._LISTINGS


def test_folders_with_those_names_that_are_no_maildir_have_names_of_any_kind(
    tmp_path: Path,
) -> None:
    for name, data in (("new/1;a", A), ("new/1;b", B), ("cur/1", A)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert sorted(read(tmp_path)) == [A, A, B]


def test_an_expunged_message_is_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "filterd.toml").write_text('[filters.bayes]\nmodels = "models"\n')
    cur = tmp_path / "spam/cur"
    cur.mkdir(parents=True)
    for n in range(6):
        (cur / f"{n}.M1.mx:2,").write_bytes(mail(n, spam=True))
    genuine = items.reader  # type: ignore[attr-defined]

    def expunging(path: Path, name: str, *, listed: bool = False) -> Callable[[], bytes]:
        """As if a mail program expunged every second message after it was found."""
        if int(path.name[0]) % 2:
            path.unlink()
        return genuine(path, name, listed=listed)

    monkeypatch.setattr(items, "reader", expunging)
    status, out, err = filterd(
        monkeypatch,
        capsys,
        "learn",
        "spam",
        tmp_path / "spam",
        "--json",
        "--config",
        tmp_path / "filterd.toml",
    )
    assert status == 0, err
    told = json.loads(out)
    assert (told["learned"], told["left_out"]) == (3, {"removed before it was read": 3})


# --- what is not mail --------------------------------------------------------------------------

OLE = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(500)
NOT = {
    "empty": (b"", EMPTY),
    "blank": (b"\r\n\r\n", EMPTY),
    "Outlook's .msg, Thumbs.db": (OLE, NOT_MAIL),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), NOT_MAIL),
    "Cyrus index": (b"\0\0\0\x0c\0\0\0\x11" + bytes(200), NOT_MAIL),
    "SQLite": (b"SQLite format 3\0" + bytes(100), NOT_MAIL),
    "HTML": (b"<!DOCTYPE html>\n<html><title>x</title>\n", NOT_MAIL),
    "JSON": (b'{"subject": "x",\n "from": "y"}\n', NOT_MAIL),
    "YAML": (b"name: x\nversion: 1\n", NOT_MAIL),
    "text": (b"Read this first. Note: these are examples.\n", NOT_MAIL),
    "PDF": (b"%PDF-1.7\n1 0 obj\n", NOT_MAIL),
}


@pytest.mark.parametrize(("data", "reason"), NOT.values(), ids=NOT)
def test_what_is_not_mail_is_not_learned(data: bytes, reason: str) -> None:
    assert why_not_mail(data) == reason


@pytest.mark.parametrize(
    "data",
    [
        A,
        b"Received: from x by y; Sat, 28 Nov 2026 10:00:00 +0000\n\nno more\n",
        b"X-Spam: yes\n\n",
        b"subject : blank before the colon\n\n",
        b"Return-Path: <>\nnonsense without a colon\nSubject: x\n\n",
    ],
)
def test_odd_mail_is_mail(data: bytes) -> None:
    assert why_not_mail(data) is None


def test_folders_with_other_files_are_learned_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "filterd.toml").write_text('[filters.bayes]\nmodels = "models"\n')
    for label in ("spam", "ham"):
        (tmp_path / "mail" / label).mkdir(parents=True)
        for n in range(3):
            name = tmp_path / "mail" / label / f"{n}."
            name.write_bytes(mail(n, spam=label == "spam"))
    other = tmp_path / "mail/spam"
    (other / "cyrus.cache").write_bytes(bytes(100))
    (other / "Thumbs.db").write_bytes(OLE)
    (other / "offer.msg").write_bytes(OLE)
    (other / "nothing").write_bytes(b"")
    config = ("--config", tmp_path / "filterd.toml")
    _status, out, _err = filterd(monkeypatch, capsys, "train", tmp_path / "mail", *config)
    assert "3 spam and 3 ham learned" in out
    assert "2 left out: not a message: no known header field" in out
    assert "1 left out: empty file" in out
    _status, out, _err = filterd(monkeypatch, capsys, "learn", "spam", other, *config)
    assert out.startswith("3 known\n2 left out: not a message: no known header field (")
    _status, out, _err = filterd(
        monkeypatch, capsys, "evaluate", tmp_path / "mail", "--json", *config
    )
    assert json.loads(out)["left_out"] == {NOT_MAIL: 2, EMPTY: 1}


# --- forwarded as attachment ------------------------------------------------------------------


def forwarded(*inner: bytes, kind: str = "message/rfc822", encode: bool = False) -> bytes:
    parts = []
    for message in inner:
        body = base64.encodebytes(message) if encode else message
        encoding = "Content-Transfer-Encoding: base64\n" if encode else ""
        name = "; name=offer.eml" if kind != "message/rfc822" else ""
        parts.append(f"--b\nContent-Type: {kind}{name}\n{encoding}\n".encode() + body + b"\n")
    return (
        b"From: joe@mx.example\nTo: spam@mx.example\nSubject: Fwd: this is spam\n"
        b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
        b"--b\nContent-Type: text/plain\n\nPlease block this.\n" + b"".join(parts) + b"--b--\n"
    )


def test_attached_messages_are_found_however_they_were_attached() -> None:
    assert attached_messages(forwarded(A)) == [A]
    assert attached_messages(forwarded(A, B)) == [A, B]
    assert attached_messages(forwarded(A, encode=True)) == [A]
    assert attached_messages(forwarded(A, kind="application/octet-stream", encode=True)) == [A]
    within = forwarded(A).replace(b"boundary=b", b"boundary=inner").replace(b"--b", b"--inner")
    assert attached_messages(forwarded(within)) == [within]
    assert attached_messages(A) == []


def test_unwrap_teaches_what_was_forwarded_and_not_the_wrapper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "filterd.toml").write_text('[filters.bayes]\nmodels = "models"\n')
    spam = [mail(n, spam=True) for n in range(2)]
    (tmp_path / "report.eml").write_bytes(forwarded(*spam))
    (tmp_path / "inline.eml").write_bytes(A)

    def learn(*arguments: object) -> dict[str, object]:
        _status, out, err = filterd(
            monkeypatch,
            capsys,
            "learn",
            *arguments,
            "--json",
            "--config",
            tmp_path / "filterd.toml",
        )
        assert not err
        found: dict[str, object] = json.loads(out)
        return found

    told = learn("spam", "--unwrap", tmp_path / "report.eml", tmp_path / "inline.eml")
    assert (told["learned"], told["left_out"]) == (2, {NO_ATTACHED: 1})
    (tmp_path / "first.eml").write_bytes(spam[0])
    assert learn("spam", tmp_path / "first.eml")["known"] == 1
    assert learn("forget", "--unwrap", tmp_path / "report.eml")["forgotten"] == 2


@pytest.mark.parametrize("before", [b"", b"From joe@mx.example  Sat Nov 28 10:00:00 2026\n"])
def test_an_alias_pipes_reports_into_the_command(tmp_path: Path, before: bytes) -> None:
    """As an MTA starts it: the report on standard input, with or without a `From ` line."""
    (tmp_path / "filterd.toml").write_text('[filters.bayes]\nmodels = "models"\n')
    command = python_command("filterd", "learn", "spam", "--unwrap", "--source", "forwarded", "-")
    for report, said in (
        (forwarded(mail(1, spam=True)), "1 learned\n"),
        (A, f"no messages found there\n1 left out: {NO_ATTACHED} (-)\n"),
    ):
        done = subprocess.run(
            [*command, "--config", str(tmp_path / "filterd.toml")],
            input=before + report,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.decode().startswith(said)


# --- index files -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["index.8000", "full", "delay.txt", "INDEX"])
def test_an_index_is_known_by_its_first_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "m1").write_bytes(A)
    (tmp_path / "m2").write_bytes(B)
    (tmp_path / name).write_bytes(b"spam m1\nham m2\n")
    assert [(label, data) for label, _n, data in read_messages(tmp_path / name)] == [
        ("spam", A),
        ("ham", B),
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfspam m1\r\nham m2\r\n",
        b"spam\tm1\nham\tm2\n",
        b"SPAM   m1\nHam m2",
    ],
    ids=["byte order mark and DOS line ends", "tabs", "capitals and blanks"],
)
@pytest.mark.parametrize("name", ["index", "labels.txt"])
def test_an_index_as_other_programs_save_it(tmp_path: Path, name: str, text: bytes) -> None:
    (tmp_path / "m1").write_bytes(A)
    (tmp_path / "m2").write_bytes(B)
    (tmp_path / name).write_bytes(text)
    assert [(label, data) for label, _n, data in read_messages(tmp_path / name)] == [
        ("spam", A),
        ("ham", B),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spam m1\n".encode("utf-16"), "index:1: is UTF-16, expected UTF-8"),
        (b"spam m1\nspam m\x001\n", "index:2: octet 6 is NUL"),
        (b"spam pipe\n", "pipe: cannot be read .is not a regular file"),
        (b"spam .\n", "cannot be read .Is a directory"),
    ],
    ids=["UTF-16", "NUL", "FIFO", "folder"],
)
def test_an_index_that_cannot_be_followed_says_where_and_why(
    tmp_path: Path, text: bytes, expected: str
) -> None:
    (tmp_path / "m1").write_bytes(A)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "index").write_bytes(text)
    with pytest.raises(CorpusError, match=expected):
        read(tmp_path / "index")


def test_a_message_that_begins_with_a_label_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"spam filter of the week\n\nbody\n")
    assert len(read(tmp_path / "m")) == 1


def test_a_bad_line_of_an_index_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("spam\n")
    with pytest.raises(CorpusError, match="index:1: expected `<label> <path>`"):
        read(tmp_path / "index")


def test_skips_are_counted_by_reason_with_an_example() -> None:
    skips = Skips()
    skips.add(SkippedError("a", EMPTY))
    skips.add(SkippedError("b", EMPTY))
    other = Skips()
    other.add(SkippedError("c", NOT_MAIL))
    skips.merge(other)
    assert skips.total == 3
    assert list(skips.lines()) == [
        "2 left out: empty file (a, ...)",
        "1 left out: not a message: no known header field (c)",
    ]
