"""The list of allowed and blocked senders: whom it fits, how it changes, and when that counts."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from filterd.filters.senders.filter import Senders
from filterd.filters.senders.list import ListEntryError, SenderEntry, change, read
from filterd.filters.senders.settings import SendersSettings
from filterd.message import Envelope, Message, Recipient
from filterd.message.authentication import (
    Authentication,
    AuthResult,
    DkimCheck,
    DmarcCheck,
    SpfCheck,
)


def message(sender: str, *recipients: str) -> Message:
    return Message(b"A: b\r\n\r\n", Envelope(sender, tuple(map(Recipient, recipients))))


@pytest.mark.parametrize(
    ("line", "sender", "recipients", "symbol"),
    [
        ("allow ann@a.test", "ANN@A.test", ["joe@mx.test"], "SENDER_ALLOWED"),
        ("block ann@a.test for *", "ann@a.test", ["joe@mx.test"], "SENDER_BLOCKED"),
        ("allow ann@a.test", "ann@b.test", ["joe@mx.test"], ""),
        ("allow a.test", "bob@a.test", ["joe@mx.test"], "SENDER_ALLOWED"),
        ("allow a.test", "bob@sub.a.test", ["joe@mx.test"], ""),
        ("allow .a.test", "bob@sub.a.test", ["joe@mx.test"], "SENDER_ALLOWED"),
        ("allow .a.test", "bob@a.test", ["joe@mx.test"], "SENDER_ALLOWED"),
        ("allow .a.test", "bob@nota.test", ["joe@mx.test"], ""),
        ("allow a.test for joe@mx.test", "b@a.test", ["joe@mx.test"], "SENDER_ALLOWED"),
        ("allow a.test for joe@mx.test", "b@a.test", ["joe@mx.test", "sue@mx.test"], ""),
        (
            "allow a.test for joe@mx.test\nallow b@a.test for sue@mx.test",
            "b@a.test",
            ["joe@mx.test", "sue@mx.test"],
            "SENDER_ALLOWED",
        ),
        (
            "allow a.test for joe@mx.test\nblock b@a.test for sue@mx.test",
            "b@a.test",
            ["joe@mx.test", "sue@mx.test"],
            "",
        ),
        ("block ann@a.test", '"ann"@a.test', ["joe@mx.test"], "SENDER_BLOCKED"),
        ("block ann@a.test", "ann+news@a.test", ["joe@mx.test"], "SENDER_BLOCKED"),
        ("block ann+x@a.test", "ann@a.test", ["joe@mx.test"], ""),
        ("block @a.test", "ann@a.test", ["joe@mx.test"], "SENDER_BLOCKED"),
        ("block m\u00fcller.test", "ann@xn--mller-kva.test", ["joe@mx.test"], "SENDER_BLOCKED"),
        ("block xn--mller-kva.test", "ann@m\u00fcller.test", ["joe@mx.test"], "SENDER_BLOCKED"),
        (
            "block j\u00fc@a.test",
            "j\udcc3\udcbc@a.test",
            ["\u00e9@mx.test"],
            "SENDER_BLOCKED",
        ),
        ("allow a.test for postmaster@mx.test", "b@a.test", ["Postmaster"], "SENDER_ALLOWED"),
        ('block "ann lee"@a.test for *', '"ann lee"@a.test', ["joe@mx.test"], "SENDER_BLOCKED"),
        ("allow a.test for mx.test", "b@a.test", ["joe@mx.test", "sue@mx.test"], "SENDER_ALLOWED"),
        ("# nobody\n\nblock a.test # spam", "b@a.test", ["joe@mx.test"], "SENDER_BLOCKED"),
        ("allow x@a.test\nblock a.test", "b@a.test", ["joe@mx.test"], "SENDER_BLOCKED"),
        ("allow a.test", "", ["joe@mx.test"], ""),
    ],
)
def test_entries(
    tmp_path: Path, line: str, sender: str, recipients: list[str], symbol: str
) -> None:
    path = tmp_path / "list"
    path.write_text(line + "\n")
    verdict = Senders(SendersSettings(path)).examine(message(sender, *recipients))
    assert "".join(s.name for s in verdict.symbols) == symbol


def test_a_change_is_seen_at_once_and_keeps_comments(tmp_path: Path) -> None:
    path = tmp_path / "new" / "list"
    senders, mail = Senders(SendersSettings(path)), message("ann@a.test", "joe@mx.test")
    senders.prepare()
    assert senders.examine(mail).score == 0
    entry = SenderEntry("allow", "ann@a.test", "joe@mx.test")
    assert change(path, entry)
    assert not change(path, entry)
    assert senders.examine(mail).score == senders.settings.allow_score
    path.write_text("# by hand\n" + path.read_text())
    assert change(path, SenderEntry("block", "ann@a.test", "joe@mx.test"))
    assert senders.examine(mail).score == senders.settings.block_score
    assert path.read_text() == "# by hand\nblock ann@a.test for joe@mx.test\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert change(path, SenderEntry("block", "ann@a.test", "joe@mx.test"), remove=True)
    assert read(path) == ()
    path.unlink()
    assert senders.examine(mail).score == 0


@pytest.mark.parametrize("line", ["permit a.test", "allow", "allow a b c", "allow a to b"])
def test_a_line_that_is_no_entry(tmp_path: Path, line: str) -> None:
    path = tmp_path / "list"
    path.write_text(f"allow a.test\n{line}\n")
    with pytest.raises(ListEntryError, match="list:2: is not an entry"):
        Senders(SendersSettings(path)).prepare()
    with pytest.raises(ListEntryError):
        change(path, SenderEntry("allow", "x.test"))


def test_a_mistake_in_a_running_list_leaves_the_former_in_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "list"
    path.write_text("block b.test\n")
    senders = Senders(SendersSettings(path))
    senders.prepare()
    path.write_text("block b.test\nblok c.test and more\n")
    for _ in range(2):
        assert senders.examine(message("a@b.test")).score == senders.settings.block_score
    assert caplog.text.count("list:2: is not an entry") == 1


@pytest.mark.parametrize(
    "line", ["block *.a.test", "block 192.0.2.1", "allow a.test for x@y@z", "block a,b"]
)
def test_an_entry_that_could_never_fit_is_told_and_left_out(
    tmp_path: Path, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "list"
    path.write_text(f"{line}\nblock b.test\n")
    with pytest.raises(ListEntryError, match="list:1: "):
        read(path, strict=True)
    assert read(path) == (SenderEntry("block", "b.test"),)
    assert "list:1: an entry without effect" in caplog.text
    assert change(path, SenderEntry("block", "c.test"))
    assert path.read_text() == f"{line}\nblock b.test\nblock c.test for *\n"


def test_a_new_entry_counts_before_older_ones_that_say_the_opposite(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("# ours\nblock x.test\n# theirs\nblock .a.test\nallow b.test\n")
    assert change(path, SenderEntry("allow", "ann@a.test", "joe@mx.test"))
    assert path.read_text() == (
        "# ours\nblock x.test\n# theirs\nallow ann@a.test for joe@mx.test\nblock .a.test\n"
        "allow b.test\n"
    )
    mail = message("ann@a.test", "joe@mx.test")
    assert Senders(SendersSettings(path)).examine(mail).score < 0
    assert change(path, SenderEntry("allow", '"Ann"@A.test', "JOE@mx.test"), remove=True)
    assert Senders(SendersSettings(path)).examine(mail).score > 0


def test_a_long_list_costs_a_few_looks(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("".join(f"allow a.test for u{n}@mx.test\n" for n in range(2000)))
    mail = message("b@a.test", *(f"u{n}@mx.test" for n in range(2000)))
    assert Senders(SendersSettings(path)).examine(mail).score < 0


@pytest.mark.parametrize("word", ["", "a b", "a\nallow evil.test", "a#b"])
def test_an_address_cannot_write_another_entry(word: str) -> None:
    with pytest.raises(ListEntryError):
        SenderEntry("allow", word)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfallow a.test\nblock b.test\n",
        b"allow a.test\r\nblock b.test\r\n",
        b"\xef\xbb\xbfallow a.test\r\nblock b.test",
        b"allow a.test\rblock b.test\r",
    ],
)
def test_lists_as_other_systems_write_them(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    assert read(path) == (SenderEntry("allow", "a.test"), SenderEntry("block", "b.test"))
    assert change(path, SenderEntry("allow", "a.test"), remove=True)
    assert path.read_bytes() == b"block b.test\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("allow a.test\n".encode("utf-16"), "is UTF-16, expected UTF-8"),
        (b"allow a.te\0st\n", "octet 10 is NUL"),
        (b"# \xc2\x85 not a line end\nalow a.test\n", ":2: "),
    ],
)
def test_lists_that_cannot_be_read(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    with pytest.raises(ListEntryError, match=words):
        read(path)
    with pytest.raises(ListEntryError, match=words):
        change(path, SenderEntry("allow", "b.test"))
    assert path.read_bytes() == content


PROVEN = Authentication(SpfCheck(AuthResult.PASS, "a.test"))
SIGNED = Authentication(dkim=(DkimCheck(AuthResult.PASS, "a.test"),))
FAILED = Authentication(
    SpfCheck(AuthResult.FAIL, "a.test"), dmarc=DmarcCheck(AuthResult.FAIL, "bank.test")
)


@pytest.mark.parametrize(
    ("lines", "sender", "known", "symbol"),
    [
        ("allow ann@a.test if proven", "ann@a.test", PROVEN, "SENDER_ALLOWED"),
        ("allow ann@a.test for * if proven", "ann@a.test", SIGNED, "SENDER_ALLOWED"),
        ("allow .a.test if proven # a friend", "ann@news.a.test", SIGNED, "SENDER_ALLOWED"),
        ("allow ann@a.test if proven", "ann@a.test", FAILED, "SENDER_UNPROVEN"),
        ("allow ann@a.test if proven", "ann@a.test", None, "SENDER_UNPROVEN"),
        ("allow * if proven", "", PROVEN, "SENDER_UNPROVEN"),
        # Somebody else's signature proves nothing.
        ("allow ann@b.test if proven", "ann@b.test", SIGNED, "SENDER_UNPROVEN"),
        ("allow ann@b.test if proven", "ann@c.test", None, ""),
        # What does not count leaves the word to the next.
        ("allow ann@a.test if proven\nblock a.test", "ann@a.test", FAILED, "SENDER_BLOCKED"),
        ("allow ann@a.test if proven\nblock a.test", "ann@a.test", PROVEN, "SENDER_ALLOWED"),
        ("allow ann@a.test if proven\nallow a.test", "ann@a.test", FAILED, "SENDER_ALLOWED"),
        # Entries without the words count as they did.
        ("allow ann@a.test", "ann@a.test", FAILED, "SENDER_ALLOWED"),
    ],
)
def test_entries_that_demand_proof(
    tmp_path: Path, lines: str, sender: str, known: Authentication | None, symbol: str
) -> None:
    path = tmp_path / "list"
    path.write_text(lines + "\n")
    mail = message(sender, "joe@mx.test")
    mail.authentication = known
    verdict = Senders(SendersSettings(path)).examine(mail)
    assert "".join(s.name for s in verdict.symbols) == symbol


def test_why_an_entry_does_not_count_is_told(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("allow ann@a.test if proven\n")
    mail = message("ann@a.test", "joe@mx.test")
    mail.authentication = FAILED
    (symbol,) = Senders(SendersSettings(path)).examine(mail).symbols
    assert (symbol.score, symbol.detail) == (
        0.0,
        "allow ann@a.test for * if proven: claims bank.test, but fails",
    )


def test_a_new_entry_may_demand_what_the_former_did_not(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("# by hand\nallow ann@a.test for joe@mx.test\n")
    demanding = SenderEntry("allow", "ann@a.test", "joe@mx.test", proven=True)
    assert change(path, demanding)
    assert not change(path, demanding)
    assert path.read_text() == "# by hand\nallow ann@a.test for joe@mx.test if proven\n"
    assert read(path) == (demanding,)
    # To take an entry out, nobody needs to know which of the two it is.
    assert change(path, SenderEntry("allow", "ann@a.test", "joe@mx.test"), remove=True)
    assert read(path) == ()


@pytest.mark.parametrize("line", ["block a.test if proven", "allow if proven", "allow a.test if"])
def test_where_proof_cannot_be_demanded(tmp_path: Path, line: str) -> None:
    path = tmp_path / "list"
    path.write_text(line + "\n")
    with pytest.raises(ListEntryError, match="is not an entry"):
        read(path)
