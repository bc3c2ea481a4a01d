"""The one line a message: all that is promised is in it, and no message can add to it."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from filterd.chain.report import ScanReport
from filterd.chain.verdict import Action, Outcome, RemovedPart, Reply
from filterd.config.processes import DaemonSettings
from filterd.ops.logs import MessageLog, configure, keyvalue, other_fields
from filterd.system.values import value
from tests.helpers.daemon import RunningDaemon
from tests.helpers.milter import one_message
from tests.helpers.reports import report

pytestmark = pytest.mark.server


def said(**fields: Any) -> ScanReport:
    """A report of a message that two filters have seen."""
    usual: dict[str, Any] = {
        "queue_id": "4F2A",
        "message_id": "<a b@c>",
        "client": "[192.0.2.1]",
        "recipients": ("a@x", 'b"@x'),
        "size": 10,
        "score": 1.5,
        "required": 5.0,
        "symbols": [("A", 1.0), ("B", 0.5)],
        "milliseconds": {"a": 0.1},
        "total_ms": 2.5,
    }
    found = report("id1", **{**usual, **fields})
    assert isinstance(found, ScanReport)
    return found


def written(caplog: pytest.LogCaptureFixture, format: str, report: ScanReport) -> str:
    caplog.clear()
    with caplog.at_level(logging.INFO, "filterd.messages"):
        MessageLog(DaemonSettings(log_format=format)).report(report)  # type: ignore[arg-type]
    (record,) = caplog.records
    return str(record.msg)


def test_key_and_value(caplog: pytest.LogCaptureFixture) -> None:
    stamp, _, line = written(caplog, "keyvalue", said()).partition(" ")
    assert re.fullmatch(r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert line == (
        'level=info event=message id=id1 queue_id=4F2A message_id="<a b@c>" client=[192.0.2.1] '
        'from= to="a@x,b\\"@x" size=10 action=accept stored=false score=1.5 required=5.0 '
        "labelled=false symbols=A:1.0,B:0.5 ms=a:0.1 total_ms=2.5"
    )


def test_what_was_found_and_decided(caplog: pytest.LogCaptureFixture) -> None:
    found = said(
        action="reject",
        reply=Reply(550, "5.7.1", "no"),
        reason="virus",
        labelled=True,
        virus="V",
        probability=0.12345678,
        removed=(RemovedPart("a.exe", "banned", 1, 2),),
        failures={"bayes": "timeout: no opinion"},
        note="kept as id9",
        helo="h",
        banned=True,
        outcomes=(Outcome("a@x", Action.REJECT, "r"), Outcome("b@x", Action.REJECT, "r")),
    )
    line = json.loads(written(caplog, "json", found))
    shown = {
        "reply": "550 5.7.1",
        "reason": "virus",
        "labelled": True,
        "virus": "V",
        "probability": 0.123457,
        "removed": "a.exe",
        "failures": "bayes:timeout: no opinion",
        "note": "kept as id9",
        "rule": "r",
        "outcomes": "a@x:reject/r,b@x:reject/r",
        "helo": "h",
        "banned": True,
    }
    assert {name: line.get(name) for name in shown} == shown


def test_where_recipients_differ_each_one_has_its_rule(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = (Outcome("a@x", Action.ACCEPT, "r"), Outcome("b@x", Action.QUARANTINE, "s"))
    line = json.loads(written(caplog, "json", said(outcomes=outcomes)))
    assert line["outcomes"] == "a@x:accept/r,b@x:quarantine/s"
    assert "rule" not in line


def test_no_points_where_no_filter_was_asked(caplog: pytest.LogCaptureFixture) -> None:
    busy = said(action="tempfail", milliseconds={}, symbols=(), note="no worker was free")
    line = json.loads(written(caplog, "json", busy))
    assert not {"score", "required", "labelled", "symbols", "ms"} & set(line)
    assert line["note"] == "no worker was free"


@value(frozen=True, slots=True, kw_only=True)
class Located(ScanReport):
    """A report with one more fact."""

    country: str = ""


def test_a_new_fact_needs_no_line_in_the_log() -> None:
    for report_kind, names in ((ScanReport, set()), (Located, {"country"})):
        known = {"helo", "mta_quarantine", "banned", "outbound", "session", "stage", "repeated"}
        known |= {"because", "attachments"}
        assert set(other_fields(report_kind)) == known | names


@pytest.mark.parametrize("format", ["keyvalue", "json"])
@pytest.mark.parametrize(
    ("to", "shown"),
    [
        (["a@x"], "a@x"),
        ([f"{n}@x" for n in range(50)], ",".join(f"{n}@x" for n in range(50))),
        ([f"{n}@x" for n in range(32_000)], ",".join(f"{n}@x" for n in range(50)) + ",+31950"),
        (["a" * 240 + "@x"] * 9, ",".join(["a" * 240 + "@x"] * 2) + ",+7"),
        (["a" * 9000, "b"], "a" * 500 + "\u2026,+1"),
    ],
)
def test_a_long_list_is_cut_with_a_count(
    caplog: pytest.LogCaptureFixture, format: str, to: list[str], shown: str
) -> None:
    line = written(caplog, format, said(recipients=tuple(to), symbols=()))
    if format == "json":
        assert json.loads(line)["to"] == shown
    else:
        match = re.search(r' to=(?:("[^"]*")|(\S+)) size=', line)
        assert match is not None
        assert (json.loads(match[1]) if match[1] else match[2]) == shown


def test_json(caplog: pytest.LogCaptureFixture) -> None:
    line = json.loads(written(caplog, "json", said()))
    assert (line["from"], line["symbols"], line["stored"]) == ("", "A:1.0,B:0.5", False)
    assert not {"reply", "dropped", "note"} & set(line)


@pytest.mark.parametrize(
    "text", ["a\nid=forged", "a\r\x1b[2J", "ü\udcff", "x" * 10_000, 'a" id="b']
)
@pytest.mark.parametrize("format", ["keyvalue", "json"])
def test_a_message_adds_nothing_to_the_line(
    caplog: pytest.LogCaptureFixture, text: str, format: str
) -> None:
    line = written(caplog, format, said(message_id=text, sender=text))
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 2000
    if format == "json":
        assert json.loads(line)["id"] == "id1"
    else:
        # Outside the quoted values there is one id.
        assert re.sub(r'"(?:[^"\\]|\\.)*"', "", line).count(" id=") == 1


def test_a_quoted_value_is_json() -> None:
    text = 'a "b"\\\n'
    assert json.loads(keyvalue({"k": text}).partition("=")[2]) == text


def test_all_that_is_promised_of_a_message(daemon: RunningDaemon) -> None:
    fields = ((b"Message-ID", b" <m1@client.example>"), (b"X-Do", b" score=2"))
    assert one_message(daemon.socket, *fields).word == "continue"
    line = daemon.wait_for_line("m1@client.example")
    keys = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
    for key in (
        "id",
        "queue_id",
        "message_id",
        "client",
        "from",
        "to",
        "size",
        "action",
        "score",
        "required",
        "symbols",
        "ms",
        "total_ms",
    ):
        assert f" {key}=" in keys, (key, line)
    assert re.search(r" ms=misbehaving:[0-9.]+ ", line)


def test_others_in_the_process_log_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever else logs in this process may want to know who called, and in which thread."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level = root.level
    before = dict(vars(logging))
    try:
        configure(DaemonSettings())
        assert {
            name: value for name, value in vars(logging).items() if value is not before[name]
        } == {}
    finally:
        root.setLevel(level)
