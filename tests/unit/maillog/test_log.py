"""Reading logs: what is new, over rotations, and the journal."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

import pytest

from filterd.maillog import files, journal, log
from filterd.maillog.files import LogFile
from filterd.maillog.journal import MailJournal
from filterd.maillog.lines import DeliveryAttempt
from filterd.maillog.log import MailLog
from filterd.maillog.settings import MailLogSettings

NOW = datetime(2026, 11, 30, 12).timestamp()


def sent(id: str, words: str = "ok", relay: str = "local") -> str:
    return (
        f"Nov 30 11:00:00 mx postfix/smtp[1]: {id}: to=<joe@mx.example>, relay={relay}, "
        f"delay=1, dsn=2.0.0, status=sent ({words})\n"
    )


def write(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def maillog(*paths: Path) -> MailLog:
    return MailLog(MailLogSettings(files=paths), clock=lambda: NOW)


def given(*ids: str, at: float = NOW - 3600) -> dict[str, float]:
    """Queue ids that the MTA gave then."""
    return dict.fromkeys(ids, at)


def replies(found: log.MailLogAnswer) -> list[str]:
    return [one.reply for one in found.lines if isinstance(one, DeliveryAttempt)]


def test_lines_are_found_by_queue_id_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mail.log"
    write(path, sent("AAAAA1", "one") + "Nov 30 11:00:00 mx other[1]: noise\n" + sent("AAAAA2"))
    read = maillog(path)
    assert replies(read.about(given("AAAAA1"))) == ["one"]
    seen: list[bytes] = []
    monkeypatch.setattr(log, "queue_id_of", lambda line: seen.append(line) or "AAAAA1")
    write(path, sent("AAAAA1", "two"))
    assert replies(read.about(given("AAAAA1"))) == ["one", "two"]
    assert len(seen) == 1
    assert read.about(given("AAAAA9", "")) == log.MailLogAnswer()


def test_a_short_queue_id_is_another_messages_later(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    write(path, sent("AAAAA1", "one").replace("Nov 30", "Oct  1") + sent("AAAAA1", "two"))
    read = maillog(path)
    assert replies(read.about(given("AAAAA1"))) == ["two"]
    october = datetime(2026, 10, 1, 11).timestamp()
    assert replies(read.about(given("AAAAA1", at=october))) == ["one"]


def test_nothing_is_read_where_nothing_is_set() -> None:
    assert MailLog(MailLogSettings()).about(given("AAAAA1")) == log.MailLogAnswer()


def test_a_line_that_is_being_written_is_read_later(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    line = sent("AAAAA1", "one")
    write(path, line[:50])
    read = maillog(path)
    assert replies(read.about(given("AAAAA1"))) == []
    write(path, line[50:])
    assert replies(read.about(given("AAAAA1"))) == ["one"]


@pytest.mark.parametrize("name", ["mail.log.1", "mail.log-20261130"])
def test_a_rotated_file_is_read_to_its_end(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mail.log"
    write(path, sent("AAAAA1", "one"))
    read = maillog(path)
    read.about(given())
    write(path, sent("AAAAA1", "two"))
    path.rename(tmp_path / name)
    write(path, sent("AAAAA1", "three"))
    assert replies(read.about(given("AAAAA1"))) == ["one", "two", "three"]
    # A reader that starts later reads the rotated log as well, but not other files beside it.
    write(tmp_path / "mail.log.1.gz", sent("AAAAA1", "packed"))
    write(tmp_path / "mail.log.old", sent("AAAAA1", "old"))
    assert replies(maillog(path).about(given("AAAAA1"))) == ["one", "two", "three"]


def test_a_file_that_was_cut_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    write(path, sent("AAAAA1", "one"))
    read = maillog(path)
    read.about(given())
    with path.open("r+") as file:
        file.truncate(0)
    write(path, sent("AAAAA1", "two") + sent("AAAAA1", "three"))
    assert replies(read.about(given("AAAAA1"))) == ["one", "two", "three"]


def test_only_the_end_of_a_large_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "READ_LIMIT", 1000)
    path = tmp_path / "mail.log"
    write(path, "".join(sent("AAAAA1", f"{number:03}") for number in range(100)))
    found = replies(maillog(path).about(given("AAAAA1")))
    assert 5 < len(found) < 10
    assert found == [f"{number:03}" for number in range(100 - len(found), 100)]


def test_an_endless_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    write(path, sent("AAAAA1", "one") + "x" * 20_000)
    read = maillog(path)
    assert replies(read.about(given("AAAAA1"))) == ["one"]
    write(path, sent("AAAAA1", "forged") + sent("AAAAA1", "two"))
    assert replies(read.about(given("AAAAA1"))) == ["one", "two"]


def test_no_more_is_kept_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = sent("AAAAA1")
    monkeypatch.setattr(log, "KEPT_LIMIT", 3 * len(line))
    path = tmp_path / "mail.log"
    for number in range(1, 6):
        write(path, sent(f"AAAAA{number}"))
    read = maillog(path)
    found = [bool(read.about(given(f"AAAAA{number}")).lines) for number in range(1, 6)]
    assert found == [False, False, True, True, True]


def test_what_cannot_be_read_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    write(path, sent("AAAAA1", "one"))
    found = maillog(tmp_path / "none", tmp_path, path).about(given("AAAAA1"))
    assert replies(found) == ["one"]
    assert found.trouble == (
        f"{tmp_path / 'none'} cannot be read: No such file or directory",
        f"{tmp_path} cannot be read: Is a directory",
    )


def test_a_message_is_followed_within_this_host_only(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    here, away = "127.0.0.1[127.0.0.1]:10025", "far.example[192.0.2.6]:25"
    write(
        path,
        sent("AAAAA1", "250 Ok: queued as AAAAA2", here)
        + sent("AAAAA2", "250 Ok: queued as AAAAA3", away)
        + sent("AAAAA3", "of somebody else")
        + "Nov 30 11:00:01 mx sendmail[1]: AAAAA2: AAAAA4: clone: owner=sue\n"
        + sent("AAAAA4", "250 Ok: queued as AAAAA1", here),
    )
    found = replies(maillog(path).about(given("AAAAA1")))
    assert found == [f"250 Ok: queued as AAAAA{number}" for number in (2, 3, 1)]


JOURNAL = """
import json, sys
after = [one for one in sys.argv if one.startswith("--after-cursor=")]
for number in range(int(after[0].rpartition("c")[2]) + 1 if after else 0, 4):
    message = f"AAAAA1: to=<joe@mx.example>, dsn=2.0.0, status=sent (number {number})"
    print(json.dumps({
        "__CURSOR": f"c{number}",
        "__REALTIME_TIMESTAMP": f"{1796000000 + number}000000",
        "SYSLOG_IDENTIFIER": "postfix/smtp",
        "MESSAGE": list(message.encode()) if number == 1 else message,
    }))
print("not json")
print(json.dumps({"MESSAGE": [1, "x"], "__REALTIME_TIMESTAMP": "9" * 400}))
"""


def test_the_journal_is_read_on_from_where_it_was() -> None:
    began = 1796000000.0
    source = MailJournal((sys.executable, "-c", JOURNAL))
    read = MailLog(MailLogSettings(journal=True), journal=source)
    found = read.about(given("AAAAA1", at=began))
    assert replies(found) == [f"number {number}" for number in range(4)]
    assert found.lines[1].time == began + 1
    assert len(read.about(given("AAAAA1", at=began)).lines) == 4


@pytest.mark.slow
def test_a_journal_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    refuses = "import sys; sys.exit('No journal files were opened\\n due to permissions.')"
    for command, words in (
        ((sys.executable, "-c", refuses), "No journal files were opened due to permissions."),
        (("/no/such/journalctl",), "No such file or directory"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), "ends with status -9"),
    ):
        monkeypatch.setattr(journal, "SECONDS", 0.5 if words.startswith("ends") else 20.0)
        read = MailLog(MailLogSettings(journal=True), journal=MailJournal(command))
        assert read.about(given("AAAAA1")).trouble == (f"journalctl: {words}",)


def test_a_fifo_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="not a regular file"):
        list(LogFile(tmp_path / "fifo").new_lines())
