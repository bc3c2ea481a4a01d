"""ICAP with a server that says what it likes: no answer counts as clean that is not one."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from filterd.scanners.answer import CLEAN, GivenUp, Infected, ScannerError, Unavailable
from filterd.scanners.icap.scanner import IcapScanner, IcapServer
from filterd.scanners.verified import Verified
from tests.helpers import icap
from tests.helpers.certificates import server_context
from tests.helpers.icap import IcapStub

pytestmark = pytest.mark.server

BAD = b"this is very bad"
FOUND = "X-Infection-Found: Type=0; Resolution=2; Threat=Evil;"


def scan(stub: IcapStub, content: bytes, *, silence: float = 10.0, **more: object) -> object:
    one = IcapScanner(IcapServer.parse(stub.address), silence, **more)  # type: ignore[arg-type]
    return one.scan(content, time.monotonic() + 20)


@pytest.mark.parametrize("method", ["respmod", "reqmod"])
def test_contents_arrive_octet_by_octet(method: str) -> None:
    contents = [b"", b"x", BAD, bytes(range(256)) * 2000]
    with IcapStub(icap.finds(BAD, FOUND)) as stub:
        one = IcapScanner(IcapServer.parse(stub.address), 10, method=method)  # type: ignore[arg-type]
        found = [one.scan(content, time.monotonic() + 20) for content in contents]
        assert found == [CLEAN, CLEAN, Infected("Evil"), CLEAN]
        assert stub.seen == contents
        assert stub.connections == 1


def test_preview() -> None:
    with IcapStub(icap.finds(BAD, FOUND)) as stub:
        one = IcapScanner(IcapServer.parse(stub.address), 10, preview=True)
        contents = [b"", b"abc", b"abcd", b"abcde", BAD * 10_000]
        found = [one.scan(content, time.monotonic() + 20) for content in contents]
        assert found == [CLEAN] * 4 + [Infected("Evil")]
        assert stub.seen == contents
        stub.by_preview = icap.CLEAN
        assert one.scan(BAD, time.monotonic() + 20) == CLEAN
        assert stub.seen[-1] == BAD[:4]
        stub.by_preview = icap.refused(FOUND)
        assert one.scan(BAD, time.monotonic() + 20) == Infected("Evil")


@pytest.mark.parametrize(
    "lines, answer",
    [
        ((FOUND,), Infected("Evil")),
        (
            ("X-Infection-Found: Type=0; Resolution=0; Threat=Win Evil (a)",),
            Infected("Win Evil (a)"),
        ),
        (("X-Virus-ID: Evil",), Infected("Evil")),
        (("X-Violations-Found: 1", "\tmail.eml", "\tEvil", "\t17", "\t2"), Infected("Evil")),
        (("X-Violations-Found: 1",), Infected("violation")),
        (("X-Infection-Found: nonsense",), Infected("nonsense")),
        (("X-Virus-ID: none",), Infected("refused with HTTP status 403")),
        ((), Infected("refused with HTTP status 403")),
        (("X-Virus-ID: \x1b[2Jx",), Infected("\ufffd[2Jx")),
        (("X-Virus-ID: " + "x" * 10_000,), Infected("x" * 128)),
    ],
)
def test_names(lines: tuple[str, ...], answer: object) -> None:
    with IcapStub(lambda _content: icap.refused(*lines)) as stub:
        assert scan(stub, BAD) == answer


def test_a_container_that_is_too_much() -> None:
    line = "X-Infection-Found: Type=2; Resolution=2; Threat=Bomb"
    with IcapStub(lambda _content: icap.refused(line)) as stub:
        found = scan(stub, BAD)
    assert isinstance(found, GivenUp)
    assert "Bomb" in found.why


def test_the_same_content_is_clean_and_another_is_not() -> None:
    with IcapStub(icap.same) as stub:
        assert scan(stub, BAD) == CLEAN
    with IcapStub(lambda content: icap.same(content[:-1] + b"x")) as stub:
        assert isinstance(scan(stub, BAD), GivenUp)
    # A name beside the same content counts.
    with IcapStub(
        lambda c: icap.same(c).replace(b"OK\r\n", b"OK\r\nX-Virus-ID: Evil\r\n", 1)
    ) as stub:
        assert scan(stub, BAD) == Infected("Evil")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"ICAP/1.0 204",
        b"ICAP/1.0 20x OK\r\n\r\n",
        b"ICAP/1.0 204 No\r\nno field\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: x\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n4\r\npag",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\nffffffff\r\npage\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n-4\r\npage\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=0\r\n\r\n4\r\npageX\r\n0\r\n\r\n",
        b"ICAP/1.0 404 Service not found\r\n\r\n",
        b"ICAP/1.0 500 Error\r\n\r\n",
        b"ICAP/1.0 503 Overloaded\r\n\r\n",
        b"ICAP/1.0 204 x\r\nA: " + b"x" * 70_000 + b"\r\n\r\n",
        b"ICAP/1.0 204 x\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
        b"x" * 200_000,
    ],
)
def test_nonsense_is_no_clean_bill(answer: bytes) -> None:
    hangs_up = [answer, b""]
    with IcapStub(lambda _content: hangs_up[0]) as stub:
        threading.Timer(1.0, lambda: [p.close() for p in stub._peers]).start()
        found = scan(stub, BAD, silence=1.5)
    assert isinstance(found, Unavailable | GivenUp)
    assert isinstance(found, Unavailable) or found.kind == "time"


def test_too_large() -> None:
    with IcapStub(lambda _content: b"ICAP/1.0 413 Too large\r\n\r\n") as stub:
        found = scan(stub, BAD)
        assert isinstance(found, GivenUp)
        assert found.kind == "size"
        assert scan(stub, BAD, size_limit=3) == GivenUp(
            "16 octets are more than size_limit", "size"
        )


def test_silence_about_this_content_and_about_all() -> None:
    def silent(content: bytes) -> bytes:
        time.sleep(3)
        return icap.CLEAN

    with IcapStub(silent) as stub:
        found = scan(stub, BAD, silence=0.5)
        assert isinstance(found, GivenUp)
        assert found.kind == "time"
    with IcapStub(silent, options=b"ICAP/1.0 500 Error\r\n\r\n") as stub:
        assert isinstance(scan(stub, BAD, silence=0.5), Unavailable)


def test_an_answer_to_another_question_is_not_taken() -> None:
    """Two answers to one content: the second one would be taken for that about the next."""
    with IcapStub(
        lambda content: icap.CLEAN * 2 if content == b"good" else icap.refused(FOUND)
    ) as stub:
        one = IcapScanner(IcapServer.parse(stub.address), 10)
        assert one.scan(b"good", time.monotonic() + 20) == CLEAN
        assert one.scan(BAD, time.monotonic() + 20) == Infected("Evil")
        assert stub.connections == 2


def test_a_connection_that_ended_meanwhile_is_opened_again() -> None:
    answers = [icap.CLEAN, b"", icap.CLEAN]
    with IcapStub(lambda _content: answers.pop(0)) as stub:
        one = IcapScanner(IcapServer.parse(stub.address), 10)
        assert [one.scan(b"x", time.monotonic() + 20) for _ in range(2)] == [CLEAN] * 2
        assert stub.connections == 2


def test_a_server_whose_engine_is_away_calls_nothing_clean() -> None:
    with IcapStub(lambda _content: icap.CLEAN) as stub:
        one = Verified(IcapScanner(IcapServer.parse(stub.address), 10), 60)
        found = one.scan(b"good", time.monotonic() + 20)
    assert isinstance(found, Unavailable)
    assert "does not find the antivirus test file" in found.why
    with IcapStub(icap.finds(b"EICAR", FOUND)) as stub:
        one = Verified(IcapScanner(IcapServer.parse(stub.address), 10), 60)
        assert [one.scan(b"good", time.monotonic() + 20) for _ in range(3)] == [CLEAN] * 3
        assert len(stub.seen) == 4


def test_an_engine_that_hangs_is_not_the_contents_fault() -> None:
    """OPTIONS is answered all the while. What the scanner is silent about alone, it gave up on."""
    over = threading.Event()
    hangs_over = [b"slow", b"EICAR"]

    def judge(content: bytes) -> bytes:
        if any(word in content for word in hangs_over):
            over.wait(30)
        return icap.finds(b"EICAR", FOUND)(content)

    with IcapStub(judge) as stub:
        one = Verified(IcapScanner(IcapServer.parse(stub.address), 0.5), 60)
        found = one.scan(b"slow", time.monotonic() + 20)
        assert isinstance(found, Unavailable)
        assert "silent" in found.why
        hangs_over.pop()
        found = one.scan(b"slow", time.monotonic() + 20)
        assert isinstance(found, GivenUp)
        assert found.kind == "time"
        over.set()
        assert one.scan(b"slow", time.monotonic() + 20) == CLEAN


def test_what_it_scans_with() -> None:
    with IcapStub(lambda _content: icap.CLEAN) as stub:
        one = IcapScanner(IcapServer.parse(stub.address), 10)
        found = one.signatures(time.monotonic() + 5)
        assert (found.engine, found.tag) == ("ICAP", '"1"')
        stub.options = b"ICAP/1.0 404 no\r\n\r\n"
        with pytest.raises(ScannerError, match="404"):
            one.signatures(time.monotonic() + 5)


def test_tls(tmp_path: Path) -> None:
    context, trusted = server_context(tmp_path)
    with IcapStub(icap.finds(BAD, FOUND), tls=context) as stub:
        one = IcapScanner(IcapServer.parse(stub.address, str(trusted)), 10)
        contents = [b"good", BAD + bytes(1 << 18), b"good"]
        found = [one.scan(content, time.monotonic() + 20) for content in contents]
        assert found == [CLEAN, Infected("Evil"), CLEAN]
        assert (stub.seen, stub.connections) == (contents, 1)
        refused = scan(stub, BAD)
        assert isinstance(refused, Unavailable)
        assert "certificate" in refused.why.lower()


@pytest.mark.parametrize(
    "text, server",
    [
        ("icap://a.example/avscan", IcapServer("a.example", 1344, "avscan")),
        ("icap://127.0.0.1:99/a?b=c", IcapServer("127.0.0.1", 99, "a?b=c")),
        ("icap://[::1]:99/a", IcapServer("::1", 99, "a")),
        ("icaps://a.example/x", IcapServer("a.example", 11344, "x", tls=True)),
    ],
)
def test_addresses(text: str, server: IcapServer) -> None:
    assert IcapServer.parse(text) == server
    assert IcapServer.parse(str(server)) == server


@pytest.mark.parametrize(
    "text",
    ["", "icap://a", "icap:///x", "http://a/x", "icap://a:0/x", "icap://a:99999/x", "icap://a/x y"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="expected icap://"):
        IcapServer.parse(text)
