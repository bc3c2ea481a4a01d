"""Every command of the command line, and running one in a process that is forked."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from filterd.cli import app


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, by its words, as a click.Command."""

    def below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        inner = getattr(command, "commands", {})
        if not inner or command.invoke_without_command:
            yield words, command
        for name, one in inner.items():
            yield from below((*words, name), one)

    for name in app.COMMANDS:
        yield from below((name,), typer.main.get_command(app._command(name)))


def forked(
    output: Path | int, *arguments: str, encoding: str = "utf-8", errors: str = "strict"
) -> tuple[int, str]:
    """A command, its output and errors to a file or an open descriptor: status and what it printed.

    encoding, errors: of the standard streams, as the locale would give them. Much faster than a new
    interpreter.
    """
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            target = output if isinstance(output, int) else os.open(output, flags, 0o600)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for descriptor in (1, 2):
                os.dup2(target, descriptor)
            sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding=encoding)
            for name, descriptor in (("stdout", 1), ("stderr", 2)):
                raw = io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False))
                setattr(sys, name, io.TextIOWrapper(raw, encoding=encoding, errors=errors))
            sys.argv = ["filterd", *arguments]
            try:
                app.main()
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 0
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, "" if isinstance(output, int) else output.read_text(encoding, "replace")


def filterd(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    """A command in this process: status, what it printed, and its errors."""
    monkeypatch.setattr("sys.argv", ["filterd", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        app.main()
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err
