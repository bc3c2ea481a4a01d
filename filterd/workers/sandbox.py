"""Scanning one message in a process of its own, for programs that serve several people.

A worker of the daemon has a time limit that works (an alarm, in its main thread) and one of memory,
and it may die. A web server's threads have nothing of that, and the message that a reviewer looks
at is the hostile one. So it is scanned in a child under the same limits, and what the child says
is checked before anybody believes it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from filterd.chain.checks import AnswerError
from filterd.chain.report import Arrival, ReportForm, ScanReport
from filterd.config.assembly import build_pipeline
from filterd.config.load import ConfigError, Settings, load
from filterd.message import Message
from filterd.system.bounded import json_value
from filterd.system.child import python_command
from filterd.system.confinement import die_with_parent
from filterd.workers.codec import (
    decode_report,
    decode_request,
    encode_report,
    encode_request,
)
from filterd.workers.worker import confine, without_network

START_SECONDS = 20.0
"""For starting Python and opening the model, on top of the chain's own time."""

ANSWER_LIMIT = 4 << 20
"""Octets of an answer; a verdict with its reasons is some kilobytes."""


class SandboxError(Exception):
    """The message could not be scanned; the text says what happened instead."""


def scan(settings: Settings, message: Message) -> ScanReport:
    """The report on a message as these settings say. Raises SandboxError.

    The settings must be those of their file as it stands: the child reads it again.
    """
    source = "" if settings.source is None else str(settings.source)
    head = encode_request(message.id, message.envelope)
    command = python_command("filterd.workers.sandbox", source, str(settings.workers.memory))
    try:
        done = subprocess.run(
            command,
            input=head + b"\n" + bytes(message.data[:]),
            capture_output=True,
            timeout=settings.chain.timeout + START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SandboxError("the message could not be scanned in time") from None
    except OSError as error:
        raise SandboxError(f"no process to scan the message: {error.strerror}") from error
    if done.returncode < 0:
        raise SandboxError(f"a filter was killed by signal {-done.returncode} on this message")
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise SandboxError(lines[-1][:500] if lines else "the message could not be scanned")
    return _checked(message, done.stdout)


def _checked(message: Message, output: bytes) -> ScanReport:
    """The child's answer: it may be in the hands of the message, so its form is checked."""
    if len(output) > ANSWER_LIMIT:
        raise SandboxError("the answer of the scanning process is too long")
    arrival = Arrival.at(message.id, message.envelope, len(message.data), message.get("Message-ID"))
    try:
        return decode_report(json_value(output), arrival)
    except (AnswerError, ValueError) as error:
        raise SandboxError("the answer of the scanning process is malformed") from error


def main(arguments: list[str]) -> int:
    """`python -m filterd.workers.sandbox CONFIG MEMORY`: message on stdin, report on stdout."""
    source, memory = arguments
    die_with_parent()
    head, _, data = sys.stdin.buffer.read().partition(b"\n")
    try:
        settings = load(Path(source) if source else None)
        pipeline = build_pipeline(settings, keeping=False)
        pipeline.chain.prepare()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 78
    except (OSError, ValueError) as error:
        sys.stderr.write(f"a filter cannot start: {error}\n")
        return 69
    without_network(settings)
    confine(int(memory))
    id, envelope, _failed, _early, _attempt = decode_request(head)
    report = pipeline.process(Message(data, envelope, id)).report
    # ASCII, so that octets of no charset (lone surrogates) survive.
    sys.stdout.write(json.dumps(encode_report(report, ReportForm.SPARSE)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
