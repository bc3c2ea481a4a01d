"""What daemon and stage process tell each other about one stage of an SMTP session, as values.

Questions are made by the daemon, which the process trusts. Answers come from a process that a
client may have taken over: every value is checked before the daemon acts on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from filterd.chain.checks import AnswerError, check_reply, field_name, field_value
from filterd.chain.findings import Findings
from filterd.chain.report import ReportForm, ScanReport
from filterd.chain.report_codec import Codec, parsed, written
from filterd.chain.stage_chain import EDITS_LIMIT, SYMBOLS_LIMIT, StageAnswer
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import (
    NO_OPINION,
    Action,
    AddField,
    Failure,
    FailureKind,
    RecipientAction,
    RecipientSymbols,
    Reply,
    Symbol,
    Verdict,
)
from filterd.message import Client, Envelope, Recipient
from filterd.state.once import Counting

LONGEST = 1e9
"""Milliseconds; a process that says more is not to be believed."""


class QuestionCounts(NamedTuple):
    """Names what filters count for a question, the same where it is put again. place: where no two
    questions are under way; `""` where nobody puts it again. repeated: it was put before. begun:
    when it was put first, in seconds since 1970."""

    place: str = ""
    number: int = 0
    repeated: bool = False
    begun: float = 0.0


@dataclass(frozen=True, slots=True)
class StageQuestion:
    """What a stage process is asked: a stage, and the filters to ask in order. begun: how many of
    the envelope's recipients the process knows already. timeout: seconds for all filters. hurry:
    each answer is to come at once, not with the others. counts: under which name filters count."""

    number: int
    session: Session
    filters: tuple[str, ...]
    timeout: float
    recipient: Recipient | None = None
    begun: int = 0
    hurry: bool = False
    counts: QuestionCounts = QuestionCounts()


def encode_question(question: StageQuestion) -> bytes:
    """A question, with the recipients that the process does not know."""
    one = question.recipient
    return written(
        {
            "ask": question.number,
            **_plain_session(question.session, question.begun),
            "filters": question.filters,
            "timeout": question.timeout,
            "recipient": None if one is None else _plain(one),
            "hurry": question.hurry,
            "counts": question.counts,
        }
    ).encode()


def _plain_session(session: Session, begun: int) -> dict[str, Any]:
    envelope = session.envelope
    client = envelope.client
    return {
        "session": session.id,
        "stage": session.stage.value,
        "transaction": session.transaction,
        "client": [client.name, client.address, client.port, client.helo],
        "sender": [envelope.sender, *envelope.sender_parameters],
        "begun": begun,
        "recipients": [_plain(r) for r in envelope.recipients[begun:]],
        "macros": dict(envelope.macros),
        "symbols": _plain_symbols(session.symbols),
    }


def decode_question(value: dict[str, Any], known: Sequence[Recipient]) -> StageQuestion:
    """The question of a frame that `encode_question` made. known: the recipients that were told
    before; those from `begun` on are not any more."""
    one = value["recipient"]
    counts = QuestionCounts(*value["counts"])
    counting = Counting(counts.place, counts.number, repeated=counts.repeated, begun=counts.begun)
    return StageQuestion(
        value["ask"],
        _session(value, known, counting),
        tuple(value["filters"]),
        value["timeout"],
        None if one is None else _recipient(one),
        value["begun"],
        value["hurry"],
        counts,
    )


def _session(
    value: dict[str, Any], known: Sequence[Recipient], counting: Counting | None = None
) -> Session:
    name, address, port, helo = value["client"]
    sender, *parameters = value["sender"]
    recipients = (*known[: value["begun"]], *map(_recipient, value["recipients"]))
    envelope = Envelope(
        sender, recipients, Client(name, address, port, helo), tuple(parameters), value["macros"]
    )
    return Session(
        value["session"],
        Stage(value["stage"]),
        envelope,
        value["transaction"],
        _symbols(value["symbols"]),
        counting=counting or Counting(),
    )


def encode_reported(session: Session, report: ScanReport) -> bytes:
    """A report for the filters that want to know what became of mail."""
    plain = REPORTS.plain(report, ReportForm.SPARSE)
    return written({"report": plain, **_plain_session(session, 0)}).encode()


def decode_reported(value: dict[str, Any]) -> tuple[Session, ScanReport]:
    """What `encode_reported` made a frame of. Raises ReportError."""
    return _session(value, ()), REPORTS.read(value["report"])


REPORTS = Codec(ScanReport)


def _plain(recipient: Recipient) -> list[str]:
    return [recipient.address, recipient.resolved, *recipient.parameters]


def _recipient(value: list[str]) -> Recipient:
    return Recipient(value[0], tuple(value[2:]), value[1])


def encode_said(number: int, answers: Sequence[StageAnswer], *, ended: bool) -> bytes:
    """What filters say, the next ones in their order. ended: there are no more."""
    value: dict[str, Any] = {"of": number, "said": [_plain_answer(one) for one in answers]}
    if ended:
        value["end"] = number
    return written(value).encode()


def _plain_answer(answer: StageAnswer) -> dict[str, Any]:
    value: dict[str, Any] = {"filter": answer.name, "ms": answer.milliseconds}
    if answer.failure is not None:
        value["failure"] = [answer.failure.kind.value, answer.failure.detail]
    if answer.verdict is not NO_OPINION and answer.verdict != NO_OPINION:
        value["verdict"] = plain_verdict(answer.verdict)
    return value


def decode_said(value: dict[str, Any], filters: Sequence[str]) -> list[StageAnswer]:
    """The answers of a frame that `encode_said` made, checked. filters: those that were asked.
    Raises AnswerError."""
    return [decode_answer(one, filters) for one in _list(value, "said")]


def decode_answer(value: object, filters: Sequence[str]) -> StageAnswer:
    """A filter's answer, checked. filters: those that were asked. Raises AnswerError."""
    if not isinstance(value, dict):
        raise AnswerError("said: expected answers")
    name, spent = value.get("filter"), value.get("ms")
    if not isinstance(name, str) or name not in filters:
        raise AnswerError("filter: was not asked")
    if not isinstance(spent, (int, float)) or not 0 <= spent < LONGEST:
        raise AnswerError("ms: not a time")
    failure = None
    if "failure" in value:
        failure = _failure(name, value["failure"])
    verdict = read_verdict(value["verdict"]) if "verdict" in value else NO_OPINION
    if len(verdict.symbols) > SYMBOLS_LIMIT or len(verdict.edits) > EDITS_LIMIT:
        raise AnswerError("verdict: too many symbols or edits")
    if verdict.apart or verdict.points_apart or verdict.failed:
        raise AnswerError("verdict: says what no filter says at a stage")
    return StageAnswer(name, verdict, float(spent), failure)


def _failure(name: str, value: object) -> Failure:
    match value:
        case [str(kind), str(detail)] if kind in _KINDS:
            return Failure(name, FailureKind(kind), detail)
    raise AnswerError("failure: expected kind and detail")


_KINDS = frozenset(FailureKind)


def plain_findings(findings: Findings) -> dict[str, Any]:
    """What was found early, as plain values."""
    return {
        "verdict": plain_verdict(findings.verdict),
        "missing": plain_verdict(findings.missing),
        "failures": [[f.filter, f.kind, f.detail] for f in findings.failures],
        "ms": dict(findings.milliseconds),
    }


def read_findings(value: dict[str, Any]) -> Findings:
    """The findings that `plain_findings` made values of. Raises AnswerError."""
    return Findings(
        read_verdict(value["verdict"]),
        read_verdict(value["missing"]),
        tuple(_failure(name, rest) for name, *rest in value["failures"]),
        value["ms"],
    )


def plain_verdict(verdict: Verdict) -> dict[str, Any]:
    """A verdict on a stage as plain values; what is empty is left out."""
    reply = verdict.reply
    value: dict[str, Any] = {"action": verdict.action.value}
    if reply is not None:
        value["reply"] = _plain_reply(reply)
    if verdict.symbols:
        value["symbols"] = _plain_symbols(verdict.symbols)
    if verdict.edits:
        value["edits"] = [[e.name, e.value] for e in verdict.edits if isinstance(e, AddField)]
    if verdict.failed:
        value["failed"] = True
    if verdict.because:
        value["because"] = verdict.because
    if verdict.apart:
        value["apart"] = [
            [a.recipient, a.action.value, a.rule, a.reply and _plain_reply(a.reply)]
            for a in verdict.apart
        ]
    if verdict.points_apart:
        value["points_apart"] = [
            [own.recipient, _plain_symbols(own.symbols)] for own in verdict.points_apart
        ]
    return value


def read_verdict(value: object) -> Verdict:
    """The verdict that `plain_verdict` made values of. Raises AnswerError."""
    word = value.get("action") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(word, str) or word not in _ACTIONS:
        raise AnswerError("verdict: expected an action")
    action = Action(word)
    reply = _reply(value.get("reply"), action)
    return Verdict(
        action,
        _symbols(value.get("symbols", ())),
        tuple([_edit(edit) for edit in _list(value, "edits")]),
        failed=value.get("failed") is True,
        because=_because(value.get("because", "")),
        reply=reply,
        apart=tuple([_apart(one) for one in _list(value, "apart")]),
        points_apart=tuple([_own(one) for one in _list(value, "points_apart")]),
    )


def _because(value: object) -> str:
    if not isinstance(value, str):
        raise AnswerError("because: expected a text")
    return value


def _list(value: dict[str, Any], name: str) -> list[Any]:
    found = value.get(name, [])
    if not isinstance(found, list):
        raise AnswerError(f"{name}: expected a list")
    return found


_ACTIONS = frozenset(action.value for action in Action)


def _plain_symbols(symbols: Sequence[Symbol]) -> list[list[str | float]]:
    return [[one.name, one.score, one.detail] for one in symbols]


def _symbols(value: object) -> tuple[Symbol, ...]:
    if not isinstance(value, (list, tuple)):
        raise AnswerError("symbols: expected a list")
    return tuple([_symbol(one) for one in value])


def _symbol(value: object) -> Symbol:
    match value:
        case [str(name), int() | float() as score, str(detail)]:
            with suppress(ValueError):
                return Symbol(name, score, detail)
    raise AnswerError("symbol: expected name, score and detail")


def _edit(value: object) -> AddField:
    match value:
        case [str(name), str(text)]:
            return AddField(field_name(name), field_value(text))
    raise AnswerError("edit: expected the name and the value of a field")


def _plain_reply(reply: Reply) -> list[str | int]:
    return [reply.code, reply.xcode, reply.text, reply.kind]


def _reply(value: object, action: Action) -> Reply | None:
    if value is None:
        return None
    match value:
        case [int(code), str(xcode), str(text), str(kind)]:
            reply = Reply(code, xcode, text, kind)
            if action in (Action.TEMPFAIL, Action.REJECT):
                check_reply(reply, action)
            return reply
    raise AnswerError("reply: expected code, enhanced code, text and kind")


def _apart(value: object) -> RecipientAction:
    match value:
        case [str(recipient), str(action), str(rule), reply] if action in _ACTIONS:
            return RecipientAction(recipient, Action(action), rule, _reply(reply, Action(action)))
    raise AnswerError("apart: expected recipient, action, rule and reply")


def _own(value: object) -> RecipientSymbols:
    match value:
        case [str(recipient), list(symbols)]:
            return RecipientSymbols(recipient, _symbols(symbols))
    raise AnswerError("points_apart: expected recipient and symbols")


def frame_value(octets: bytes) -> dict[str, Any]:
    """The JSON object of a frame. Raises AnswerError."""
    try:
        value = parsed(octets)
    except ValueError as error:
        raise AnswerError(f"no JSON: {error}") from error
    if not isinstance(value, dict):
        raise AnswerError("no JSON object")
    return value
