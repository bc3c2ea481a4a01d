"""What daemon and worker tell each other about one message: a request, and an answer.

Requests are made by the daemon and read by the worker, which trusts them. Answers are made by a
worker that may be in the hands of the message it examined: every value is checked here before the
daemon acts on it, and an answer that is not right as a whole is not used at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from filterd.chain.chain import Failure
from filterd.chain.pipeline import Result
from filterd.chain.verdict import Action, AddField, ChangeField, Edit, Reply, Splice
from filterd.message import Client, Envelope, Recipient
from filterd.system.bounded import json_value

EDIT_LIMIT = 10_000
"""Edits of one message; a header of forged fields has hundreds at most."""

NAME_LIMIT = 200
"""Characters of a header field name."""

VALUE_LIMIT = 60_000
"""Characters of a header field value; a milter packet holds 65,535 octets."""

PROBABILITY_DECIMALS = 6
"""Digits after the point in the log line; `filterd explain` has them all."""

_ENCODER = json.JSONEncoder(separators=(",", ":"))
_ACTIONS = {action.word: action for action in Action}

_FIELD_NAME = re.compile(r"[!-9;-~]+")
_FIELD_VALUE = re.compile(r"(?:[^\0\r\n]|\n[ \t])*")
_XCODE = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_REPLY_TEXT = re.compile(r"[ -~]{1,900}")


class AnswerError(Exception):
    """A worker's answer that is not to be believed; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be done with a message, checked.

    stored: the message is in the quarantine, on disk. trouble: what the message did to filters,
    empty if nothing. log: plain values for the log line.
    """

    action: Action
    reply: Reply | None = None
    edits: tuple[Edit, ...] = ()
    drop_recipients: tuple[str, ...] = ()
    mta_quarantine: str | None = None
    stored: bool = False
    trouble: str = ""
    log: Mapping[str, Any] = field(default_factory=dict)


def encode_request(id: str, envelope: Envelope, failed: tuple[Failure, ...] = ()) -> bytes:
    """The head of a request. failed: filters that an earlier worker died in, not to be tried."""
    client = envelope.client
    return _ENCODER.encode(
        {
            "id": id,
            "sender": [envelope.sender, *envelope.sender_parameters],
            "recipients": [[r.address, r.resolved, *r.parameters] for r in envelope.recipients],
            "client": [client.name, client.address, client.port, client.helo],
            "macros": dict(envelope.macros),
            "failed": [[f.filter, f.kind, f.detail, f.again] for f in failed],
        }
    ).encode("ascii")


def decode_request(head: bytes) -> tuple[str, Envelope, tuple[Failure, ...]]:
    """Id, envelope and failed filters of a request made by `encode_request`."""
    value = json.loads(head.decode("ascii"))
    name, address, port, helo = value["client"]
    sender, *parameters = value["sender"]
    envelope = Envelope(
        sender,
        tuple(Recipient(r[0], tuple(r[2:]), r[1]) for r in value["recipients"]),
        Client(name, address, port, helo),
        tuple(parameters),
        value["macros"],
    )
    return value["id"], envelope, tuple(Failure(*failure) for failure in value["failed"])


def encode_answer(result: Result) -> bytes:
    """The answer for a result of the pipeline."""
    decision, examination = result.decision, result.examination
    verdict = examination.verdict
    outcomes = decision.outcomes
    differ = len({(o.action, o.rule) for o in outcomes}) > 1
    log: dict[str, Any] = {
        "score": verdict.score,
        "required": decision.required,
        "labelled": decision.labelled,
        "symbols": {s.name: s.score for s in verdict.symbols},
        "ms": dict(examination.milliseconds),
        "probability": None
        if verdict.probability is None
        else round(verdict.probability, PROBABILITY_DECIMALS),
        "virus": verdict.virus,
        "reason": decision.reason,
        "released": verdict.released,
        "removed": [part.filename for part in verdict.removed],
        "failures": {f.filter: f"{f.kind}: {f.detail}" for f in examination.failures},
        "outcomes": {o.recipient: f"{o.action.word}/{o.rule}" for o in outcomes} if differ else {},
        "rule": outcomes[0].rule if outcomes and not differ else "",
    }
    reply = decision.reply
    return _ENCODER.encode(
        {
            "action": decision.action.word,
            "reply": [reply.code, reply.xcode, reply.text] if reply else None,
            "edits": [_plain_edit(edit) for edit in decision.edits],
            "drop": list(decision.drop_recipients),
            "mta_quarantine": decision.mta_quarantine,
            "stored": result.stored,
            "trouble": "; ".join(
                f"{f.kind} in {f.filter}: {f.detail}"
                for f in examination.failures
                if f.kind != "unavailable"
            ),
            "log": {key: value for key, value in log.items() if value not in (None, "", {}, [])},
        }
    ).encode("ascii")


def _plain_edit(edit: Edit) -> list[Any]:
    match edit:
        case AddField(name, value):
            return ["add", name, value]
        case ChangeField(name, index, value):
            return ["change", name, index, value]
        case Splice(start, end, replacement):
            return ["splice", start, end, replacement.decode("latin-1")]


def decode_answer(
    head: bytes, envelope: Envelope, body_start: int, size: int, *, may_discard: bool = False
) -> Answer:
    """Check a worker's answer about a message of `size` octets.

    may_discard: the settings allow discarding without a stored copy. Raises AnswerError.
    """
    try:
        value = json_value(head.decode("ascii"))
    except ValueError as error:
        raise AnswerError(f"no JSON: {error}") from error
    if not isinstance(value, dict):
        raise AnswerError("no JSON object")
    action = _action(value.get("action"))
    reply = _reply(value.get("reply"), action)
    edits = value.get("edits")
    if not isinstance(edits, list) or len(edits) > EDIT_LIMIT:
        raise AnswerError("edits: no list, or too long")
    checked = tuple([_edit(edit, body_start, size) for edit in edits])
    _check_splices(checked)
    known = {recipient.address for recipient in envelope.recipients}
    drop = value.get("drop")
    if not isinstance(drop, list) or not all(isinstance(r, str) and r in known for r in drop):
        raise AnswerError("drop: names somebody who is no recipient")
    stored, held = value.get("stored"), value.get("mta_quarantine")
    if not isinstance(stored, bool):
        raise AnswerError("stored: not a boolean")
    if held is not None and not (isinstance(held, str) and _REPLY_TEXT.fullmatch(held)):
        raise AnswerError("mta_quarantine: no plain text")
    log, trouble = value.get("log"), value.get("trouble")
    if not isinstance(log, dict) or not isinstance(trouble, str):
        raise AnswerError("log, trouble: not an object and a text")
    takes_away = bool(drop) or action in (Action.QUARANTINE, Action.DISCARD)
    # The promise of the project, checked where it would be broken.
    if takes_away and not (stored or held) and (action is Action.QUARANTINE or not may_discard):
        raise AnswerError("takes mail away without having stored it")
    return Answer(action, reply, checked, tuple(drop), held, stored, trouble, log)


def _action(word: object) -> Action:
    action = _ACTIONS.get(word) if isinstance(word, str) else None
    if action is None:
        raise AnswerError(f"action: {word!r} is none")
    return action


def _reply(value: object, action: Action) -> Reply | None:
    if value is None:
        if action in (Action.TEMPFAIL, Action.REJECT):
            raise AnswerError("reply: a refusal without one")
        return None
    match value:
        case [int(code), str(xcode), str(text)]:
            first = "4" if action is Action.TEMPFAIL else "5"
            right = str(code)[0] == first == xcode[:1] and 400 <= code <= 599
            if right and _XCODE.fullmatch(xcode) and _REPLY_TEXT.fullmatch(text):
                return Reply(code, xcode, text)
    raise AnswerError(f"reply: {value!r} is none for {action.word}")


def _edit(value: object, body_start: int, size: int) -> Edit:
    match value:
        case ["add", str(name), str(text)]:
            return AddField(_name(name), _value(text))
        case ["change", str(name), int(index), str(text)] if 1 <= index <= EDIT_LIMIT:
            return ChangeField(_name(name), index, _value(text))
        case ["change", str(name), int(index), None] if 1 <= index <= EDIT_LIMIT:
            return ChangeField(_name(name), index, None)
        case ["splice", int(start), int(end), str(text)] if body_start <= start <= end <= size:
            try:
                return Splice(start, end, text.encode("latin-1"))
            except UnicodeEncodeError as error:
                raise AnswerError("splice: not octets") from error
    raise AnswerError(f"edit: {str(value)[:80]} is none for this message")


def _name(name: str) -> str:
    if len(name) > NAME_LIMIT or not _FIELD_NAME.fullmatch(name):
        raise AnswerError(f"field name {name[:NAME_LIMIT]!r} is none")
    return name


def _value(text: str) -> str:
    if len(text) > VALUE_LIMIT or not _FIELD_VALUE.fullmatch(text):
        raise AnswerError(f"field value {text[:80]!r} would break the header section")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise AnswerError("field value with lone surrogates") from error
    return text


def _check_splices(edits: tuple[Edit, ...]) -> None:
    spans = sorted([(e.start, e.end) for e in edits if isinstance(e, Splice)])
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            raise AnswerError(f"splices overlap at octet {start}")


def spliced(data: bytes | memoryview, edits: tuple[Edit, ...], body_start: int) -> bytes:
    """The body after its splices. data: the whole message."""
    view, position = memoryview(data), body_start
    parts: list[bytes | memoryview] = []
    for splice in sorted((e for e in edits if isinstance(e, Splice)), key=lambda e: e.start):
        parts += [view[position : splice.start], splice.replacement]
        position = splice.end
    return b"".join([*parts, view[position:]])
