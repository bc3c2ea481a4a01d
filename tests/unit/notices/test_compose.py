"""Notices as messages: languages, templates, what a stranger's text may not do."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.config.notices import KINDS, EventKind, NoticeSettings
from filterd.notices.compose import NoticeError, NoticeWriter
from filterd.notices.events import MessageEvent
from filterd.notices.samples import check_templates, sample

pytestmark = pytest.mark.slow

ADMIN = "root@mx.example"
NOW = 1_800_000_000.0
ON = NoticeSettings(sender="postmaster@mx.example", subject=True)


def writer(**changes: object) -> NoticeWriter:
    return NoticeWriter(replace(ON, **changes), b"k" * 32, "mx1")  # type: ignore[arg-type]


def parsed(data: bytes) -> EmailMessage:
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def held(**changes: object) -> MessageEvent:
    event = sample("held", NOW)
    assert isinstance(event, MessageEvent)
    return replace(event, record=replace(event.record, **changes))


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_in_each_language(kind: EventKind, language: str) -> None:
    data = writer(language=language).message(
        kind, ADMIN, [sample(kind, NOW)] * 2, NOW, suppressed=77
    )
    found = parsed(data)
    body = found.get_content()
    assert data.isascii()
    assert found["Auto-Submitted"] == "auto-generated"
    assert (found["From"], found["To"]) == ("postmaster@mx.example", ADMIN)
    assert "{" not in body + found["Subject"]
    assert ("77 " in body) == (kind != "full")


def test_a_recipient_sees_own_mail_with_a_link() -> None:
    event = held()
    links = {event.record.id: "https://mail.example/held/token"}
    data = writer(subject=False).message(
        "held", "joe@mx.example", [event], NOW, recipient="joe@mx.example", links=links
    )
    body = parsed(data).get_content()
    assert "Subject: Your order of yesterday" in body
    assert "https://mail.example/held/token" in body
    assert "Client:" not in body


def test_others_see_no_subject_unless_the_settings_say_so() -> None:
    shown = [
        "Your order"
        in parsed(writer(subject=s).message("held", ADMIN, [held()], NOW)).get_content()
        for s in (False, True)
    ]
    assert shown == [False, True]


HOSTILE = "x\r\nBcc: all@victim.test\r\n\r\n<script>{{ 7 * 7 }}\u202e\0"


def test_a_strangers_text_stays_text(tmp_path: Path) -> None:
    (tmp_path / "held.txt").write_text("Subject: held {{ events[0].subject }}\n\n{{ events[0] }}\n")
    event = held(subject=HOSTILE, header_from=HOSTILE, sender=HOSTILE)
    for folder in (None, tmp_path):
        data = writer(templates=folder).message("held", ADMIN, [event], NOW)
        found = parsed(data)
        assert found["Bcc"] is None
        assert set(found.keys()) == {
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
        }
        body = found.get_content().replace("\r\n", "\n")
        assert not {"\0", "\u202e", "\r"} & set(body)
        assert "\nBcc:" not in body
        assert "49" not in body


@settings(max_examples=10)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_makes_a_message(subject: str, address: str) -> None:
    data = writer().message("held", address, [held(subject=subject, sender=subject)], NOW)
    assert data.isascii()
    header = data.partition(b"\r\n\r\n")[0].lower()
    assert header.count(b"\nsubject:") + header.count(b"\nto:") == 2
    assert b"\nbcc" not in header


def test_a_message_of_ours_is_known_by_its_id() -> None:
    ours = parsed(writer().message("held", ADMIN, [held()], NOW))["Message-ID"]
    assert writer().is_own(ours)
    assert not writer().is_own(ours.replace("notice.", "notice.0", 1))
    assert not NoticeWriter(ON, b"other" * 6, "mx1").is_own(ours)
    assert not writer().is_own("<notice.0123456789abcdef." + "0" * 24 + "@mx.example>")


@pytest.mark.parametrize(
    ("template", "trouble"),
    [
        ("no subject\n\nx", "held.txt:1: the line is"),
        ("Subject: {{ wrong }}\n", "'wrong' is undefined"),
        ("Subject: {% if %}\n", "held.txt:1"),
        ("Subject: x\n{% for a in range(9999) %}{{ 'x' * 999 }}{% endfor %}", "more than 200,000"),
        ("Subject: {{ ''.__class__.__mro__ }}\n", "unsafe"),
        ("Subject: {{ 1 / 0 }}\n", "division by zero"),
        ("Subject: x\n{{ events.append(1) }}", "unsafe"),
        ("Subject: {% include 'none.txt' %}", "none.txt"),
    ],
)
def test_a_wrong_template_is_named(tmp_path: Path, template: str, trouble: str) -> None:
    (tmp_path / "held.txt").write_text(template)
    settings = replace(ON, admins=(ADMIN,), held=("admin",), templates=tmp_path)
    with pytest.raises(NoticeError, match=trouble.replace("(", r"\(")):
        check_templates(settings, NOW)


def test_what_a_folder_lacks_is_ours(tmp_path: Path) -> None:
    (tmp_path / "full.txt").write_text("Subject: mine\n\nx\n")
    both = [
        parsed(writer(templates=tmp_path).message(kind, ADMIN, [sample(kind, NOW)], NOW))["Subject"]
        for kind in ("full", "failed")
    ]
    assert both == ["mine", "Filter clamav failed at mx1"]
