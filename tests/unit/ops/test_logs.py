"""Log lines: one line of ASCII, whatever a message puts into them."""

from __future__ import annotations

import json
import re
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
        line = render(None, "info", event)
        assert line.isascii()
        assert line.isprintable() or not line


@given(st.text(max_size=30))
def test_no_value_forges_a_key(text: str) -> None:
    line = logs.keyvalue(None, "info", {"from": text, "action": "accept"})
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
