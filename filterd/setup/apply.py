"""Carrying a plan out, with copies of all that it changes, and taking it back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filterd.setup.plan import FileChange, Hangup, SetupCommand, SetupError, SetupPlan, read
from filterd.system.address import ListenAddress
from filterd.system.bounded import json_value
from filterd.system.durable import sync_folder, write_atomically

COPIES = Path("/var/backups/filterd")
"""Where copies of changed files are kept; root's, like the files."""

RECORD = "record.json"

COMMAND_SECONDS = 90.0
"""For one command; a restart waits for the daemon's workers."""

READY_SECONDS = 120.0
"""For a server to be back."""

LOOK_SECONDS = 0.1

Tell = Callable[[str], None]


@dataclass(frozen=True)
class SetupCopies:
    """The copies of what was changed for one MTA."""

    folder: Path

    @property
    def record(self) -> Path:
        """What was changed."""
        return self.folder / RECORD

    def keep(self, plan: SetupPlan) -> None:
        """Copy all that the plan changes, before it does. Raises SetupError, OSError."""
        if self.record.exists():
            raise SetupError(
                f"it was set up before, with copies in {self.folder}; "
                f"`filterd setup {plan.mta} --undo` takes that back first"
            )
        # Through the upper one the service reaches its archives, `filterd-backup.service`.
        for folder, mode in ((self.folder.parent, 0o711), (self.folder, 0o700)):
            folder.mkdir(mode=mode, exist_ok=True)
            told = folder.lstat()
            if not stat.S_ISDIR(told.st_mode) or told.st_uid != os.geteuid():
                raise SetupError(f"{folder} is not a folder of the user who runs this")
        files = []
        for number, one in enumerate(plan.files, 1):
            copy = f"{number}-{one.path.name}" if one.before is not None else ""
            if one.before is not None:
                write_atomically(self.folder / copy, [one.before])
            files.append({"path": str(one.path), "copy": copy, "after": _digest(one.after)})
        folders = [str(one.path) for one in plan.folders if not os.path.lexists(one.path)]
        self._write({"mta": plan.mta, "files": files, "folders": folders})

    def known(self) -> dict[str, Any]:
        """The record. Raises SetupError."""
        data = read(self.record)
        if data is None:
            raise SetupError(f"nothing was set up: {self.record} does not exist")
        try:
            value: dict[str, Any] = json_value(data)
        except ValueError as error:
            raise SetupError(f"{self.record}: {error}") from None
        return value

    def undone(self) -> tuple[list[FileChange], list[Path]]:
        """What brings the former state back: files (`after` is empty where there was none), and
        folders to remove. Raises SetupError if somebody changed a file since."""
        record = self.known()
        changes, others = [], []
        for one in record["files"]:
            path = Path(one["path"])
            now = read(path)
            former = read(self.folder / one["copy"]) if one["copy"] else b""
            if former is None:
                raise SetupError(f"{self.folder / one['copy']}: the copy is missing")
            if now is not None and now != former and _digest(now) != one["after"]:
                others.append(f"{path} was changed since; its former text is {one['copy']}")
            changes.append(FileChange(path, now, former))
        if others:
            raise SetupError("\n".join([*others, f"the copies are in {self.folder}"]))
        return changes, [Path(one) for one in record["folders"]]

    def restore(self) -> None:
        """Bring the former state back, and forget it. Raises SetupError, OSError."""
        new = {one["path"] for one in self.known()["files"] if not one["copy"]}
        changes, folders = self.undone()
        for one in changes:
            if str(one.path) in new:
                one.path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    one.path.parent.rmdir()
            elif one.is_needed:
                write(one)
        for folder in folders:
            _empty(folder)
        self.forget()

    def forget(self) -> None:
        """Remove the copies. Raises OSError."""
        self.record.unlink(missing_ok=True)
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    def _write(self, record: dict[str, Any]) -> None:
        write_atomically(self.record, [json.dumps(record, indent=1).encode()])


def write(change: FileChange) -> None:
    """Write a file; one that is there keeps owner and mode. Raises OSError."""
    try:
        told = change.path.stat()
    except FileNotFoundError:
        change.path.parent.mkdir(mode=0o755, exist_ok=True)
        write_atomically(change.path, [change.after], change.mode)
        return
    owner = (told.st_uid, told.st_gid)
    write_atomically(change.path, [change.after], stat.S_IMODE(told.st_mode), owner=owner)


def apply(plan: SetupPlan, keeper: SetupCopies, trial: Callable[[], str], tell: Tell) -> None:
    """Carry the plan out: copies, folders, files, checks, restart, reload, and a trial, which
    returns what is wrong. Whatever fails, all is as before. Raises SetupError."""
    if plan.obstacles:
        raise SetupError("\n".join(plan.obstacles))
    for command in plan.running:
        _run(command, f"{plan.mta} does not run; start it first")
    keeper.keep(plan)
    try:
        _change(plan, tell)
        if complaint := trial():
            raise SetupError(f"mail did not go as it should: {complaint}")
    except (SetupError, OSError, subprocess.SubprocessError) as error:
        tell("taking it back")
        try:
            take_back(plan, keeper)
        except (SetupError, OSError, subprocess.SubprocessError) as second:
            raise SetupError(
                f"{error}\ntaking it back failed, too: {second}; the copies are in {keeper.folder}"
            ) from None
        raise SetupError(f"{error}\nall is as before") from None


def _change(plan: SetupPlan, tell: Tell) -> None:
    for folder in plan.folders:
        if folder.is_needed:
            folder.make()
            tell(f"{folder.path}: made")
    for file in plan.files:
        write(file)
        tell(f"{file.path}: written")
    _commands((*plan.checks, *plan.restart), tell)
    if plan.restart:
        _await_daemon(plan.socket)
    _commands(plan.reload, tell)


def take_back(plan: SetupPlan, keeper: SetupCopies) -> None:
    """Restore, and have daemon and MTA read the former files. Raises SetupError, OSError."""
    keeper.restore()
    for command in (*plan.restart, *plan.reload):
        _do(command)


def _commands(commands: Iterable[SetupCommand | Hangup], tell: Tell) -> None:
    for command in commands:
        _do(command)
        tell(f"{command.shown()}: ok")


def _do(command: SetupCommand | Hangup) -> None:
    if isinstance(command, Hangup):
        _hang_up(command)
    else:
        _run(command)


def _run(command: SetupCommand, why: str = "") -> None:
    """Raises SetupError if the command complains."""
    try:
        done = subprocess.run(
            command.words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=COMMAND_SECONDS,
        )
    except OSError as error:
        raise SetupError(f"{command.words[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise SetupError(f"{command.shown()}: not done after {COMMAND_SECONDS:g} s") from None
    said = done.stdout.decode("utf-8", "replace").strip()
    lines = [one for one in said.splitlines() if one.strip()]
    silent = command.silent_about
    complaints = [] if silent is None else [one for one in lines if not one.startswith(silent)]
    if done.returncode or complaints or command.wanted not in said:
        text = "\n".join(complaints or lines) or f"status {done.returncode}"
        raise SetupError(f"{why or command.shown()}: {text}")


def _hang_up(command: Hangup) -> None:
    """Raises SetupError if the server is not back in time."""
    try:
        before = command.pid_file.stat().st_mtime_ns
        pid = int(command.pid_file.read_text("ascii").split("\n", 1)[0])
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError) as error:
        raise SetupError(f"{command.pid_file}: {error}: does it run?") from None

    def is_new() -> bool:
        with contextlib.suppress(OSError):
            return command.pid_file.stat().st_mtime_ns != before
        return False

    _await(f"{command.shown()}: not back after {READY_SECONDS:g} s", is_new)


def _await_daemon(socket: str) -> None:
    address = ListenAddress.parse(socket)

    def answers() -> bool:
        with contextlib.suppress(OSError):
            address.reach(1.0)
            return True
        return False

    _await(f"the daemon does not answer at {socket}; see journalctl -u filterd", answers)


def _await(what: str, is_there: Callable[[], bool]) -> None:
    end = time.monotonic() + READY_SECONDS
    while not is_there():
        if time.monotonic() > end:
            raise SetupError(what)
        time.sleep(LOOK_SECONDS)


def _empty(folder: Path) -> None:
    """Remove a folder that was made for a socket, with the socket. Raises OSError."""
    for path in _inside(folder):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()
        sync_folder(folder.parent)


def _inside(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() and not folder.is_symlink() else iter(())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
