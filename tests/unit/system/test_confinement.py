"""What a process cannot do any more once it has given it up."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from filterd.system.confinement import can_confine_files

HEAD = """
import os, socket, subprocess, sys, tempfile
from pathlib import Path
from filterd.system.confinement import confine_files, no_new_files

def tried(what, do):
    try:
        do()
        print(what, "done")
    except OSError as error:
        print(what, error.strerror)
"""

TRIES = """
tried("read", lambda: Path(sys.argv[1], "in/a").read_bytes())
tried("list", lambda: os.listdir(Path(sys.argv[1], "in")))
tried("climb", lambda: Path(sys.argv[1], "in/../b").read_bytes())
tried("link", lambda: Path(sys.argv[1], "in/link").read_bytes())
tried("write", lambda: Path(sys.argv[1], "in/new").write_bytes(b""))
tried("remove", lambda: Path(sys.argv[1], "in/a").unlink())
tried("run", lambda: subprocess.run(["/bin/true"], executable="/bin/true"))
"""


def said(folder: Path, code: str) -> dict[str, str]:
    (folder / "in").mkdir()
    (folder / "in/a").write_text("a")
    (folder / "b").write_text("b")
    (folder / "in/link").symlink_to("../b")
    done = subprocess.run(
        [sys.executable, "-c", HEAD + code, folder], check=True, capture_output=True, text=True
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def needs_landlock() -> None:
    if not can_confine_files():
        pytest.skip("this kernel has no Landlock")


def test_files_below_the_folders_are_read_and_nothing_else(tmp_path: Path) -> None:
    needs_landlock()
    code = "print('landlock', confine_files([Path(sys.argv[1], 'in'), Path('/none')]))\n" + TRIES
    denied = "Permission denied"
    assert said(tmp_path, code) == {
        "landlock": "True",
        "read": "done",
        "list": "done",
        "climb": denied,
        "link": denied,
        "write": denied,
        "remove": denied,
        "run": denied,
    }


def test_a_program_that_may_run_has_the_same_limits(tmp_path: Path) -> None:
    needs_landlock()
    code = """
runs = [Path(one) for one in ("/bin/cat", "/lib", "/lib64", "/usr/lib", "/usr/lib64")]
confine_files([Path(sys.argv[1], "in")], runs)
for name in ("in/a", "b"):
    done = subprocess.run(["/bin/cat", Path(sys.argv[1], name)], capture_output=True)
    print(name, done.stdout or done.returncode)
"""
    assert said(tmp_path, code) == {"in/a": "b'a'", "b": "1"}


def test_no_tcp_connection_is_made(tmp_path: Path) -> None:
    needs_landlock()
    code = """
import ctypes
from filterd.system.confinement import _version
listener = socket.create_server(("127.0.0.1", 0))
print("version", _version(ctypes.CDLL(None)))
confine_files()
tried("connect", lambda: socket.create_connection(listener.getsockname(), 5))
"""
    found = said(tmp_path, code)
    # Kernels before 6.7 know nothing of it.
    assert found["connect"] == ("Permission denied" if int(found["version"]) >= 4 else "done")


def test_nothing_is_opened_any_more(tmp_path: Path) -> None:
    code = f"""
no_new_files()
tried("socket", socket.socket)
tried("memory", lambda: os.memfd_create("x"))
{TRIES}"""
    found = said(tmp_path, code)
    assert found.pop("remove") == "done"
    assert found.pop("link") in ("Too many open files", "No such file or directory")
    # From Python 3.13 on posix_spawn(3) is told to close descriptors, and looks for them first.
    assert found.pop("run") in ("Too many open files", "Bad file descriptor")
    assert set(found.values()) == {"Too many open files"}


def test_only_sockets_of_this_hosts_own_files_are_opened(tmp_path: Path) -> None:
    """Neither as those that are known, nor by the doors beside socket(2), nor in a child."""
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("the numbers of this machine's system calls are not known")
    code = """
import ctypes, errno
from filterd.system.confinement import close_network
libc = ctypes.CDLL(None, use_errno=True)

def called(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

before = socket.socket()
print("closed", close_network())
tried("unix", lambda: socket.socket(socket.AF_UNIX))
tried("pair", socket.socketpair)
for family in "INET INET6 NETLINK PACKET VSOCK".split():
    number = getattr(socket, "AF_" + family)
    tried(family, lambda: socket.socket(number, socket.SOCK_DGRAM))
tried("io_uring", lambda: called(425, 4, 0))
tried("x32", lambda: called(0x40000000 + 41, socket.AF_INET, socket.SOCK_STREAM, 0))
tried("before", lambda: before.bind(("127.0.0.1", 0)))
again = [sys.executable, "-c", "import socket; socket.socket()"]
done = subprocess.run(again, capture_output=True, text=True)
print("child", done.stderr.splitlines()[-1].partition("] ")[2])
"""
    (tmp_path / "x").mkdir()
    found = said(tmp_path / "x", code)
    assert found.pop("closed") == "True"
    assert {name: found.pop(name) for name in ("unix", "pair", "before")} == {
        "unix": "done",
        "pair": "done",
        "before": "done",
    }
    assert set(found.values()) == {"Address family not supported by protocol"}
    assert set(found) == {
        *("INET", "INET6", "NETLINK", "PACKET", "VSOCK"),
        *("io_uring", "x32", "child"),
    }
