"""What a message's report costs on its way, a step at a time: `python -m bench.reports`.

Processor time of this thread, so that other programs count little; the median of several rounds in
which the steps take turns. The message is small and ordinary: one recipient, three filters, three
symbols.
"""

from __future__ import annotations

import argparse
import gc
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from filterd.chain.chain import Examination
from filterd.chain.pipeline import PipelineResult
from filterd.chain.policy import Decision
from filterd.chain.report import Arrival, ScanReport, values
from filterd.chain.verdict import Action, AddField, Outcome, Symbol, Verdict
from filterd.config.processes import DaemonSettings
from filterd.history import History, HistoryQuery, HistorySettings
from filterd.history.recorder import Recorder
from filterd.message import Client, Envelope, Message, Recipient
from filterd.ops.logs import MessageLog, configure
from filterd.workers.codec import decode_answer, decode_request, encode_answer, encode_request

TIMES = 500
"""Calls of a step in one round."""

BATCH = 1000
"""Records that the history takes at a time: what comes in a second."""

KEPT = 2000
"""Records of the history whose first page is read."""

ID = "01HF8K2Q6T5ZV7"
SUBJECT = b"Minutes of Monday and the plan for the week"
MESSAGE_ID = "<20261102100000.4af3c2@example.net>"
ENVELOPE = Envelope(
    "ann@example.net",
    (Recipient("joe@example.test", (), "joe@example.test"),),
    Client("relay2.example.net", "192.0.2.2", 25, "relay2.example.net"),
    ("SIZE=7000",),
    {"i": "4ABcD1xy012345", "j": "mx.example.test", "_": "relay2.example.net [192.0.2.2]"},
)
MESSAGE = Message(
    f"Message-ID: {MESSAGE_ID}\r\nSubject: {SUBJECT.decode()}\r\n\r\n".encode() + b"x" * 7000,
    ENVELOPE,
    ID,
)
EXAMINATION = Examination(
    Verdict(
        symbols=(Symbol("BAYES_HAM", -1.2), Symbol("URI_OK", 0.0), Symbol("HTML_ONLY", 0.5)),
        probability=0.0123456789,
    ),
    {"gtube": 0.021, "parts": 0.112, "bayes": 0.481},
)
DECISION = Decision(
    Action.ACCEPT,
    edits=(
        AddField("X-Spam-Status", "No, score=-0.7 required=5.0 tests=BAYES_HAM,URI_OK,HTML_ONLY"),
        AddField("X-Spam-Score", "-0.7"),
    ),
    outcomes=(Outcome("joe@example.test", Action.ACCEPT, "default"),),
)


class Formatted(logging.Handler):
    """Makes lines, and writes them nowhere."""

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


def answered() -> bytes:
    """A worker's part."""
    report = ScanReport.on(MESSAGE, EXAMINATION, DECISION)
    return encode_answer(PipelineResult(DECISION, EXAMINATION, report))


def arrived() -> Arrival:
    """What the daemon knows before."""
    return Arrival.at(ID, ENVELOPE, len(MESSAGE.data), MESSAGE_ID)


def finished(report: ScanReport) -> ScanReport:
    """What the daemon adds at the end."""
    return ScanReport(**{**values(report), "note": "", "total_ms": 1.2})


Step = tuple[Callable[[], object], int, int]
"""What is measured, how often it is called in a round, for how many messages each."""


def steps(folder: Path) -> dict[str, Step]:
    """All of them, by name."""
    arrival, answer, request = arrived(), answered(), encode_request(ID, ENVELOPE)
    start = MESSAGE.root.body_start
    checked = decode_answer(answer, arrival, start).report
    report = finished(checked)
    log = MessageLog(DaemonSettings())
    recorder = Recorder(History(folder / "written", HistorySettings()))
    read = History(folder / "read", HistorySettings())
    filled = Recorder(read)
    for number in range(KEPT):
        filled.note(replace(report, id=f"id{number}"), SUBJECT)
    filled.write()
    return {
        "daemon: request": (lambda: encode_request(ID, ENVELOPE), TIMES, 1),
        "worker: request read": (lambda: decode_request(request), TIMES, 1),
        "worker: report, answer": (answered, TIMES, 1),
        "daemon: what came": (arrived, TIMES, 1),
        "daemon: answer checked": (lambda: decode_answer(answer, arrival, start), TIMES, 1),
        "daemon: report finished": (lambda: finished(checked), TIMES, 1),
        "log line": (lambda: log.report(report), TIMES, 1),
        "history: noted": (lambda: recorder.note(report, SUBJECT), BATCH, 1),
        "history: written": (recorder.write, 1, BATCH),
        PAGE: (lambda: read.search(HistoryQuery()), 20, 1),
    }


PAGE = "history: first page of 50"


def measured(some: dict[str, Step], rounds: int) -> dict[str, float]:
    """Microseconds a message, by step."""
    found: dict[str, list[float]] = {name: [] for name in some}
    for _ in range(rounds + 1):
        for name, (work, times, messages) in some.items():
            started = time.thread_time_ns()
            for _ in range(times):
                work()
            found[name].append((time.thread_time_ns() - started) / times / messages / 1000)
    # The first round fills caches.
    return {name: statistics.median(each[1:]) for name, each in found.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m bench.reports`."""
    parser = argparse.ArgumentParser(prog="python -m bench.reports", description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args(arguments)
    configure(DaemonSettings())
    (handler,) = logging.getLogger().handlers
    quiet = Formatted()
    quiet.setFormatter(handler.formatter)
    logging.getLogger().handlers[:] = [quiet]
    with tempfile.TemporaryDirectory(prefix="filterd-bench-") as folder:
        some = steps(Path(folder))
        gc.freeze()
        found = measured(some, options.rounds)
    for name, microseconds in found.items():
        print(f"{name:28}{microseconds:8.1f} µs")
    whole = sum(microseconds for name, microseconds in found.items() if name != PAGE)
    print(f"{'a message, together':28}{whole:8.1f} µs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
