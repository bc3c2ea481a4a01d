"""The page and the route that show DMARC reports of others."""

from __future__ import annotations

import gzip
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx import Response

from filterd.dmarc import received
from filterd.dmarc.files import FoundReport
from tests.helpers.api import Program, tokens_of
from tests.helpers.feedback import feedback, record
from tests.helpers.site import Site, text_of, token_in

pytestmark = pytest.mark.slow


def uploaded(site: Site, data: bytes, name: str = "r.xml.gz") -> Response:
    token = token_in(site.get("/dmarc"))
    return site.browser.post("/dmarc", data={"csrf": token}, files={"report": (name, data)})


def test_a_report_is_explained(ann: Site) -> None:
    answer = uploaded(ann, gzip.compress(feedback(record(count=1234))), "<b>.xml.gz")
    assert answer.status_code == 200
    text = text_of(answer)
    assert "<b>.xml.gz : 1 report" in text
    assert "1,234 messages from 1 source in 1 day; 0 messages pass." in text
    assert "192.0.2.1 sends 1,234 messages as example.org without aligned SPF or DKIM" in text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no report in it"),
        (b"Subject: x\n\nhello\n", "no report in it"),
        (b"\x1f\x8b nonsense", "damaged gzip data"),
        (b'<!DOCTYPE f SYSTEM "file:///etc/passwd"><feedback/>', "no report in it"),
        (
            b'<?xml version="1.0"?><!DOCTYPE f SYSTEM "file:///etc/passwd"><feedback>&x;</feedback>',
            "has a document type or entities",
        ),
    ],
)
def test_what_is_no_report_says_why(ann: Site, data: bytes, said: str) -> None:
    answer = uploaded(ann, data)
    assert answer.status_code == 422
    assert said in text_of(answer)


def test_hostile_texts_stay_texts(ann: Site) -> None:
    domain = "&lt;script>alert(1)&lt;/script>"
    answer = uploaded(ann, feedback(record(header_from=domain)))
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_it_is_for_admins(bob: Site) -> None:
    assert bob.get("/dmarc").status_code == 403
    token = token_in(bob.get("/scan"))
    answer = bob.browser.post("/dmarc", data={"csrf": token}, files={"report": ("r", feedback())})
    assert answer.status_code == 403
    assert "DMARC" not in bob.get("/quarantine").text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "reports"
    place.mkdir()
    return place


@pytest.fixture
def reading(tmp_path: Path, folder: Path) -> Site:
    """A site whose settings name the folder, and an admin in it."""
    site = Site(tmp_path, web=f'[dmarc]\nreceived = "{folder}"')
    site.log_in()
    return site


def test_the_reports_of_a_folder(reading: Site, folder: Path) -> None:
    assert "No report has come yet." in text_of(reading.get("/dmarc"))
    (folder / "a.xml.gz").write_bytes(gzip.compress(feedback(record(count=7))))
    (folder / "notes.txt").write_text("no report")
    text = text_of(reading.get("/dmarc"))
    assert "7 messages from 1 source" in text
    assert "notes.txt : no report in it" in text
    # What is added later is there at once.
    (folder / "b.xml").write_bytes(feedback(record("192.0.2.9", 5), id="two"))
    assert "12 messages from 2 sources" in text_of(reading.get("/dmarc"))


def test_a_folder_is_read_again_only_if_it_changed(
    reading: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.xml").write_bytes(feedback())
    reading.get("/dmarc")
    reads: list[Path] = []
    original = received.reports_in_file

    def noted(path: Path) -> Iterator[FoundReport]:
        reads.append(path)
        return original(path)

    monkeypatch.setattr(received, "reports_in_file", noted)
    reading.get("/dmarc")
    assert reads == []
    os.utime(folder / "a.xml", (1, 1))
    reading.get("/dmarc")
    assert reads == [folder / "a.xml"]


def test_what_was_read_slowly_stands_for_a_while(
    reading: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger sends a slow report each minute, and an admin looks at the page."""
    now, reads, original = [1000.0], 0, received.reports_in_file

    def slow(path: Path) -> Iterator[FoundReport]:
        nonlocal reads
        reads += 1
        now[0] += 6.0
        return original(path)

    monkeypatch.setattr(received, "reports_in_file", slow)
    monkeypatch.setattr(received, "monotonic", lambda: now[0])
    (folder / "a.xml").write_bytes(feedback())
    assert "1 report" in text_of(reading.get("/dmarc"))
    (folder / "b.xml").write_bytes(feedback(id="b"))
    now[0] += 59.0
    assert "1 report" in text_of(reading.get("/dmarc"))
    assert reads == 1
    now[0] += 2.0
    assert "2 reports" in text_of(reading.get("/dmarc"))
    assert reads == 3


def test_the_newest_of_many_are_read(
    reading: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(received, "FILES_LIMIT", 2)
    for number in range(5):
        path = folder / f"{number}.xml"
        path.write_bytes(feedback(record(f"192.0.2.{number}"), id=str(number)))
        os.utime(path, (1000 + number, 1000 + number))
    text = text_of(reading.get("/dmarc"))
    assert "2 reports" in text
    assert "3 older files not read." in text
    assert "192.0.2.4" in text
    assert "192.0.2.0" not in text


def test_an_mbox_is_read_up_to_its_limit(
    reading: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(received, "RECORDS_LIMIT", 3)
    line = b"From a@b.example Mon Sep 21 00:00:00 2026\n"
    mails = (
        line + b"Content-Type: text/xml\n\n" + feedback(id=str(number)) + b"\n"
        for number in range(9)
    )
    (folder / "mbox").write_bytes(b"".join(mails))
    text = text_of(reading.get("/dmarc"))
    assert "3 reports" in text
    assert "mbox : not read to its end: more than 3 records, or 20 seconds" in text
    program = Program(reading, tokens_of(reading).add("robot", "admin"))
    (one,) = program.get("/dmarc").json()["not_read"]
    assert one["name"].endswith("mbox")
    assert one["why"].startswith("not read to its end")


def test_an_mbox_is_not_read_for_ever(
    reading: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each message takes a second; many of them are not even reports.
    monkeypatch.setattr(received, "monotonic", itertools.count().__next__)
    monkeypatch.setattr(received, "SECONDS_LIMIT", 50)
    line = b"From a@b.example Mon Sep 21 00:00:00 2026\n"
    (folder / "mbox").write_bytes((line + b"Subject: hello\n\nhello\n\n") * 100)
    answer = reading.get("/dmarc")
    assert "mbox#1: no report in it" in text_of(answer).replace(" :", ":")
    assert "not read to its end" in text_of(answer)


def test_reading_ends_when_its_time_is_over(
    reading: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(received, "SECONDS_LIMIT", -1.0)
    (folder / "a.xml").write_bytes(feedback())
    assert "1 older file not read." in text_of(reading.get("/dmarc"))


def test_a_folder_that_is_not_there(reading: Site, folder: Path) -> None:
    folder.rmdir()
    answer = reading.get("/dmarc")
    assert "The reports cannot be read; see the log." in text_of(answer)
    program = Program(reading, tokens_of(reading).add("robot", "admin"))
    answer = program.get("/dmarc")
    assert (answer.status_code, str(folder) in answer.text) == (503, False)


def test_the_route(reading: Site, folder: Path) -> None:
    (folder / "a.xml").write_bytes(feedback(record(count=7)))
    program = Program(reading, tokens_of(reading).add("robot", "admin"))
    value = program.get("/dmarc").json()
    assert (value["reports"], value["messages"]) == (1, 7)
    data = gzip.compress(feedback(record("192.0.2.9", 3, dkim="pass")))
    answer = reading.browser.post("/api/dmarc", content=data, headers=program.headers)
    (source,) = answer.json()["sources"]
    assert (source["source"], source["dkim"], source["fail"]) == ("192.0.2.9", 3, 0)
    assert source["advice"].startswith("192.0.2.9 sends 3 messages as example.org")


def test_the_route_says_what_is_wrong(ann: Site) -> None:
    program = Program(ann, tokens_of(ann).add("robot", "admin"))
    answer = program.get("/dmarc")
    assert (answer.status_code, answer.json()["detail"]) == (404, "dmarc.received is not set")
    answer = ann.browser.post("/api/dmarc", content=b"", headers=program.headers)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("no report in it")
    helper = Program(ann, tokens_of(ann).add("helper", "reviewer", ["mx.example"]))
    assert helper.get("/dmarc").status_code == 403
    answer = ann.browser.post("/api/dmarc", content=feedback(), headers=helper.headers)
    assert answer.status_code == 403
