"""What the clamav filter makes of what clamd says, does not say, and cannot take."""

from __future__ import annotations

import base64
import logging
import os
import threading
import time
from pathlib import Path
from typing import Literal

import pytest

from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicySettings
from filterd.chain.verdict import Action, Splice, Verdict
from filterd.filters.clamav.filter import ClamAV, ScanError
from filterd.filters.clamav.settings import ClamAVSettings, Unscanned
from filterd.message import Envelope, Message, Recipient
from filterd.scanners import hosts as clamav
from filterd.scanners.clamd.server import ClamdError, ClamdServer, StreamTooLargeError
from filterd.scanners.slots import NoSlotError, Slots
from tests.helpers.scanner import Judge, Scanner, clean, finds

pytestmark = pytest.mark.slow

BAD = b"this is very bad"
MAIL = b"From: a@b.example\r\nSubject: hello\r\n\r\n" + BAD + b"\r\n"
TWO_PARTS = (
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\n\r\nhello\r\n--x\r\n"
    b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(BAD)
    + b"--x--\r\n"
)


HIDDEN = (
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\n\r\nhello\r\n--x\r\nno field\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n"
    b"--y\r\n\r\nhello\r\n--y--\r\n--y\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(BAD)
    + b"--y--\r\n--x--\r\n"
)
"""Behind a line that is no field, and then behind the last boundary."""

SETTINGS = [
    ("continue", Action.ACCEPT),
    ("quarantine", Action.QUARANTINE),
    ("tempfail", Action.TEMPFAIL),
    ("reject", Action.REJECT),
]


def names(verdict: Verdict) -> list[str]:
    return [symbol.name for symbol in verdict.symbols]


@pytest.fixture(params=["unix", "tcp"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "clamd.sock" if request.param == "unix" else None


def test_a_virus_is_refused_and_named(where: Path | None) -> None:
    with Scanner(finds(BAD, "Win.Test.Evil-1"), where) as scanner:
        verdict = ClamAV(ClamAVSettings(server=scanner.address)).examine(Message(MAIL))

    decision = Policy(PolicySettings()).decide(verdict, Envelope("", (Recipient("j@mx.test"),)))
    assert decision.action is Action.REJECT
    assert verdict.virus == "Win.Test.Evil-1"
    assert (decision.reply.code, decision.reply.xcode) == (554, "5.7.0")  # type: ignore[union-attr]
    assert [(s.name, s.detail) for s in verdict.symbols] == [("CLAM_VIRUS", "Win.Test.Evil-1")]


INFECTED = (
    b"From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nhello\r\n--b\r\nContent-Type: application/octet-stream; name=x.bin\r\n\r\n"
    b"this is very bad\r\n--b\r\n\r\nbye\r\n--b--\r\n"
)


def test_the_infected_part_is_located_where_somebody_wants_it_taken_out(where: Path | None) -> None:
    with Scanner(finds(BAD, "Win.Test.Evil-1"), where) as scanner:
        clamav = ClamAV(ClamAVSettings(server=scanner.address))
        assert clamav.examine(Message(INFECTED)).infected == ()
        clamav.locates = True
        (found,) = clamav.examine(Message(INFECTED)).infected

    assert (found.part.filename, found.part.reason) == (
        "x.bin",
        "it contains the virus Win.Test.Evil-1",
    )
    (edit,) = found.edits
    assert isinstance(edit, Splice)
    rest = INFECTED[: edit.start] + edit.replacement + INFECTED[edit.end :]
    assert BAD not in rest
    assert b"x.bin was removed" in rest
    assert rest.count(b"--b") == 4


@pytest.mark.parametrize(
    "data",
    [
        # In no part; in a signed part; where readers differ about the parts.
        b"X: this is very bad\r\n" + INFECTED.replace(BAD, b"good"),
        INFECTED.replace(b"multipart/mixed", b"multipart/signed"),
        INFECTED.replace(b"--b--", b"--b--\r\n--b\r\n\r\nthis is very bad\r\n--b--"),
    ],
)
def test_what_cannot_be_taken_out_cleanly_is_not_located(data: bytes, tmp_path: Path) -> None:
    with Scanner(finds(BAD, "Win.Test.Evil-1"), tmp_path / "s") as scanner:
        clamav = ClamAV(ClamAVSettings(server=scanner.address))
        clamav.locates = True
        verdict = clamav.examine(Message(data))
    assert (verdict.virus, verdict.infected) == ("Win.Test.Evil-1", ())


def test_a_clean_message_arrives_at_the_scanner_octet_by_octet(where: Path | None) -> None:
    data = MAIL + bytes(range(256)) * 4000
    with Scanner(clean, where) as scanner:
        verdict = ClamAV(ClamAVSettings(server=scanner.address)).examine(Message(data))

    assert scanner.seen == [data]
    assert (verdict.action, verdict.symbols, verdict.virus) == (Action.ACCEPT, (), None)


@pytest.mark.parametrize(
    "name, symbol, points",
    [
        ("Heuristics.Phishing.Email.SpoofedDomain", "CLAM_PHISHING", 3.0),
        ("Heuristics.Limits.Exceeded.MaxFileSize", "CLAM_LIMIT", 3.0),
        ("Heuristics.Encrypted.Zip", "CLAM_ENCRYPTED", 3.0),
        ("Heuristics.OLE2.ContainsMacros.VBA", "CLAM_MACRO", 3.0),
        ("Heuristics.Broken.Executable", "CLAM_SUSPICION", 3.0),
        ("PUA.Win.Packer.Upx-1", "CLAM_PUA", 3.0),
    ],
)
def test_a_guess_gives_points(name: str, symbol: str, points: float, tmp_path: Path) -> None:
    with Scanner(finds(BAD, name), tmp_path / "s") as scanner:
        verdict = ClamAV(ClamAVSettings(server=scanner.address)).examine(Message(MAIL))

    assert (verdict.action, verdict.virus) == (Action.ACCEPT, None)
    assert [(s.name, s.score, s.detail) for s in verdict.symbols] == [(symbol, points, name)]


def test_patterns_are_the_admins(tmp_path: Path) -> None:
    with Scanner(finds(BAD, "Heuristics.Broken.Executable"), tmp_path / "s") as scanner:
        strict = ClamAV(ClamAVSettings(server=scanner.address, suspicions={}))
        assert strict.examine(Message(MAIL)).virus == "Heuristics.Broken.Executable"
    with Scanner(finds(BAD, "Sanesecurity.Junk.1.UNOFFICIAL"), tmp_path / "t") as scanner:
        mild = ClamAV(
            ClamAVSettings(server=scanner.address, suspicions={"Sanesecurity.Junk.*": 1.5})
        )
        assert mild.examine(Message(MAIL)).score == 1.5


def test_the_hash_behind_a_name_is_dropped(tmp_path: Path) -> None:
    answer = "Eicar-Test-Signature(44d88612fea8a8f36de82e1278abb02f:68)"
    with Scanner(finds(BAD, answer), tmp_path / "s") as scanner:
        assert (
            ClamAV(ClamAVSettings(server=scanner.address)).examine(Message(MAIL)).virus
            == "Eicar-Test-Signature"
        )


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\n\n",
        b"stream: Eicar\n",
        b"stream: OK, more or less\n",
        b"OK\n",
        b"stream:  FOUND\n",
        b"\xff\xfe\n",
        b"stream: Can't allocate memory ERROR\n",
        b"x" * 10_000,
    ],
)
def test_nonsense_is_no_clean_bill(answer: bytes, where: Path | None) -> None:
    with Scanner(lambda _content: answer, where) as scanner:
        filter = ClamAV(ClamAVSettings(server=scanner.address, patience=0))
        with pytest.raises(ScanError, match="no clamd answered"):
            filter.examine(Message(MAIL))


def silent(_content: bytes) -> bytes:
    time.sleep(4)
    return b"stream: OK\n"


@pytest.mark.parametrize("judge", [silent, lambda _content: b""], ids=["silent", "hangs up"])
def test_the_next_server_answers_for_one_that_does_not(judge: Judge, tmp_path: Path) -> None:
    with (
        Scanner(judge, tmp_path / "a") as first,
        Scanner(finds(BAD, "Evil"), tmp_path / "b") as second,
    ):
        filter = ClamAV(ClamAVSettings(server=(first.address, second.address), silence=2.0))
        assert filter.examine(Message(MAIL)).virus == "Evil"
        asked = len(first.seen)
        assert filter.examine(Message(MAIL)).virus == "Evil"
        assert len(first.seen) == asked, "a server that failed is asked last for a while"


def test_a_server_that_restarts_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clamav, "PAUSE", 0.02)
    path = tmp_path / "clamd.sock"
    scanners: list[Scanner] = []
    restart = threading.Timer(0.15, lambda: scanners.append(Scanner(finds(BAD, "Evil"), path)))
    restart.start()

    assert (
        ClamAV(ClamAVSettings(server=f"unix:{path}", patience=10)).examine(Message(MAIL)).virus
        == "Evil"
    )
    restart.join()
    scanners[0].close()


def test_only_the_first_message_waits_for_servers_that_stay_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clamav, "PAUSE", 0.02)
    filter = ClamAV(
        ClamAVSettings(server=(f"unix:{tmp_path}/a", f"unix:{tmp_path}/b"), patience=0.2)
    )
    pauses: list[float] = []
    monkeypatch.setattr(
        clamav.time, "sleep", lambda s, sleep=time.sleep: pauses.append(s) or sleep(s)
    )
    waited = []
    for _ in range(2):
        before = len(pauses)
        with pytest.raises(ScanError) as caught:
            filter.examine(Message(MAIL))
        waited.append(len(pauses) - before)

    assert f"{tmp_path}/a" in str(caught.value)
    assert f"{tmp_path}/b" in str(caught.value)
    assert waited[0] > 0
    assert waited[1] == 0


@pytest.mark.parametrize("scan", ["message", "both"])
def test_a_message_that_is_too_large_is_scanned_part_by_part(
    where: Path | None, scan: Literal["message", "both"]
) -> None:
    limit = len(TWO_PARTS) - 1
    with Scanner(finds(BAD, "Evil"), where, limit=limit, descriptors=False) as scanner:
        filter = ClamAV(ClamAVSettings(server=scanner.address, scan=scan))
        assert filter.examine(Message(TWO_PARTS)).virus == "Evil"
        harmless = Message(TWO_PARTS.replace(base64.encodebytes(BAD), b"aGVsbG8=\r\n"))
        scanner.limit = harmless.size - 1
        verdict = ClamAV(ClamAVSettings(server=scanner.address, scan=scan)).examine(harmless)

    assert scanner.seen == [b"hello", BAD, b"hello", b"hello"]
    assert (verdict.action, verdict.symbols) == (Action.ACCEPT, ())


@pytest.mark.parametrize("setting, action", SETTINGS)
def test_what_no_scanner_takes_has_a_symbol_and_a_policy(
    setting: str, action: Action, where: Path | None
) -> None:
    with Scanner(clean, where, limit=1 << 20, descriptors=False) as scanner:
        filter = ClamAV(ClamAVSettings(server=scanner.address, too_large=setting))  # type: ignore[arg-type]
        verdict = filter.examine(Message(MAIL + b"x" * (3 << 20)))

    assert verdict.action is action
    assert names(verdict) == ["CLAM_TOO_LARGE"]
    assert verdict.virus is None


@pytest.mark.parametrize(
    "answer",
    [
        b"stream: Exceeded time limit ERROR\n",
        b"stream: Exceeded max scan size ERROR\n",
        b"stream: Exceeded max recursion depth ERROR\n",
        b"stream: Exceeded max scan files ERROR\n",
        b"stream: CL_ETIMEOUT: Time limit reached ERROR\n",
        b"stream: Bad format or broken data ERROR\n",
        b"stream: Can't parse data ERROR\n",
        b"stream: Can't unpack some data ERROR\n",
    ],
)
@pytest.mark.parametrize("setting, action", SETTINGS)
def test_a_clamd_that_gives_up_on_a_message_is_not_away(
    answer: bytes, setting: Unscanned, action: Action, where: Path | None
) -> None:
    """Sent again, the message would fare no better: a symbol and a policy, no failure."""
    with Scanner(lambda _content: answer, where) as scanner:
        filter = ClamAV(ClamAVSettings(server=scanner.address, over_limit=setting, patience=0))
        verdict = filter.examine(Message(MAIL))
        assert filter.hosts.avoided == {}

    assert verdict.action is action
    assert names(verdict) == ["CLAM_LIMIT"]
    assert (verdict.reply is not None) == (setting == "reject")


def test_a_virus_beside_a_bomb_is_found(tmp_path: Path) -> None:
    def judge(content: bytes) -> bytes:
        if content == BAD:
            return b"stream: Evil FOUND\n"
        return b"stream: Exceeded max scan size ERROR\n" if len(content) > 20 else clean(content)

    with Scanner(judge, tmp_path / "s") as scanner:
        assert (
            ClamAV(ClamAVSettings(server=scanner.address)).examine(Message(TWO_PARTS)).virus
            == "Evil"
        )


@pytest.mark.parametrize("setting, action", SETTINGS)
def test_a_message_over_which_clamd_falls_silent_while_it_answers_others(
    setting: Unscanned, action: Action, where: Path | None
) -> None:
    def judge(content: bytes) -> bytes:
        if content:
            time.sleep(4)
        return clean(content)

    with Scanner(judge, where) as scanner:
        filter = ClamAV(ClamAVSettings(server=scanner.address, silence=2.0, over_limit=setting))
        verdict = filter.examine(Message(TWO_PARTS))
        assert filter.hosts.avoided == {}

    assert verdict.action is action
    (symbol,) = verdict.symbols
    assert symbol.name == "CLAM_LIMIT"
    assert "silent for 2.0 s over this message, and answers others" in symbol.detail


def test_parts_can_be_scanned_one_by_one(tmp_path: Path) -> None:
    with Scanner(finds(BAD, "Evil"), tmp_path / "s") as scanner:
        assert (
            ClamAV(ClamAVSettings(server=scanner.address)).examine(Message(TWO_PARTS)).virus is None
        )
        assert (
            ClamAV(ClamAVSettings(server=scanner.address, scan="parts"))
            .examine(Message(TWO_PARTS))
            .virus
        )
        assert (
            ClamAV(ClamAVSettings(server=scanner.address, scan="both"))
            .examine(Message(TWO_PARTS))
            .virus
        )

    assert scanner.seen == [TWO_PARTS, b"hello", BAD, TWO_PARTS, b"hello", BAD]


def test_what_only_some_readers_see_is_scanned_as_well(tmp_path: Path) -> None:
    twice = TWO_PARTS.replace(
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n",
    )
    with Scanner(finds(BAD, "Evil"), tmp_path / "s") as scanner:
        assert (
            ClamAV(ClamAVSettings(server=scanner.address)).examine(Message(twice)).virus == "Evil"
        )


def test_signatures_are_named_with_their_age(tmp_path: Path) -> None:
    with Scanner(clean, tmp_path / "s") as scanner:
        dated = ClamAV(ClamAVSettings(server=scanner.address)).examine(Message(MAIL)).scanner
        scanner.version = b"ClamAV 1.4.3\n"
        plain = ClamAV(ClamAVSettings(server=scanner.address)).examine(Message(MAIL)).scanner
        scanner.version = b"nothing of the kind\n"
        unknown = ClamAV(ClamAVSettings(server=scanner.address)).examine(Message(MAIL)).scanner

    assert dated is not None
    assert dated.startswith("ClamAV 1.4.3/27450 (signatures ")
    assert dated.endswith((" day old)", " days old)"))
    assert plain == "ClamAV 1.4.3"
    assert unknown == "ClamAV"


def test_old_signatures_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    version = b"ClamAV 1.0.0/26000/Sat Jan  4 09:00:00 2020\n"
    with Scanner(clean, tmp_path / "s", version=version) as scanner:
        ClamAV(ClamAVSettings(server=scanner.address)).examine(Message(MAIL))
    assert "days old" in caplog.text


def test_limits_are_compared_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.scanners.clamd.server.PROBE_SECONDS", 0.05)
    caplog.set_level(logging.WARNING)
    with Scanner(clean, tmp_path / "s", limit=1000, descriptors=False) as scanner:
        ClamAV(ClamAVSettings(server=scanner.address, size_limit=1000)).prepare()
        assert caplog.text == ""
        ClamAV(ClamAVSettings(server=scanner.address, size_limit=1001)).prepare()
    assert "StreamMaxLength" in caplog.text
    caplog.clear()
    ClamAV(ClamAVSettings(server=f"unix:{tmp_path}/nobody")).prepare()
    assert "will be asked again" in caplog.text


def test_scans_at_once_are_capped(tmp_path: Path) -> None:
    """Slots keep processes apart; what this test forks is the other worker."""
    slots = Slots(1)
    with slots.one(1):
        child = os.fork()
        if child == 0:
            try:
                with slots.one(0.05):
                    os._exit(1)
            except NoSlotError:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    holder = os.fork()
    if holder == 0:
        slots._taken()
        os.kill(os.getpid(), 9)
    os.waitpid(holder, 0)
    with slots.one(0):
        pass  # a process that was killed gave its slot back

    with Scanner(clean, tmp_path / "s") as scanner:
        filter = ClamAV(ClamAVSettings(server=scanner.address, scans_at_once=2))
        assert filter.examine(Message(MAIL)).action is Action.ACCEPT


@pytest.mark.parametrize(
    "text, server",
    [
        ("unix:/run/clamav/clamd.ctl", ClamdServer("/run/clamav/clamd.ctl")),
        ("local:/run/clamd.sock", ClamdServer("/run/clamd.sock")),
        ("tcp:scanner.example", ClamdServer("scanner.example", 3310)),
        ("tls:scanner.example:4000", ClamdServer("scanner.example", 4000, tls=True)),
        ("tcp:scanner.example:4000", ClamdServer("scanner.example", 4000)),
        ("tcp:[::1]:4000", ClamdServer("::1", 4000)),
        ("tcp:[::1]", ClamdServer("::1", 3310)),
    ],
)
def test_addresses(text: str, server: ClamdServer) -> None:
    assert ClamdServer.parse(text) == server


@pytest.mark.parametrize("text", ["", "unix:clamd.ctl", "tcp::1", "tcp:a:b", "tcp:a:70000", "x:/a"])
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        ClamAV(ClamAVSettings(server=text))


def test_settings_that_make_no_sense_are_said() -> None:
    with pytest.raises(ValueError, match="server: is empty"):
        ClamAV(ClamAVSettings(server=()))
    with pytest.raises(ValueError, match="is not a number"):
        ClamAV(ClamAVSettings(suspicions={"*": float("inf")}))


def test_errors_name_the_server(tmp_path: Path) -> None:
    with pytest.raises(ClamdError, match=r"unix:.*/nobody: No such file"):
        ClamdServer(f"{tmp_path}/nobody").scan(b"x", 1)
    with Scanner(clean, tmp_path / "s", limit=10, descriptors=False) as scanner:
        with pytest.raises(StreamTooLargeError, match="11 octets are more than"):
            ClamdServer.parse(scanner.address).scan(b"x" * 11, 1)
        assert ClamdServer.parse(scanner.address).scan(b"x" * 10, 1) == ""
        assert ClamdServer.parse(scanner.address).scan(b"", 1) == ""


@pytest.mark.parametrize("scan", ["message", "parts", "both"])
def test_what_only_some_readers_find_is_scanned_as_well(where: Path | None, scan: str) -> None:
    with Scanner(finds(BAD, "Win.Test.Evil-1"), where) as scanner:
        assert BAD not in HIDDEN
        filter_ = ClamAV(ClamAVSettings(server=scanner.address, scan=scan))  # type: ignore[arg-type]
        assert filter_.examine(Message(HIDDEN)).virus == "Win.Test.Evil-1"
