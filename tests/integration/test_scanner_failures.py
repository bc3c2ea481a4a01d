"""Every failure of a scanner, with the real server or program: never a clean bill, and all is as
before when it is over.

What a real one does not do is played by stubs: answers out of form, two answers to one question,
the answer to another question, a server that refuses commands or sends without end
(`tests/unit/scanners`, `tests/unit/filters/test_clamd_session.py`).
"""

from __future__ import annotations

import io
import os
import signal
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from filterd.filters.scanners.engine import ScanError
from filterd.filters.scanners.filter import Scanners
from filterd.filters.scanners.settings import ClamdSettings, IcapSettings, ScannersSettings
from filterd.message import Message
from filterd.scanners import command
from filterd.scanners.answer import CLEAN, GivenUp, Infected, Scanner, Unavailable
from filterd.scanners.clamd.scanner import ClamdScanner
from filterd.scanners.clamd.server import ClamdServer
from filterd.scanners.icap.scanner import IcapScanner, IcapServer
from filterd.scanners.processes import Limits
from filterd.scanners.several import Decide, Several
from filterd.scanners.verified import Verified
from tests.helpers.messages import EICAR
from tests.helpers.process import Program, folder, wait_for
from tests.helpers.servers.cicap import Cicap
from tests.helpers.servers.clamd import VIRUS, Clamd
from tests.helpers.servers.programs import program

LARGE = 4 << 20
"""Octets of content that takes several blocks."""


@pytest.fixture(scope="module")
def clamd() -> Iterator[Clamd]:
    """One that the tests may stop."""
    with folder("clamd-failures") as path:
        server = Clamd(path)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def cicap(clamd: Clamd) -> Iterator[Cicap]:
    with folder("c-icap-failures") as path:
        server = Cicap(path, clamd)
        server.start()
        yield server
        server.stop()


def of_clamd(clamd: Clamd, silence: float = 20.0) -> ClamdScanner:
    return ClamdScanner(ClamdServer.parse(f"unix:{clamd.socket}"), silence)


def of_icap(cicap: Cicap, silence: float = 20.0) -> Scanner:
    return Verified(IcapScanner(IcapServer.parse(cicap.address), silence), 0)


def scan(scanner: Scanner, content: bytes) -> object:
    return scanner.scan(content, time.monotonic() + 120)


def works(scanner: Scanner) -> bool:
    """Whether it tells a virus from what is none."""
    return [scan(scanner, c) for c in (b"hello", EICAR)] == [CLEAN, Infected(VIRUS)]


@contextmanager
def stopped(process: Program) -> Iterator[None]:
    """The program hangs: the kernel takes connections for it, and nobody reads them."""
    process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)


class Trap(bytes):
    """Content at whose middle something happens, while it is being sent."""

    spring: Callable[[], None] | None = None

    def __getitem__(self, key):  # type: ignore[no-untyped-def]
        if self.spring and isinstance(key, slice) and (key.start or 0) >= len(self) // 2:
            spring, self.spring = self.spring, None
            spring()
        return super().__getitem__(key)


# clamd.


@pytest.mark.parametrize("content", [b"hello", bytes(LARGE)], ids=["session", "stream"])
def test_clamd_hangs(clamd: Clamd, content: bytes) -> None:
    one = of_clamd(clamd, 1.0)
    assert works(one)
    with stopped(clamd.process):
        found = scan(one, content)
    assert isinstance(found, Unavailable)
    assert "silent" in found.why
    # Its late answers are about what was asked then.
    assert works(one)
    assert works(one)


def test_clamd_is_killed_in_the_middle_of_a_stream(clamd: Clamd) -> None:
    one = of_clamd(clamd)
    content = Trap(bytes(LARGE))
    content.spring = clamd.process.kill
    found = scan(one, content)
    assert isinstance(found, Unavailable)
    clamd.start()
    assert works(one)


def test_clamd_is_killed_between_two_messages_of_a_session(clamd: Clamd) -> None:
    one = of_clamd(clamd)
    assert works(one)
    clamd.process.kill()
    assert isinstance(scan(one, b"hello"), Unavailable)
    clamd.start()
    assert works(one)


@contextmanager
def knowing(name: bytes, needle: bytes) -> Iterator[tuple[Clamd, Cicap]]:
    """Servers that know one name more."""
    with folder("clamd-names") as there, folder("c-icap-names") as here:
        clamd = Clamd(there)
        clamd.add(name, needle)
        clamd.start()
        cicap = Cicap(here, clamd)
        cicap.start()
        yield clamd, cicap
        cicap.stop()
        clamd.stop()


NEEDLE = b"a needle that nothing else has"


def kinds(clamd: Clamd, cicap: Cicap, folder: Path) -> dict[str, Scanner]:
    return {
        "clamd": of_clamd(clamd),
        "icap": of_icap(cicap),
        "clamscan": program("clamscan", clamd, folder),
        "clamdscan": program("clamdscan", clamd, folder),
    }


@pytest.mark.parametrize(
    "name, shown, refused_by",
    [
        (b"Bad\x1b[31m\x07\x7f\x01Name", "Bad\ufffd[31m\ufffd\ufffd\ufffdName.UNOFFICIAL", ()),
        (b"Bad OK", "Bad OK.UNOFFICIAL", ()),
        (b"Bad FOUND", "Bad FOUND.UNOFFICIAL", ("icap",)),
        (b"\xe2\x80\xaeBad", "\ufffdBad.UNOFFICIAL", ()),
        # c-icap puts the name into a header field as it is.
        (b"Bad\rName", "Bad\ufffdName.UNOFFICIAL", ("icap",)),
        # ClamAV reads lines of 8 KiB; clamdscan and c-icap have shorter buffers, and say so.
        (b"L" * 900, "L" * 128, ("icap",)),
        (b"L" * 8000, "L" * 128, ("icap", "clamdscan")),
    ],
    ids=["terminal", "OK", "FOUND", "right to left", "CR", "900", "8000"],
)
def test_names_that_nobody_expects(
    tmp_path: Path, name: bytes, shown: str, refused_by: tuple[str, ...]
) -> None:
    """Found under a name that can be shown; where the server itself trips over it, no answer."""
    with knowing(name, NEEDLE) as (clamd, cicap):
        for kind, one in kinds(clamd, cicap, tmp_path).items():
            found = [scan(one, c) for c in (b"text " + NEEDLE, bytes(LARGE) + NEEDLE)]
            assert scan(one, b"hello") == CLEAN, kind
            if kind in refused_by:
                assert CLEAN not in found, kind
            else:
                assert found == [Infected(shown)] * 2, kind


def test_clamd_that_a_message_kills(tmp_path: Path) -> None:
    """ClamAV 1.4 aborts over a name that is not UTF-8: whoever asks it has no answer."""
    with knowing(b"Bad\xff\xfe", NEEDLE) as (clamd, cicap):

        def recovered(one: Scanner) -> bool:
            # It takes a while to die.
            if not clamd.process.running:
                clamd.start()
            return scan(one, b"hello") == CLEAN

        for kind, one in kinds(clamd, cicap, tmp_path).items():
            wait_for(f"clamd for {kind}", partial(recovered, one))
            assert isinstance(scan(one, NEEDLE), Unavailable), kind


# ICAP.


def test_icap_hangs(cicap: Cicap) -> None:
    one = of_icap(cicap, 1.0)
    assert works(one)
    with all_stopped(cicap.process):
        assert isinstance(scan(one, b"hello"), Unavailable)
        assert isinstance(scan(one, bytes(LARGE)), Unavailable)
    assert works(one)


@contextmanager
def all_stopped(process: Program) -> Iterator[None]:
    """The program and the processes that it has begun."""
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGCONT)


def test_icap_whose_engine_hangs(clamd: Clamd, cicap: Cicap) -> None:
    """It answers OPTIONS all the while, and no content: that is not this message's fault."""
    one = of_icap(cicap, 2.0)
    assert works(one)
    with stopped(clamd.process):
        assert isinstance(scan(one, b"hello"), Unavailable)
    wait_for("the engine", lambda: works(one))


def test_icap_is_killed_in_the_middle_of_a_stream(cicap: Cicap) -> None:
    one = of_icap(cicap)
    content = Trap(bytes(LARGE))
    content.spring = cicap.process.kill
    assert isinstance(scan(one, content), Unavailable)
    cicap.start()
    assert works(one)


def test_icap_is_killed_between_two_messages_of_a_connection(cicap: Cicap) -> None:
    one = of_icap(cicap)
    assert works(one)
    cicap.process.kill()
    assert isinstance(scan(one, b"hello"), Unavailable)
    cicap.start()
    assert works(one)


# Programs.

PROGRAMS = ["clamscan", "clamdscan"]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize(
    "around, why",
    [
        ('"$@"; exit 77', "status 77, which its table does not have"),
        ('"$@" & kill -KILL $!; wait $!', "status 137"),
        ('"$@"; kill -SEGV $$', "signal 11"),
        ('"$@" >/dev/null; exit 1', "has no name"),
        ('"$@" --no-such-option', "status 2"),
        ("exec /no/such/program", "status 127"),
    ],
    ids=["77", "killed", "crash", "no output", "usage", "not there"],
)
def test_a_program_that_ends_as_nobody_expects(
    clamd: Clamd, tmp_path: Path, name: str, around: str, why: str
) -> None:
    for content in (b"hello", EICAR):
        found = scan(program(name, clamd, tmp_path, around=around), content)
        assert isinstance(found, Unavailable)
        assert why in found.why
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_hangs(
    clamd: Clamd, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "IDLE_SECONDS", 0.5)
    note = tmp_path / "pid"
    around = f'"$@" & echo $! >{note}; kill -STOP $!; wait $!'
    found = scan(program(name, clamd, tmp_path, Limits(0.5), around), EICAR)
    assert isinstance(found, Unavailable)
    wait_for("its end", lambda: is_gone(int(note.read_text())))


def test_a_program_that_hangs_over_this_content(clamd: Clamd, tmp_path: Path) -> None:
    """It is well for no content at all, so it gave up on this one."""
    around = 'test -s /dev/stdin && sleep 600; "$@"'
    found = scan(program("clamscan", clamd, tmp_path, Limits(3.0), around), EICAR)
    assert isinstance(found, GivenUp)
    assert found.kind == "time"


def test_a_program_whose_server_hangs_or_dies(
    clamd: Clamd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "IDLE_SECONDS", 0.5)
    with stopped(clamd.process):
        found = scan(program("clamdscan", clamd, tmp_path, Limits(1.0)), EICAR)
        assert isinstance(found, Unavailable)
    answers: list[object] = []
    note = tmp_path / "pid"
    one = program("clamdscan", clamd, tmp_path, around=f'echo $$ >{note}; exec "$@"')
    clamd.process.signal(signal.SIGSTOP)
    asking = threading.Thread(target=lambda: answers.append(scan(one, EICAR)))
    asking.start()
    pid = int(wait_for("the program", lambda: note.exists() and note.read_text().strip()) or 0)
    wait_for("its question", lambda: b"clamdscan" in Path(f"/proc/{pid}/cmdline").read_bytes())
    clamd.process.kill()
    asking.join()
    (found,) = answers
    assert isinstance(found, Unavailable)
    assert "status 2" in found.why
    clamd.start()
    assert works(one)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_leaves_children(clamd: Clamd, tmp_path: Path, name: str) -> None:
    """One in its group, one in a session of its own; both hold its output open."""
    note = tmp_path / "pids"
    around = f'sleep 600 & echo $! >>{note}; setsid sleep 600 & echo $! >>{note}; trap "" HUP; "$@"'
    assert works(program(name, clamd, tmp_path, around=around))
    for pid in map(int, note.read_text().split()):
        wait_for("the child's end", partial(is_gone, pid))


def test_a_program_that_fills_the_disk(clamd: Clamd, tmp_path: Path) -> None:
    """clamscan unpacks into its folder: 40 MB of zeros, and the test file behind them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(40 << 20) + EICAR)
    found = scan(program("clamscan", clamd, tmp_path, Limits(60, disk=4)), packed.getvalue())
    assert isinstance(found, Unavailable)
    assert "File too large" in found.why
    assert scan(program("clamscan", clamd, tmp_path), packed.getvalue()) == Infected(VIRUS)
    around = 'for n in 1 2 3 4; do head -c 2000000 /dev/zero >$n; done; sleep 600; "$@"'
    found = scan(program("clamscan", clamd, tmp_path, Limits(60, disk=4), around), EICAR)
    assert isinstance(found, Unavailable)
    assert "wrote more than 4 MiB" in found.why
    assert list(tmp_path.iterdir()) == []


def test_content_beyond_the_limits_of_a_program(clamd: Clamd, tmp_path: Path) -> None:
    """clamscan calls such content clean unless it is told to say so; its preset tells it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(2 << 20) + EICAR)
    for limit, content in (("scansize", packed.getvalue()), ("filesize", bytes(2 << 20) + EICAR)):
        one = program("clamscan", clamd, tmp_path, around=f'"$@" --max-{limit}=1M')
        found = scan(one, content)
        assert isinstance(found, Infected)
        assert found.name.startswith("Heuristics.Limits.Exceeded.")


# Several.


def test_real_scanners_that_contradict_each_other(clamd: Clamd, cicap: Cicap) -> None:
    """One knows the virus, one another one, and one is a service in front of the first."""
    with knowing(b"Other", EICAR[:30]) as (other, _unused):
        (other.database / "test.ndb").unlink()
        other.stop()
        other.start()
        servers = (("one", clamd), ("two", other))
        own = ScannersSettings(
            clamd=tuple(
                ClamdSettings(name, f"unix:{one.socket}", patience=0) for name, one in servers
            ),
            icap=(IcapSettings("three", cicap.address, patience=0),),
        )
        members = Scanners(own).members
        assert [scan(members[name], EICAR) for name in ("one", "two", "three")] == [
            Infected(VIRUS),
            Infected("Other.UNOFFICIAL"),
            Infected(VIRUS),
        ]
        message = Message(b"From: a@b.example\r\n\r\n" + NEEDLE)
        assert Scanners(own).examine(message).symbols == ()
    with knowing(b"Alone", NEEDLE) as (alone, _unused):
        parts = [of_clamd(clamd), of_clamd(alone), of_icap(cicap)]
        ways: tuple[Decide, ...] = ("any", "majority", "first")
        found = {
            decide: Several(parts, decide).scan(NEEDLE, time.monotonic() + 60) for decide in ways
        }
    assert [one.name for one in found["any"].infected] == ["Alone.UNOFFICIAL"]
    assert [one.name for one in found["majority"].outvoted] == ["Alone.UNOFFICIAL"]
    assert found["majority"].infected == found["first"].infected == ()


@pytest.mark.parametrize("away", ["clamd", "icap"])
def test_one_of_two_that_hangs_lets_nothing_pass(clamd: Clamd, cicap: Cicap, away: str) -> None:
    own = ScannersSettings(
        clamd=(ClamdSettings("one", f"unix:{clamd.socket}", patience=0, silence=1.0),),
        icap=(IcapSettings("two", cicap.address, patience=0, silence=1.0),),
    )
    both = Scanners(own)
    clean, virus = (Message(b"From: a@b.example\r\n\r\n" + c) for c in (b"hello", EICAR))
    assert both.examine(clean).virus is None
    with all_stopped((clamd if away == "clamd" else cicap).process):
        with pytest.raises(ScanError, match="silent"):
            both.examine(clean)
        if away == "icap":
            assert both.examine(virus).virus == VIRUS, "what one finds is found"
    wait_for("the other one", lambda: works(of_icap(cicap)))
    assert both.examine(virus).virus == VIRUS
    assert both.examine(clean).virus is None
