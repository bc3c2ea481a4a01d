"""The report for admins: what it tells, and that it arrives."""

from __future__ import annotations

import email
import email.policy
import time
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from filterd.config.assembly import open_history
from filterd.config.load import ConfigError, Settings, load
from filterd.message import Client, Envelope, Recipient
from filterd.message.ids import new_id
from filterd.quarantine import Store
from filterd.quarantine.release import Releaser, ReleaseRequest
from filterd.report.composing import compose
from filterd.report.gathering import SiteReport
from filterd.report.sending import drawn, report_of, send
from filterd.system import zone
from tests.helpers import receiving_mta
from tests.helpers.reports import new_entry, record

TOML = """
[quarantine]
folder = "quarantine"
release_port = {port}
release_timeout = 5.0
[report]
sender = "postmaster@mx.example"
to = ["ann@mx.example", "bob@mx.example"]
"""

NOW = time.time()

TODAY = zone.midnight(zone.local(NOW).date())
YESTERDAY = zone.midnight(zone.local(NOW).date() - timedelta(days=1))


def loaded(folder: Path, port: int = 1, more: str = "") -> Settings:
    file = folder / "filterd.toml"
    file.write_text(TOML.format(port=port) + more)
    return load(file)


def noted(settings: Settings, *moments: float, **fields: Any) -> None:
    history = open_history(settings)
    history.add([record(new_id(), moment, **fields) for moment in moments])
    history.close()


def read(data: bytes) -> tuple[EmailMessage, str, str]:
    """The mail, its text and its HTML."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return message, text.get_content(), html.get_content()


def mail(report: SiteReport, **more: Any) -> tuple[EmailMessage, str, str]:
    return read(compose(report, "postmaster@mx.example", "ann@mx.example", "mx1", NOW, **more))


def test_whole_days_and_those_before(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    noted(settings, TODAY, TODAY + 60, action="reject")
    noted(settings, TODAY - 1, YESTERDAY, YESTERDAY + 7200, action="accept", size=1000)
    noted(settings, YESTERDAY + 60, action="reject", sender="spam@x.example")
    noted(settings, YESTERDAY - 60, action="quarantine")
    noted(settings, YESTERDAY - 2 * 86400, action="quarantine")
    report = report_of(settings, 1, NOW)
    assert report.now.messages == 4
    assert report.before is not None
    assert report.before.kinds["held"] == 1
    assert sum(number for _, _, number in report.flow) == 4
    message, text, html = mail(report)
    assert message["Subject"].startswith("filterd at mx1: 4 messages, 25.0 % not clean, ")
    assert message["Auto-Submitted"] == "auto-generated"
    assert "clean                 3   75.0 %   before 0" in text
    assert "refused               1   25.0 %   before 0" in text
    assert "held                  0    0.0 %   before 1" in text
    assert "spam@x.example" in text
    assert "spam@x.example" in html
    assert "1 message in the 1 day before" in text


def test_where_the_history_does_not_go_back_so_far(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    noted(settings, YESTERDAY + 60, action="accept")
    report = report_of(settings, 7, NOW)
    assert report.before is None
    _, text, _ = mail(report)
    assert "The history begins" in text
    assert "before" not in text.partition("In the quarantine")[0]


def test_nothing_came(tmp_path: Path) -> None:
    report = report_of(loaded(tmp_path), 7, NOW)
    message, text, _ = mail(report)
    assert "0 messages, 0.0 % not clean" in message["Subject"]
    assert "0 messages wait for a decision" in text
    assert "Senders" not in text


def test_what_waits_and_what_failed(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    store = Store(settings.quarantine)
    to = "joe@mx.example"
    envelope = Envelope("a@b.example", (Recipient(to),), Client("x", "192.0.2.1"))
    ids = [store.put(new_entry(new_id(), b"Subject: x\r\n\r\n", envelope, (to,))) for _ in range(2)]
    assert report_of(settings, 1, NOW).waiting == 2
    Releaser(store).release(ReleaseRequest(ids[0], "test"))
    store.close()
    report = report_of(settings, 1, NOW)
    assert (report.waiting, report.failed) == (2, 1)
    _, text, html = mail(report, base="https://mail.example")
    assert "The release of 1 message failed" in text
    assert 'href="https://mail.example/quarantine?state=failed"' in html


def test_what_strangers_wrote_is_text(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    evil = "<script>alert(1)</script>\r\nBcc: x@y.example\x1b[2J\u202e" + "z" * 300
    noted(settings, YESTERDAY + 60, action="reject", sender=evil, virus=evil)
    message, text, html = mail(report_of(settings, 1, NOW))
    assert message["Bcc"] is None
    assert "<script" not in html
    assert "&lt;script" in html
    for one in (text, html):
        assert "\x1b" not in one
        assert "\u202e" not in one
        assert "z" * 100 not in one


def test_pictures(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    noted(settings, YESTERDAY + 60, action="accept", milliseconds={"bayes": 2.0})
    noted(settings, YESTERDAY + 7000, action="reject", milliseconds={"clamav": 9.0})
    report = report_of(settings, 1, NOW)
    found = drawn(settings, report)
    assert set(found) == {"flow", "filters"}
    for octets in found.values():
        assert octets.startswith(b"\x89PNG")
        assert len(octets) < 200_000
    message, _, html = mail(report, pictures=found)
    images = [one for one in message.walk() if one.get_content_type() == "image/png"]
    assert [one.get_content() for one in images] == list(found.values())
    for one in images:
        assert f'src="cid:{one["Content-ID"].strip("<>")}"' in html
    assert drawn(replace(settings, report=replace(settings.report, plots=False)), report) == {}


def test_a_year_and_no_mail_can_be_drawn(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert drawn(settings, report_of(settings, 366, NOW))["flow"].startswith(b"\x89PNG")


def test_it_arrives_marked_and_from_nobody(tmp_path: Path) -> None:
    with receiving_mta.running() as mta:
        settings = loaded(tmp_path, mta.port)
        settings.quarantine.folder.mkdir(mode=0o700)
        noted(settings, YESTERDAY + 60, action="accept")
        mta.answers["RCPT:bob@mx.example"] = "450 4.2.1 later"
        results = send(settings, report_of(settings, 1, NOW), "mx1", NOW, {})
        assert [results[to].outcome for to in settings.report.to] == ["sent", "later"]
        (taken,) = [one for one in mta.taken if one.data]
        assert "MAIL FROM:<>" in taken.mail
        assert "ENVID=filterd:report-" in taken.mail, "our own filters let it pass"
        message, text, _ = read(taken.data)
        assert message["To"] == "ann@mx.example"
        assert "1 message" in text


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('to = ["ann"]', "report.to"),
        ('to = ["ann@mx.example"]', "report.sender"),
        ('sender = "x"', "report.sender"),
    ],
)
def test_mistakes_in_the_settings(tmp_path: Path, lines: str, words: str) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(f"[report]\n{lines}\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert words in str(caught.value)
