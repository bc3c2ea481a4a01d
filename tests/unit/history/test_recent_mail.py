"""Copies of the mail of the last hours: what is kept of them, for how long, and who can read it."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filterd.chain.report import ScanReport
from filterd.config.load import ConfigError, load
from filterd.history.recent_mail import (
    KEY_SIZE,
    MAGIC,
    NoCopyError,
    RecentMail,
    RecentMailUpkeep,
    load_key,
)
from filterd.history.settings import HistorySettings
from filterd.message import Client, Envelope, Message, Recipient
from tests.helpers.reports import report

NOON = 1_795_953_600.0
"""A full hour."""

ENVELOPE = Envelope(
    "a\udce9@x.test", (Recipient("joe@mx.test"),), Client("c.x.test", "192.0.2.7", helo="c")
)
SECRET = b"From: Ann <ann@a.example>\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\r\nsecret words\xff\r\n"


class Hours:
    """Copies under a clock that tests set."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.now = NOON
        values = {"mail_hours": 2.0, "mail_key": folder / "key", **more}
        self.settings = HistorySettings(**values)  # type: ignore[arg-type]
        self.mail = RecentMail(folder / "quarantine", self.settings, lambda: self.now)

    def keep(self, id: str = "id1", data: bytes = SECRET, **fields: object) -> bool:
        done = report(id, **fields)  # type: ignore[arg-type]
        assert isinstance(done, ScanReport)
        return self.mail.keep(Message(data, ENVELOPE, id), done)

    @property
    def files(self) -> list[Path]:
        return sorted(one for one in self.mail.folder.rglob("*") if one.is_file())


@pytest.fixture
def hours(tmp_path: Path) -> Hours:
    return Hours(tmp_path)


def test_a_copy_has_every_octet_and_what_was_found(hours: Hours) -> None:
    assert hours.keep(action="accept", score=1.5, symbols=(("URI_BAD", 1.5),))
    entry, data = hours.mail.get("id1")
    assert data == SECRET
    assert (entry.id, entry.subject, entry.score) == ("id1", "café", 1.5)
    assert entry.envelope.recipients == (Recipient("joe@mx.test"),)
    assert (entry.sender, entry.client_address, entry.held_for) == (
        "a\udce9@x.test",
        "192.0.2.7",
        (),
    )
    assert entry.received.timestamp() == NOON
    assert hours.mail.until(entry) == NOON + 3 * 3600


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=2000))
def test_any_octets_come_back(tmp_path: Path, data: bytes) -> None:
    hours = Hours(tmp_path)
    assert hours.keep(data=data)
    assert hours.mail.get("id1")[1] == data


def test_without_the_key_nothing_of_it_can_be_read(hours: Hours, tmp_path: Path) -> None:
    assert hours.keep()
    (file,) = hours.files
    content = file.read_bytes()
    for word in (b"secret", b"joe@mx", b"Ann", b"URI_BAD"):
        assert word not in content
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    key = tmp_path / "key"
    assert (len(key.read_bytes()), stat.S_IMODE(key.stat().st_mode)) == (KEY_SIZE, 0o600)

    key.write_bytes(bytes(KEY_SIZE))
    with pytest.raises(NoCopyError, match="damaged, or was made with another key"):
        Hours(tmp_path).mail.get("id1")
    key.write_bytes(b"short")
    with pytest.raises(NoCopyError, match="the key of recent mail has 5 bytes, expected 32"):
        Hours(tmp_path).mail.get("id1")
    key.unlink()
    with pytest.raises(NoCopyError, match="No such file"):
        Hours(tmp_path).mail.get("id1")
    # Reading makes no key: it would be one that opens nothing.
    assert not key.exists()


@pytest.mark.parametrize("at", [0, len(MAGIC), len(MAGIC) + 12, 200, -1])
def test_a_changed_octet_is_found(hours: Hours, at: int) -> None:
    hours.keep()
    (file,) = hours.files
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
    with pytest.raises(NoCopyError, match="id1 cannot be read: it is damaged"):
        hours.mail.get("id1")


@pytest.mark.parametrize("size", [0, 10, len(MAGIC) + 12, -1])
def test_a_file_that_was_cut_is_found(hours: Hours, size: int) -> None:
    hours.keep()
    (file,) = hours.files
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(NoCopyError, match="id1 cannot be read: it is damaged"):
        hours.mail.get("id1")


def test_a_copy_cannot_pass_for_another_one(hours: Hours) -> None:
    hours.keep("id1")
    (file,) = hours.files
    file.rename(file.with_name("id2.copy"))
    with pytest.raises(NoCopyError, match="id2 cannot be read: it is damaged"):
        hours.mail.get("id2")
    with pytest.raises(NoCopyError, match="there is no copy of id1"):
        hours.mail.get("id1")
    with pytest.raises(ValueError, match="is not a quarantine id"):
        hours.mail.get("../id2")


def test_nothing_is_kept_where_nobody_asked_for_it(tmp_path: Path) -> None:
    hours = Hours(tmp_path, mail_hours=0.0)
    assert not hours.keep()
    assert list(tmp_path.iterdir()) == []
    assert hours.mail.expire() == 0


def test_a_large_message_has_no_copy(tmp_path: Path) -> None:
    hours = Hours(tmp_path, mail_message_megabytes=1)
    assert hours.keep("id1", bytes(1 << 20))
    assert not hours.keep("id2", bytes((1 << 20) + 1))
    assert hours.mail.get("id1")[1] == bytes(1 << 20)


def test_trouble_costs_the_copy_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hours = Hours(tmp_path)
    (tmp_path / "quarantine").write_text("a file in the folder's place")
    assert not hours.keep("id1")
    assert not hours.keep("id2")
    assert [one.levelno for one in caplog.records] == [logging.WARNING]
    assert "no copies of recent mail are made: " in caplog.text
    (tmp_path / "quarantine").unlink()
    assert hours.keep("id3")


def test_a_copy_goes_when_its_hours_are_over(hours: Hours) -> None:
    hours.now = NOON + 3599
    hours.keep("id1")
    hours.now += 2
    hours.keep("id2")
    hours.now = NOON + 3 * 3600
    assert hours.mail.expire() == 0
    assert hours.mail.get("id1")
    hours.now += 1
    assert hours.mail.expire() == 1
    assert [one.name for one in hours.files] == ["id2.copy"]
    assert hours.now > hours.mail.until(hours.mail.get("id2")[0]) - 3601
    hours.now = NOON + 4 * 3600 + 1
    assert hours.mail.expire() == 1
    assert hours.files == []


def test_all_copies_go_where_the_settings_want_none_any_more(tmp_path: Path) -> None:
    hours = Hours(tmp_path)
    hours.keep()
    off = Hours(tmp_path, mail_hours=0.0, mail_key=None)
    with pytest.raises(NoCopyError, match="there is no copy of id1"):
        off.mail.get("id1")
    assert off.mail.expire() == 1
    assert hours.files == []


def test_what_is_not_an_hour_stays(hours: Hours) -> None:
    hours.keep()
    other = hours.mail.folder / "notes"
    other.mkdir()
    hours.now += 1e6
    assert hours.mail.expire() == 1
    assert other.is_dir()


def test_the_oldest_hours_go_first_where_there_is_no_room(tmp_path: Path) -> None:
    hours = Hours(tmp_path, mail_hours=100.0, mail_megabytes=1)
    for number in range(4):
        hours.keep(f"id{number}", os.urandom(400_000))
        hours.now += 3600
    sizes: dict[str, int] = {}
    assert hours.mail.expire(sizes) == 2
    assert [one.name for one in hours.files] == ["id2.copy", "id3.copy"]
    assert len(sizes) == 2
    assert hours.mail.expire(sizes) == 0


def test_an_hour_that_is_too_large_gets_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hours = Hours(tmp_path, mail_megabytes=1)
    for number in range(3):
        assert hours.keep(f"id{number}", os.urandom(400_000))
    assert hours.mail.expire() == 0
    assert hours.mail.expire() == 0
    assert caplog.text.count("take more than mail_megabytes (1); no more are made") == 1
    assert not hours.keep("id3")
    hours.now += 3600
    assert hours.mail.expire() == 1
    assert hours.keep("id4")


def test_upkeep_takes_trouble(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hours = Hours(tmp_path)
    hours.keep()
    upkeep = RecentMailUpkeep(lambda: hours.mail)
    upkeep.once()
    hours.now += 1e6
    upkeep.once()
    assert hours.files == []
    hours.mail.folder.rmdir()
    hours.mail.folder.write_text("a file")
    caplog.clear()
    upkeep.once()
    assert [one.levelno for one in caplog.records] == [logging.ERROR]


def test_one_key_for_all_who_make_it_at_once(tmp_path: Path) -> None:
    assert load_key(tmp_path / "new" / "key", make=True) == load_key(tmp_path / "new" / "key")


def test_the_settings_name_the_key(tmp_path: Path) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text("[history]\nmail_hours = 24\n")
    with pytest.raises(ConfigError, match=r"history.mail_key: mail_hours needs a file for the key"):
        load(file)
    file.write_text('[history]\nmail_hours = 24\nmail_key = "recent-mail.key"\n')
    assert load(file).history.mail_key == tmp_path / "recent-mail.key"
