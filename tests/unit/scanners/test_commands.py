"""Scanners that are programs, the badly behaved ones above all."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from filterd.scanners.answer import CLEAN, Answer, GivenUp, Infected, ScannerError, Unavailable
from filterd.scanners.command import CommandScanner
from filterd.scanners.presets import PRESETS
from filterd.scanners.processes import Limits
from tests.helpers.process import wait_for

pytestmark = pytest.mark.slow

BAD = b"this is very bad"

STATUSES = {0: "clean", 1: "infected", 9: "given_up"}


def scanner(tmp_path: Path, code: str, *more: str, **limits: object) -> CommandScanner:
    """A program of Python; `content` is what it was given, `path` the file's name, if it got
    one."""
    head = (
        "import os, sys, time\n"
        "path = sys.argv[1] if sys.argv[1:] else ''\n"
        "content = open(path, 'rb').read() if path else sys.stdin.buffer.read()\n"
    )
    return CommandScanner(
        "own",
        [sys.executable, "-I", "-c", head + code, *more],
        STATUSES,  # type: ignore[arg-type]
        r"FOUND (.+)$",
        limits=Limits(**{"seconds": 20.0, **limits}),  # type: ignore[arg-type]
        folder=str(tmp_path),
    )


def scan(one: CommandScanner, content: bytes = BAD) -> Answer:
    return one.scan(content, time.monotonic() + 60)


FINDS = "if b'bad' in content: print('x\\nFOUND Evil'); sys.exit(1)"


@pytest.mark.parametrize("more", [(), ("{file}",)], ids=["standard input", "file"])
def test_content_and_name(tmp_path: Path, more: tuple[str, ...]) -> None:
    one = scanner(tmp_path, FINDS, *more)
    large = bytes(range(256)) * 10_000
    assert [scan(one, content) for content in (b"", b"good", BAD, large, large + BAD)] == [
        CLEAN,
        CLEAN,
        Infected("Evil"),
        CLEAN,
        Infected("Evil"),
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "code, answer",
    [
        ("print('FOUND \\x1b[2J'); sys.exit(1)", Infected("\ufffd[2J")),
        ("print('FOUND ' + 'x' * 10_000); sys.exit(1)", Infected("x" * 128)),
        ("print('FOUND Evil')", CLEAN),
        ("print('FOUND a\\rb\\u2028c'); sys.exit(1)", Infected("a\ufffdb\ufffdc")),
        ("sys.stdout.write('FOUND Evil\\r\\n'); sys.exit(1)", Infected("Evil")),
        ("print('x' * 1_000_000)", CLEAN),
        ("sys.stderr.write('FOUND Evil'); sys.exit(1)", Infected("Evil")),
    ],
)
def test_answers(tmp_path: Path, code: str, answer: Answer) -> None:
    assert scan(scanner(tmp_path, code)) == answer


@pytest.mark.parametrize(
    "code, why",
    [
        ("sys.exit(2)", "status 2, which its table does not have"),
        ("sys.exit(255)", "status 255"),
        ("print('no signatures'); sys.exit(77)", "no signatures"),
        ("os.kill(os.getpid(), 9)", "signal 9"),
        ("os.abort()", "signal 6"),
        # As a program that crashes does.
        ("raise OSError('no memory')", "no memory"),
    ],
)
def test_what_is_no_answer(tmp_path: Path, code: str, why: str) -> None:
    found = scan(scanner(tmp_path, code))
    assert isinstance(found, Unavailable)
    assert why in found.why


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    one = CommandScanner("own", ["/no/such"], {0: "clean"}, "x", limits=Limits())
    found = scan(one)
    assert isinstance(found, Unavailable)
    with pytest.raises(ScannerError):
        one.signatures(time.monotonic() + 1)


def test_a_program_that_gives_up(tmp_path: Path) -> None:
    found = scan(scanner(tmp_path, "print('too deep'); sys.exit(9)"))
    assert found == GivenUp("own ended with status 9: too deep")


def test_one_that_hangs_over_this_content_and_one_that_hangs(tmp_path: Path) -> None:
    found = scan(scanner(tmp_path, "time.sleep(60 if content else 0)", seconds=2.0))
    assert isinstance(found, GivenUp)
    assert found.kind == "time"
    assert "took longer than" in found.why


def test_one_that_always_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.scanners.command.IDLE_SECONDS", 0.3)
    found = scan(scanner(tmp_path, "time.sleep(60)", seconds=0.3))
    assert isinstance(found, Unavailable)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(
    "leave",
    ["", "os.setpgid(0, 0)", "os.setsid()", "os.setsid()\n    if os.fork(): os._exit(0)"],
    ids=["in the group", "another group", "another session", "a daemon"],
)
@pytest.mark.parametrize("holds_output", [True, False])
def test_children_that_are_left(tmp_path: Path, leave: str, holds_output: bool) -> None:
    """They neither hold up the answer nor live on."""
    note = tmp_path / "child"
    close = "" if holds_output else "os.close(1); os.close(2)"
    code = f"""
if os.fork() == 0:
    {leave or "pass"}
    {close or "pass"}
    with open({str(note) + ".new"!r}, "w") as file: file.write(str(os.getpid()))
    os.rename({str(note) + ".new"!r}, {str(note)!r})
    time.sleep(600)
    os._exit(0)
while not os.path.exists({str(note)!r}): time.sleep(0.01)
"""
    assert scan(scanner(tmp_path, code)) == CLEAN
    pid = int(note.read_text())
    wait_for("the child's end", lambda: is_gone(pid))


def test_children_of_others_are_left_alone(tmp_path: Path) -> None:
    import subprocess

    other = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        assert scan(scanner(tmp_path, "")) == CLEAN
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_one_that_fills_the_disk_with_one_file(tmp_path: Path) -> None:
    code = "file = open('x', 'wb')\nwhile True: file.write(bytes(1 << 20))"
    found = scan(scanner(tmp_path, code, disk=4))
    assert isinstance(found, Unavailable)
    assert list(tmp_path.iterdir()) == []


def test_one_that_fills_the_disk_with_many_files(tmp_path: Path) -> None:
    code = (
        "for n in range(8): open(str(n), 'wb').write(bytes(1 << 20))\n"
        "time.sleep(60 if content else 0)"
    )
    found = scan(scanner(tmp_path, code, disk=4))
    assert isinstance(found, GivenUp | Unavailable)
    assert "wrote more than 4 MiB" in found.why
    assert list(tmp_path.iterdir()) == []


def test_one_that_writes_without_end(tmp_path: Path) -> None:
    found = scan(scanner(tmp_path, "while True: print('x' * 100_000)", disk=2))
    assert isinstance(found, Unavailable)


def test_processor_time_and_memory(tmp_path: Path) -> None:
    found = scan(scanner(tmp_path, "while True: pass", cpu=1))
    assert isinstance(found, Unavailable)
    assert "signal" in found.why
    found = scan(scanner(tmp_path, "x = bytes(1 << 30)", memory=400))
    assert isinstance(found, Unavailable)
    assert "MemoryError" in found.why


def test_several_at_once(tmp_path: Path) -> None:
    """Side by side nobody ends another's program."""
    one = scanner(tmp_path, "time.sleep(0.2)\n" + FINDS)
    found: list[Answer] = []
    threads = [threading.Thread(target=lambda: found.append(scan(one))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Infected("Evil")] * 6


def test_a_program_ends_with_its_worker(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"open({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    worker = os.fork()
    if worker == 0:
        scan(scanner(tmp_path, code, seconds=500.0))
        os._exit(0)
    pid = int(wait_for("the program", lambda: note.exists() and note.read_text()) or 0)
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    wait_for("the program's end", lambda: is_gone(pid))


def test_limits_that_this_process_has_itself() -> None:
    """As in a worker of a daemon that is not root's: nobody but root can raise them again."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
        if os.getuid() == 0:
            os.setuid(65534)
        one = CommandScanner(
            "own", ["/bin/sh", "-c", "cat >/dev/null"], {0: "clean"}, "", limits=Limits(memory=512)
        )
        found = scan(one)
        sys.stderr.write(f"{found}\n")
        os._exit(0 if found == CLEAN else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root may change its user")
def test_another_user() -> None:
    script = 'test "$(id -un)" = nobody && cat "$0" >/dev/null && exit 0; exit 3'
    one = CommandScanner(
        "own",
        ["/bin/sh", "-c", script, "{file}"],
        {0: "clean"},
        "x",
        limits=Limits(),
        user="nobody",
        folder="/tmp",
    )
    assert scan(one) == CLEAN
    unknown = CommandScanner(
        "own", ["/bin/true"], {0: "clean"}, "x", limits=Limits(), user="nobody-at-all"
    )
    assert isinstance(scan(unknown), Unavailable)


def test_presets_say_which_manual_they_follow() -> None:
    for preset in PRESETS.values():
        assert any(digit.isdigit() for digit in preset.manual)
        assert set(preset.statuses.values()) >= {"clean", "infected"}
