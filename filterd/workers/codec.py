"""What daemon and worker tell each other about one message: a request, and an answer.

Requests are made by the daemon and read by the worker, which trusts them. Answers are made by a
worker that may be in the hands of the message it scanned: every value is checked here before the
daemon acts on it, and an answer that is not right as a whole is not used at all.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from filterd.chain.checks import (
    EDIT_LIMIT,
    REPLY_TEXT,
    AnswerError,
    check_reply,
    field_name,
    field_value,
)
from filterd.chain.findings import NOTHING_FOUND, Findings
from filterd.chain.pipeline import PipelineResult
from filterd.chain.report import Arrival, ReportForm, ScanReport, names, values
from filterd.chain.report_codec import Codec, ReportError, parsed, written
from filterd.chain.verdict import (
    Action,
    AddField,
    ChangeField,
    Edit,
    Failure,
    FailureKind,
    Splice,
)
from filterd.message import Client, Envelope, Recipient
from filterd.message.attempt import FIRST_ATTEMPT, ScanAttempt
from filterd.workers.stage_codec import plain_findings, read_findings


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """What is to be done with a message, checked, and why."""

    report: ScanReport
    edits: tuple[Edit, ...] = ()

    @property
    def action(self) -> Action:
        """What happens to the message."""
        return self.report.action


REPORTS = Codec(ScanReport, names(Arrival))
"""Of a report without what the daemon knows better than a worker."""


def encode_request(
    id: str,
    envelope: Envelope,
    failed: tuple[Failure, ...] = (),
    early: Findings = NOTHING_FOUND,
    attempt: ScanAttempt = FIRST_ATTEMPT,
) -> bytes:
    """The head of a request. failed: filters that an earlier worker died in, not to be tried.
    early: what the stages of the session found. attempt: names what filters count."""
    client = envelope.client
    found: dict[str, Any] = {} if early is NOTHING_FOUND else {"early": plain_findings(early)}
    if attempt.place:
        found["attempt"] = [*attempt]
    return written(
        found
        | {
            "id": id,
            "sender": [envelope.sender, *envelope.sender_parameters],
            "recipients": [[r.address, r.resolved, *r.parameters] for r in envelope.recipients],
            "client": [client.name, client.address, client.port, client.helo],
            "macros": dict(envelope.macros),
            "failed": [[f.filter, f.kind, f.detail, f.again] for f in failed],
        }
    ).encode()


def decode_request(
    head: bytes,
) -> tuple[str, Envelope, tuple[Failure, ...], Findings, ScanAttempt]:
    """What `encode_request` made a request of."""
    value = parsed(head)
    name, address, port, helo = value["client"]
    sender, *parameters = value["sender"]
    envelope = Envelope(
        sender,
        tuple(Recipient(r[0], tuple(r[2:]), r[1]) for r in value["recipients"]),
        Client(name, address, port, helo),
        tuple(parameters),
        value["macros"],
    )
    failed = tuple(
        Failure(filter, FailureKind(kind), detail, again)
        for filter, kind, detail, again in value["failed"]
    )
    early = read_findings(value["early"]) if "early" in value else NOTHING_FOUND
    attempt = ScanAttempt(*value["attempt"]) if "attempt" in value else FIRST_ATTEMPT
    return value["id"], envelope, failed, early, attempt


def encode_report(report: ScanReport, form: ReportForm = ReportForm.SHORT) -> dict[str, Any]:
    """A report without what came, which is known on the other side."""
    return REPORTS.plain(report, form)


def decode_report(value: object, arrival: Arrival) -> ScanReport:
    """The report that `encode_report` made a value of. Raises AnswerError."""
    if not isinstance(value, dict):
        raise AnswerError("report: not an object")
    try:
        return REPORTS.read({**value, **values(arrival)})
    except ReportError as error:
        raise AnswerError(f"report: {error}") from error


def encode_answer(result: PipelineResult) -> bytes:
    """The answer for a result of the pipeline."""
    edits = written([_plain_edit(edit) for edit in result.decision.edits])
    return f'{{"report":{REPORTS.text(result.report)},"edits":{edits}}}'.encode()


def _plain_edit(edit: Edit) -> list[Any]:
    match edit:
        case AddField(name, value):
            return ["add", name, value]
        case ChangeField(name, index, value):
            return ["change", name, index, value]
        case Splice(start, end, replacement):
            return ["splice", start, end, replacement.decode("latin-1")]


def decode_answer(
    head: bytes, arrival: Arrival, body_start: int, *, may_discard: bool = False
) -> WorkerAnswer:
    """Check a worker's answer about the message that came.

    may_discard: the settings allow discarding without a stored copy. Raises AnswerError.
    """
    try:
        value = parsed(head)
    except ValueError as error:
        raise AnswerError(f"no JSON: {error}") from error
    if not isinstance(value, dict):
        raise AnswerError("no JSON object")
    report = decode_report(value.get("report"), arrival)
    action, held = report.action, report.mta_quarantine
    check_reply(report.reply, action)
    edits = value.get("edits")
    if not isinstance(edits, list) or len(edits) > EDIT_LIMIT:
        raise AnswerError("edits: no list, or too long")
    checked = tuple([_edit(edit, body_start, arrival.size) for edit in edits])
    _check_splices(checked)
    known = set(arrival.recipients)
    if not known.issuperset(report.dropped):
        raise AnswerError("dropped: names somebody who is not a recipient")
    if known and not known.issuperset([outcome.recipient for outcome in report.outcomes]):
        raise AnswerError("outcomes: names somebody who is not a recipient")
    if held is not None and not REPLY_TEXT.fullmatch(held):
        raise AnswerError("mta_quarantine: not plain text")
    takes_away = bool(report.dropped) or action in (Action.QUARANTINE, Action.DISCARD)
    safe = report.stored or held
    # The promise of the project, checked where it would be broken.
    if takes_away and not safe:
        actions = {action, *(outcome.action for outcome in report.outcomes)}
        if Action.QUARANTINE in actions or not may_discard:
            raise AnswerError("takes mail away without having stored it")
    return WorkerAnswer(report, checked)


def _edit(value: object, body_start: int, size: int) -> Edit:
    if type(value) is list and len(value) == 3 and value[0] == "add":
        # By far the most; matching patterns takes several times as long.
        _kind, name, text = value
        if type(name) is str and type(text) is str:
            return AddField(field_name(name), field_value(text))
    match value:
        case ["change", str(name), int(index), str(text)] if 1 <= index <= EDIT_LIMIT:
            return ChangeField(field_name(name), index, field_value(text))
        case ["change", str(name), int(index), None] if 1 <= index <= EDIT_LIMIT:
            return ChangeField(field_name(name), index, None)
        case ["splice", int(start), int(end), str(text)] if body_start <= start <= end <= size:
            with suppress(UnicodeEncodeError):
                return Splice(start, end, text.encode("latin-1"))
    raise AnswerError(f"edit: {str(value)[:80]} cannot be made in this message")


def _check_splices(edits: tuple[Edit, ...]) -> None:
    spans = sorted([(e.start, e.end) for e in edits if isinstance(e, Splice)])
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            raise AnswerError(f"splices overlap at octet {start}")
