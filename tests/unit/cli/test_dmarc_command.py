"""`filterd dmarc read`: the table, JSON, and what it says of files that are no reports."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.helpers.commands import forked
from tests.helpers.feedback import OLD, feedback, record, spf

ENCODINGS = ("utf-8", "ascii")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_table_and_what_to_do(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.xml.gz").write_bytes(
        gzip.compress(feedback(record(count=1200), record("2001:db8::1", 5, spf="pass")))
    )
    (tmp_path / "b.xml").write_bytes(feedback(record(count=300), form=OLD, id="two"))
    (tmp_path / "c.xml").write_bytes(feedback(record(count=300), form=OLD, id="two"))
    status, output = forked(tmp_path / "o", "dmarc", "read", str(tmp_path), encoding=encoding)
    assert status == 65  # the output itself is in the folder, and is not a report
    assert "2 reports (1 more came twice), 2026-09-21 to 2026-09-21: 1,505 messages" in output
    assert "0.3% pass" in output
    rows = [line.split() for line in output.splitlines() if line.startswith(("192", "2001"))]
    assert rows == [
        ["192.0.2.1", "example.org", "1,500", "0", "0", "0", "1,500", "none", "1,500"],
        ["2001:db8::1", "example.org", "5", "0", "0", "5", "0"],
    ]
    assert "- 192.0.2.1 sends 1,500 messages as example.org without aligned SPF or DKIM" in output


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(feedback(record(count=2, found=spf("müller.example"))))
    status, output = forked(tmp_path / "o", "dmarc", "read", "--json", str(path), encoding="ascii")
    assert status == 0
    (source,) = json.loads(output)["sources"]
    assert source["spf_results"] == [{"domain": "müller.example", "result": "pass", "messages": 2}]


def test_what_is_no_report(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.xml", tmp_path / "b.xml"
    good.write_bytes(feedback())
    bad.write_bytes(b"<html/>")
    status, output = forked(tmp_path / "o", "dmarc", "read", str(good), str(bad))
    assert status == 65
    assert f"filterd: {bad}: no report in it" in output
    assert "1 report, " in output
    status, output = forked(tmp_path / "o", "dmarc", "read", str(bad))
    assert status == 66
    status, output = forked(tmp_path / "o", "dmarc", "read", str(tmp_path / "gone"))
    assert (status, "No such file" in output) == (66, True)


def test_hostile_texts_reach_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(feedback(record(header_from="&#x9b;31m[bold]x\u202e.example")))
    status, output = forked(tmp_path / "o", "dmarc", "read", str(path))
    assert status == 0
    assert "[bold]" in output
    assert not {"\x9b", "\u202e", "\x1b"} & set(output)
