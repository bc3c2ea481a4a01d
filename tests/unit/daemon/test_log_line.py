"""The one line a message: all that is promised is in it, and no message can add to it."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from filterd.config.processes import DaemonSettings
from filterd.ops.logs import MessageLog, configure, keyvalue
from tests.helpers.daemon import RunningDaemon
from tests.helpers.milter import one_message

FACTS: dict[str, Any] = {
    "id": "id1",
    "queue_id": "4F2A",
    "message_id": "<a b@c>",
    "client": "[192.0.2.1]",
    "from": "",
    "to": ["a@x", 'b"@x'],
    "size": 10,
    "action": "accept",
    "reply": "",
    "stored": False,
    "dropped": [],
    "score": 1.5,
    "symbols": {"A": 1.0, "B": 0.5},
    "ms": {"a": 0.1},
    "note": "",
}


def written(caplog: pytest.LogCaptureFixture, format: str, facts: dict[str, Any]) -> str:
    caplog.clear()
    with caplog.at_level(logging.INFO, "filterd.messages"):
        MessageLog(DaemonSettings(log_format=format)).report(facts)  # type: ignore[arg-type]
    (record,) = caplog.records
    return str(record.msg)


def test_key_and_value(caplog: pytest.LogCaptureFixture) -> None:
    stamp, _, line = written(caplog, "keyvalue", FACTS).partition(" ")
    assert re.fullmatch(r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert line == (
        'level=info event=message id=id1 queue_id=4F2A message_id="<a b@c>" client=[192.0.2.1] '
        'from= to="a@x,b\\"@x" size=10 action=accept stored=false score=1.5 symbols=A:1.0,B:0.5 '
        "ms=a:0.1"
    )


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
    line = written(caplog, format, {**FACTS, "to": to, "symbols": {}})
    if format == "json":
        assert json.loads(line)["to"] == shown
    else:
        match = re.search(r' to=(?:("[^"]*")|(\S+)) size=', line)
        assert match is not None
        assert (json.loads(match[1]) if match[1] else match[2]) == shown


def test_json(caplog: pytest.LogCaptureFixture) -> None:
    line = json.loads(written(caplog, "json", FACTS))
    assert (line["from"], line["symbols"], line["stored"]) == ("", "A:1.0,B:0.5", False)
    assert not {"reply", "dropped", "note"} & set(line)


@pytest.mark.parametrize(
    "text", ["a\nid=forged", "a\r\x1b[2J", "ü\udcff", "x" * 10_000, 'a" id="b']
)
@pytest.mark.parametrize("format", ["keyvalue", "json"])
def test_a_message_adds_nothing_to_the_line(
    caplog: pytest.LogCaptureFixture, text: str, format: str
) -> None:
    line = written(caplog, format, {**FACTS, "message_id": text, "from": text})
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
    assert json.loads(keyvalue(None, "", {"k": text}).partition("=")[2]) == text


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
