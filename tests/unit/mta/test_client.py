"""The client: what it puts on the wire, and what it reports."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from filterd.mta.delivery.client import SendResult, send_all, wire_form
from filterd.mta.milters.scripted import Respond, ScriptedFilter
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.server import running_mta
from filterd.mta.settings import MtaSettings

pytestmark = pytest.mark.server


@pytest.mark.parametrize(
    ("stored", "wire", "mended"),
    [
        (b"a\nb\n", b"a\r\nb\r\n", False),
        (b"a\r\nb\r\n", b"a\r\nb\r\n", False),
        (b"no end", b"no end\r\n", False),
        (b"", b"", False),
        (b"lone\rcr\n", b"lone\r\ncr\r\n", True),
        (b"lone\nlf\r\n", b"lone\r\nlf\r\n", True),
        (b"a\r\r\nb", b"a\r\n\r\nb\r\n", True),
        (b"\xff\x00" * 2000 + b"\n", b"\xff\x00" * 2000 + b"\r\n", False),
    ],
)
def test_the_form_on_the_wire(stored: bytes, wire: bytes, mended: bool) -> None:
    assert wire_form(stored) == (wire, mended)


def send(port: int, messages: list[tuple[str, bytes]], **more: object) -> dict[str, SendResult]:
    results: dict[str, SendResult] = {}

    def keep(result: SendResult) -> None:
        results[result.name] = result

    given: dict[str, object] = {"sender": "a@x.test", "recipients": ["joe"], **more}
    asyncio.run(send_all(messages, keep, host="127.0.0.1", port=port, **given))  # type: ignore[arg-type]
    return results


def test_mail_goes_byte_for_byte_over_several_connections(tmp_path: Path) -> None:
    bodies = [b".", b"..\n.", b"\xe9\x00\xff", b"x" * 5000, b"From me", b"last line without end"]
    messages = [
        (str(n), b"Message-Id: <%d@x>\nDate: d\nFrom: a\n\n" % n + body + b"\n")
        for n, body in enumerate(bodies)
    ]
    with running_mta(MtaSettings(port=0, mail=tmp_path / "mail", spool=tmp_path / "spool")) as mta:
        results = send(mta.port, messages, connections=3)
        mta.settle()
        stored = [path.read_bytes() for path in mta.mailbox("joe")]
    assert all(result.accepted for result in results.values())
    assert len(results) == len(messages)
    received = sorted(mail[mail.index(b"Message-Id") :] for mail in stored)
    # The MTA's own order: Date, From and Message-Id of the message stay as they came.
    assert received == sorted(data for _, data in messages)


def test_refusals_are_reported_with_their_stage(tmp_path: Path) -> None:
    path = tmp_path / "f"
    plan = {
        "M1": [Respond(b"r")],
        "R2": [Respond(b"y", b"550 5.1.1 no such user\0")],
        "E2": [Respond(b"t")],
    }
    settings = MtaSettings(
        port=0,
        mail=tmp_path / "mail",
        spool=tmp_path / "spool",
        filters=(InputMailFilter("f", f"unix:{path}"),),
    )
    with ScriptedFilter(path, plan), running_mta(settings) as mta:
        results = send(
            mta.port, [(n, b"x\n") for n in ("one", "two", "three")], recipients=["joe", "sue"]
        )
        mta.settle()
    assert (results["one"].stage, results["one"].code) == ("mail", 550)
    assert results["two"].accepted
    assert results["two"].refused == (("sue", "550 5.1.1 <sue>... no such user"),)
    assert (results["three"].stage, results["three"].code) == ("message", 451)


def test_a_server_that_is_not_there_is_reported_for_each_message() -> None:
    results = send(1, [("one", b"x"), ("two", b"y")])
    assert {(r.stage, r.code) for r in results.values()} == {("connect", 0)}
    assert not any(r.accepted for r in results.values())
