"""The queue on disk, mailboxes, and reports."""

from __future__ import annotations

import stat
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from filterd.mta.delivery.mailbox import Maildir, Mbox, folder_name
from filterd.mta.delivery.router import DeliveryError
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.queue.bounce import Bouncer
from filterd.mta.queue.recipient_report import failed
from filterd.mta.queue.spool import Spool, SpoolError
from filterd.mta.sendmail.personality import sendmail
from filterd.mta.sendmail.queue_ids import DIGITS, SendmailQueueIds
from filterd.mta.settings import MtaSettings

ENTRY = QueueEntry("6AN0000000001", "ann@x.test", (Target("joe"), Target("sue", ("NOTIFY=NEVER",))))
MESSAGE = b"Subject: one\n\nbody\n"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.prepare()
    return made


def test_what_is_stored_comes_back(spool: Spool) -> None:
    spool.store(ENTRY, MESSAGE)
    assert list(spool.entries()) == [ENTRY]
    assert spool.message(ENTRY) == MESSAGE
    spool.remove(ENTRY)
    assert list(spool.entries()) == []


@pytest.mark.parametrize("held", [None, "why"])
def test_a_message_takes_no_others_place(spool: Spool, held: str | None) -> None:
    spool.store(replace(ENTRY, held=held), MESSAGE)
    with pytest.raises(FileExistsError, match=ENTRY.id):
        spool.store(ENTRY, b"another\n")
    (left,) = (*spool.entries(), *spool.held())
    assert spool.message(left) == MESSAGE


def test_queue_files_are_private(spool: Spool) -> None:
    spool.store(ENTRY, MESSAGE)
    for path in (spool.root / "queue").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((spool.root / "queue").stat().st_mode) == 0o700


def test_held_mail_is_apart_until_it_is_released(spool: Spool) -> None:
    held = replace(ENTRY, held="why")
    spool.store(held, MESSAGE)
    assert list(spool.entries()) == []
    assert spool.find_held(ENTRY.id) == held
    assert spool.release(held) == ENTRY
    assert list(spool.held()) == []
    assert list(spool.entries()) == [ENTRY]
    with pytest.raises(SpoolError, match="no message"):
        spool.find_held(ENTRY.id)


def test_an_update_strikes_off_who_was_served(spool: Spool) -> None:
    spool.store(ENTRY, MESSAGE)
    later = replace(ENTRY, targets=ENTRY.targets[1:], attempts=1, due=5.0, trouble="full")
    spool.update(later)
    assert spool.read(ENTRY.id) == later


def test_after_a_crash_half_written_mail_is_gone_and_whole_mail_is_there(spool: Spool) -> None:
    spool.store(ENTRY, MESSAGE)
    (spool.root / "tmp" / "X.msg").write_bytes(b"half")
    (spool.root / "queue" / "Y.msg").write_bytes(b"its envelope never came")
    spool.prepare()
    assert list(spool.entries()) == [ENTRY]
    assert [path.name for path in spool.root.rglob("*.msg")] == [f"{ENTRY.id}.msg"]


def test_two_servers_do_not_share_a_spool(spool: Spool) -> None:
    spool.store(ENTRY, MESSAGE)
    other = Spool(spool.root)
    with spool.serving():
        writing = spool.root / "tmp" / "X.msg"
        writing.write_bytes(b"of the first one")
        with pytest.raises(OSError, match="another server delivers from this spool"):
            other.serving().__enter__()
        assert writing.exists()
    with other.serving():
        assert list(other.entries()) == [ENTRY]


def test_a_release_that_was_cut_off_loses_nothing(spool: Spool) -> None:
    held = replace(ENTRY, held="why")
    spool.store(held, MESSAGE)
    name = f"{ENTRY.id}.msg"
    (spool.root / "hold" / name).rename(spool.root / "queue" / name)
    spool.prepare()
    assert spool.message(spool.find_held(ENTRY.id)) == MESSAGE


def test_a_damaged_envelope_is_named(spool: Spool) -> None:
    (spool.root / "queue" / "X.json").write_text("{}")
    with pytest.raises(SpoolError, match=r"X\.json: not a queue file"):
        list(spool.entries())


def test_maildir(tmp_path: Path) -> None:
    box = Maildir(tmp_path / "mail", "mx.example")
    paths = [box.deliver("joe", "a@x", b"one\n"), box.deliver("joe", "a@x", b"two\n")]
    assert [path.read_bytes() for path in paths] == [b"one\n", b"two\n"]
    assert list((tmp_path / "mail" / "joe" / "tmp").iterdir()) == []
    assert stat.S_IMODE(paths[0].stat().st_mode) == 0o600


def test_mbox_lines_that_look_like_separators_are_quoted(tmp_path: Path) -> None:
    box = Mbox(tmp_path)
    box.deliver("joe", "a@x", b"Subject: x\n\nFrom me\n>From you\n")
    path = box.deliver("joe", "", b"two")
    lines = path.read_bytes().split(b"\n")
    assert lines[0].startswith(b"From a@x ")
    assert lines[3:6] == [b">From me", b">>From you", b""]
    assert lines[6].startswith(b"From MAILER-DAEMON ")
    assert lines[7:] == [b"two", b"", b""]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("Ann@X.Test", "ann@x.test"),
        ("../../etc", "%2e.%2f..%2fetc"),
        (".", "%2e"),
        ("", "%"),
        ("a/b", "a%2fb"),
        ("a\udcff", "a%ff"),
        ("x" * 500, "x" * 200),
    ],
)
def test_mailbox_names_stay_in_their_folder(address: str, name: str) -> None:
    assert folder_name(address) == name


def test_queue_ids_are_sendmails_and_do_not_repeat() -> None:
    source = SendmailQueueIds()
    ids = [source.next() for _ in range(8000)]
    assert len(set(ids)) == len(ids)
    assert all(len(one) == 14 and one[-6:].isdecimal() and set(one) <= set(DIGITS) for one in ids)


def test_queue_ids_do_not_repeat_after_another_configuration() -> None:
    ids = [sendmail(MtaSettings()).queue_id() for _ in range(100)]
    assert len(set(ids)) == len(ids)


FAILED = DeliveryError("User unknown", temporary=False, code="5.1.1")


def test_a_report_is_a_dsn() -> None:
    entry = replace(ENTRY, sender_parameters=("RET=HDRS", "ENVID=e1"))
    target = Target("joe@mx", ("ORCPT=rfc822;joe@old",))
    made = Bouncer("mx.example", lambda: "NEWID")(entry, [failed(target, FAILED)], MESSAGE)
    assert made is not None
    envelope, data = made
    assert (envelope.sender, envelope.targets) == ("", (Target("ann@x.test"),))
    report = message_from_bytes(data)
    assert report.get_content_type() == "multipart/report"
    assert report["Auto-Submitted"] == "auto-replied (rejected)"
    parts: Any = report.get_payload()
    text, status, original = parts
    assert "<joe@mx>" in text.get_payload()
    fields = status.get_payload()[1]
    assert fields["Final-Recipient"] == "rfc822; joe@mx"
    assert fields["Original-Recipient"] == "rfc822; joe@old"
    assert (fields["Action"], fields["Status"]) == ("failed", "5.1.1")
    assert status.get_payload()[0]["Original-Envelope-Id"] == "e1"
    assert original.get_content_type() == "text/rfc822-headers"
    assert "body" not in original.get_payload()


def test_nobody_is_told_who_did_not_want_to_be() -> None:
    bouncer = Bouncer("mx.example", lambda: "NEWID")
    assert bouncer(ENTRY, [failed(Target("sue", ("NOTIFY=NEVER",)), FAILED)], MESSAGE) is None
    assert bouncer(ENTRY, [failed(Target("sue", ("NOTIFY=SUCCESS",)), FAILED)], MESSAGE) is None


def test_who_gets_reports_about_reports_and_copies() -> None:
    bouncer = Bouncer("mx.example", lambda: "NEWID", postmaster="abuse", copies="boss")
    made = bouncer(ENTRY, [failed(Target("joe@mx"), FAILED)], MESSAGE)
    assert made is not None
    assert made[0].targets == (Target(ENTRY.sender), Target("boss"))
    about_report = bouncer(replace(ENTRY, sender=""), [failed(Target("joe@mx"), FAILED)], MESSAGE)
    assert about_report is not None
    assert about_report[0].targets == (Target("abuse"),)
    nobody = Bouncer("mx.example", lambda: "NEWID", postmaster="")
    assert nobody(replace(ENTRY, sender=""), [failed(Target("joe@mx"), FAILED)], MESSAGE) is None


def test_reports_cannot_loop() -> None:
    bouncer = Bouncer("mx.example", lambda: "NEWID")
    made = bouncer(replace(ENTRY, sender=""), [failed(Target("ann@x.test"), FAILED)], MESSAGE)
    assert made is not None
    assert made[0].targets == (Target("postmaster"),)
    assert bouncer(made[0], [failed(Target("postmaster"), FAILED)], MESSAGE) is None
