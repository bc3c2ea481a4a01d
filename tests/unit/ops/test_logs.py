"""Log lines: one line of ASCII, whatever a message puts into them."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.config.processes import DaemonSettings
from filterd.ops import logs
from tests.helpers.reports import report


@given(st.dictionaries(st.sampled_from("abc"), st.text(max_size=20) | st.integers() | st.floats()))
def test_lines_are_one_line_of_plain_ascii(event: dict[str, Any]) -> None:
    for render in (logs.keyvalue, logs.as_json):
        line = render(event)
        assert line.isascii()
        assert line.isprintable() or not line


@given(st.text(max_size=30))
def test_no_value_forges_a_key(text: str) -> None:
    line = logs.keyvalue({"from": text, "action": "accept"})
    value = line.removeprefix("from=").removesuffix(" action=accept")
    assert (json.loads(value) if value.startswith('"') else value) == text


def test_message_line(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(DaemonSettings())
    one = report("x1", recipients=("a@b", "c@d"), milliseconds={"bayes": 1.5}, client="c[]")
    logs.MessageLog(DaemonSettings()).report(one)
    line = capfd.readouterr().err
    assert re.fullmatch(
        r"time=\S+ level=info event=message id=x1 client=c\[\] from= to=a@b,c@d size=0 "
        r"action=accept stored=false score=0.0 required=0.0 labelled=false ms=bayes:1.5\n",
        line,
    )


def lines(capfd: pytest.CaptureFixture[str]) -> list[str]:
    """What was written since, the times replaced by T."""
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "T", capfd.readouterr().err).splitlines()


def test_other_lines_begin_with_time_and_level(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(DaemonSettings())
    other = logging.getLogger("other")
    other.warning("%s words", "three\n")
    other.info("x" * (logs.TEXT_LIMIT + 1))
    other.debug("not asked for")
    assert lines(capfd) == [
        'time=T level=warning event="three\\n words"',
        f'time=T level=info event="{"x" * logs.TEXT_LIMIT}\\u2026"',
    ]


def test_a_line_about_an_exception_has_its_whole_trace(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(DaemonSettings(log_format="json"))
    try:
        raise ValueError("no\nnumber" + "x" * logs.TEXT_LIMIT)
    except ValueError:
        logging.getLogger("other").exception("what was asked")
    (line,) = capfd.readouterr().err.splitlines()
    told = json.loads(line)
    assert [*told] == ["time", "level", "event", "exception"]
    assert (told["level"], told["event"]) == ("error", "what was asked")
    trace = told["exception"].splitlines()
    assert trace[0] == "Traceback (most recent call last):"
    assert trace[-2:] == ["ValueError: no", "number" + "x" * logs.TEXT_LIMIT]


def test_where_there_is_no_exception_none_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(DaemonSettings(log_level="debug"))
    logging.getLogger("other").debug("asked", exc_info=True)
    logging.getLogger("other").info("where", stack_info=True)
    asked, where = lines(capfd)
    assert asked == "time=T level=debug event=asked"
    assert where.startswith('time=T level=info event=where stack_info="Stack (most recent call')


def test_syslog_gets_no_time_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "SYSLOG_SOCKET", Path("/nonexistent"))
    logs.configure(DaemonSettings(log_to="syslog"))
    (handler,) = logging.getLogger().handlers
    record = logging.LogRecord("other", logging.ERROR, "", 0, "a %s", ("b c",), None)
    assert handler.format(record) == 'filterd: event="a b c" level=error'
    handler.close()
