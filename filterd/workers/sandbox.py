"""Examining one message in a process of its own, for front doors that serve several people.

A worker of the daemon has a time limit that works (an alarm, in its main thread) and one of memory,
and it may die. A web server's threads have nothing of that, and the message that a reviewer looks
at is the hostile one. So it is examined in a child under the same limits, and what the child says
is checked before anybody believes it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from filterd.chain.chain import Failure
from filterd.chain.policy import Decision
from filterd.chain.verdict import Action, RemovedPart, Reply, Symbol, Verdict
from filterd.config.assembly import build_pipeline
from filterd.config.load import ConfigError, Settings, load
from filterd.message import Message
from filterd.system.child import python_command
from filterd.workers.codec import decode_request, encode_request
from filterd.workers.worker import confine, die_with_parent

START_SECONDS = 20.0
"""For starting Python and opening the model, on top of the chain's own time."""

ANSWER_LIMIT = 4 << 20
"""Octets of an answer; a verdict with its reasons is some kilobytes."""


class ExaminerError(Exception):
    """The message could not be examined; the text says what happened instead."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What the chain, as it is today, says about a message; nothing was stored or changed."""

    id: str
    verdict: Verdict
    decision: Decision
    milliseconds: Mapping[str, float]
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the child says, as plain values."""

    action: str
    labelled: bool
    required: float
    reason: str
    reply: tuple[int, str, str] | None
    symbols: list[tuple[str, float, str]]
    virus: str | None
    removed: list[tuple[str, str, int, int]]
    probability: float | None
    milliseconds: dict[str, float]
    failures: list[tuple[str, str, str]]


_ANSWER: TypeAdapter[_Answer] = TypeAdapter(_Answer)


def examine(settings: Settings, message: Message) -> Examined:
    """Have a message examined as these settings say. Raises ExaminerError.

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
        raise ExaminerError("the message could not be examined within its time") from None
    except OSError as error:
        raise ExaminerError(f"no process to examine the message: {error.strerror}") from error
    if done.returncode < 0:
        raise ExaminerError(f"a filter was killed by signal {-done.returncode} over this message")
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ExaminerError(lines[-1][:500] if lines else "the message could not be examined")
    return _checked(message.id, done.stdout)


def _checked(id: str, output: bytes) -> Examined:
    """The child's answer: it may be in the hands of the message, so its form is checked."""
    try:
        if len(output) > ANSWER_LIMIT:
            raise ExaminerError("the answer of the examining process is too long")
        answer = _ANSWER.validate_json(output)
        verdict = Verdict(
            symbols=tuple(Symbol(*symbol) for symbol in answer.symbols),
            removed=tuple(RemovedPart(*part) for part in answer.removed),
            virus=answer.virus,
            probability=answer.probability,
        )
        action = next(action for action in Action if action.word == answer.action)
    except (ValidationError, ValueError, StopIteration) as error:
        raise ExaminerError("the answer of the examining process is not of its form") from error
    decision = Decision(
        action,
        Reply(*answer.reply) if answer.reply else None,
        reason=answer.reason,
        labelled=answer.labelled,
        required=answer.required,
    )
    failures = tuple(Failure(*failure) for failure in answer.failures)
    return Examined(id, verdict, decision, answer.milliseconds, failures)


def main(arguments: list[str]) -> int:
    """`python -m filterd.examiner CONFIG MEMORY`: message on standard input, answer on output."""
    source, memory = arguments
    die_with_parent()
    head, _, data = sys.stdin.buffer.read().partition(b"\n")
    try:
        pipeline = build_pipeline(load(Path(source) if source else None), keeping=False)
        pipeline.chain.prepare()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 78
    except (OSError, ValueError) as error:
        sys.stderr.write(f"a filter cannot start: {error}\n")
        return 69
    confine(int(memory))
    id, envelope, _failed = decode_request(head)
    result = pipeline.process(Message(data, envelope, id))
    verdict, decision = result.examination.verdict, result.decision
    reply = decision.reply
    answer = _Answer(
        decision.action.word,
        decision.labelled,
        decision.required,
        decision.reason,
        (reply.code, reply.xcode, reply.text) if reply else None,
        [(s.name, s.score, _plain(s.detail)) for s in verdict.symbols],
        None if verdict.virus is None else _plain(verdict.virus),
        [(_plain(r.filename), r.reason, r.start, r.end) for r in verdict.removed],
        verdict.probability,
        dict(result.examination.milliseconds),
        [(f.filter, f.kind, _plain(f.detail)) for f in result.examination.failures],
    )
    sys.stdout.buffer.write(_ANSWER.dump_json(answer))
    return 0


def _plain(text: Any) -> str:
    """Text without lone surrogates, which JSON's readers do not take."""
    return str(text).encode("utf-8", "replace").decode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
