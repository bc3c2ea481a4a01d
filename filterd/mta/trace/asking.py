"""Asking about rules that a stranger gave, from a process that serves several people.

The work is done in a child (`filterd.mta.trace.child`) under limits of time, memory and output; it
opens no file but sendmail's m4 files.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from filterd.mta.trace.request import ANSWER_LIMIT, CPU_LIMIT, TraceRequest
from filterd.system.bounded import json_value
from filterd.system.child import python_command

log = logging.getLogger(__name__)

TIME_LIMIT = 60.0
"""Seconds until child and m4 are stopped."""

AT_ONCE = 2
"""Requests that are worked on at a time."""

WAIT = 30.0
"""Seconds that one waits for its turn."""

STDERR_LIMIT = 4096
"""Octets of what a child says when it fails, for the log."""

_FAILED = "the rules could not be traced; the log says why"

_turns = threading.BoundedSemaphore(AT_ONCE)


class TraceError(Exception):
    """The request was not carried out; the text says why, for who asked."""


class TraceUnavailableError(TraceError):
    """It is not the request's fault: too many others ask, or something is wrong here."""


def ask(request: TraceRequest, macros: Path | None = None) -> dict[str, Any]:
    """The answer, as `child.answered` makes it. macros: sendmail's m4 files, None for those that
    are installed. Raises TraceError."""
    if not _turns.acquire(timeout=WAIT):
        raise TraceUnavailableError("others are tracing rules just now; try again")
    try:
        return _asked(request, macros)
    except OSError as error:
        log.error("rules cannot be traced: %s", error.strerror or error)
        raise TraceUnavailableError(_FAILED) from error
    finally:
        _turns.release()


def _asked(request: TraceRequest, macros: Path | None) -> dict[str, Any]:
    command = python_command("filterd.mta.trace.child", *([str(macros)] if macros else []))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            cwd="/",
            # m4 goes with it.
            start_new_session=True,
        )
        status = _waited(process, request.to_json().encode("ascii"))
        texts = []
        for file, limit in ((out, ANSWER_LIMIT), (err, STDERR_LIMIT)):
            file.seek(0)
            texts.append(file.read(limit))
    if status in (None, -signal.SIGXCPU, -signal.SIGKILL):
        raise TraceError(f"it did not come to an end within {CPU_LIMIT} s of processor time")
    if len(texts[0]) >= ANSWER_LIMIT:
        raise TraceError(
            f"the answer is longer than {ANSWER_LIMIT >> 20} MiB; ask for fewer addresses, or for "
            "shorter ones"
        )
    if status:
        said = texts[1].decode("ascii", "backslashreplace")
        log.error("tracing rules ended with status %d: %s", status, said)
        raise TraceUnavailableError(_FAILED)
    answer: dict[str, Any] = json_value(texts[0])
    if "refused" in answer:
        raise TraceError(answer["refused"])
    return answer


def _waited(process: subprocess.Popen[bytes], data: bytes) -> int | None:
    """The exit status, None if it had to be stopped."""
    with process:
        try:
            process.communicate(data, TIME_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode
