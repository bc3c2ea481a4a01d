"""One report of one message: what came, what the filters found, what was decided and why.

Everything that speaks of a message is this value or has it inside: the worker's answer, the log
line, the history's record, the quarantine's description, `scan`, the pages and REST. All of them
show every field, so that a new fact is a field here and the place that sets it.

How a report is written as JSON and read again is in `filterd.chain.report_codec`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields, replace
from enum import Enum
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator, SerializationInfo

from filterd.chain.stages import Stage
from filterd.chain.verdict import (
    Action,
    Failure,
    FailureKind,
    Outcome,
    Reason,
    RemovedPart,
    Reply,
    Symbol,
    total,
)
from filterd.message import Envelope, Message
from filterd.message.authentication import Authentication
from filterd.system.values import value

if TYPE_CHECKING:
    from filterd.chain.chain import Examination
    from filterd.chain.policy import Decision

TEXT_LIMIT = 1000
"""Characters of a Message-ID; it may be as long as its sender likes."""


ATTACHMENTS_LIMIT = 50
"""Names of parts in a report."""

NAME_LIMIT = 200
"""Characters of one."""

SEEN_LIMIT = 1000
"""Names that are looked at."""


class ReportForm(Enum):
    """How much is written of outcomes and symbols; what pydantic calls the context."""

    WHOLE = "whole"
    """All."""
    SPARSE = "sparse"
    """One outcome that names no recipient where all are alike: of a hundred thousand recipients
    that is short."""
    SHORT = "short"
    """The same, and symbols without details, which may take time to find out."""


def _symbol_in(value: object) -> Symbol:
    if type(value) is list and len(value) == 2:
        name, score = value
        if type(name) is str and type(score) in (float, int):
            return Symbol(name, score)
    if isinstance(value, Symbol):
        return value
    match value:
        case {"name": str(name), "score": int() | float() as score, "detail": str(detail)}:
            return Symbol(name, score, detail)
    raise ValueError("expected a symbol: name, score and detail, or name and score")


def _symbols_in(value: object) -> tuple[Symbol, ...]:
    # One call for all of them takes half the time.
    if isinstance(value, (list, tuple)):
        return tuple([_symbol_in(one) for one in value])
    raise ValueError("expected a list of symbols")


def _symbols_out(symbols: tuple[Symbol, ...], info: SerializationInfo) -> list[Any]:
    if info.context is ReportForm.SHORT:
        return [(one.name, one.score) for one in symbols]
    return [{"name": one.name, "score": one.score, "detail": one.detail} for one in symbols]


_ACTIONS = {action.value: action for action in Action}


def _outcome_in(value: object) -> Outcome:
    # For every message; a pattern takes several times as long.
    if type(value) is dict:
        recipient, action, rule = value.get("recipient"), value.get("action"), value.get("rule")
        if type(recipient) is str and type(rule) is str and isinstance(action, str):
            found = _ACTIONS.get(action)
            if found is not None:
                symbols, limit = value.get("symbols"), value.get("limit")
                if limit is None or (type(limit) in (float, int) and isfinite(limit)):
                    own = _symbols_in(symbols) if symbols else ()
                    return Outcome(recipient, found, rule, own, limit)
    if isinstance(value, Outcome):
        return value
    raise ValueError("expected an outcome: recipient, action, rule; symbols and limit or none")


def _outcomes_in(value: object) -> tuple[Outcome, ...]:
    if isinstance(value, (list, tuple)):
        return tuple([_outcome_in(one) for one in value])
    raise ValueError("expected a list of outcomes")


def _outcomes_out(outcomes: tuple[Outcome, ...], info: SerializationInfo) -> list[Any]:
    if (
        info.context is not ReportForm.WHOLE
        and len({(o.action, o.rule, o.symbols, o.limit) for o in outcomes}) == 1
    ):
        outcomes = (replace(outcomes[0], recipient=""),)
    return [
        {"recipient": one.recipient, "action": one.action.value, "rule": one.rule}
        | ({"symbols": _symbols_out(one.symbols, info)} if one.symbols else {})
        | ({} if one.limit is None else {"limit": one.limit})
        for one in outcomes
    ]


_Flag = Annotated[bool, Field(strict=True)]
_Symbols = Annotated[
    tuple[Symbol, ...],
    PlainValidator(_symbols_in),
    PlainSerializer(_symbols_out, return_type=list[Any]),
]
_Outcomes = Annotated[
    tuple[Outcome, ...],
    PlainValidator(_outcomes_in),
    PlainSerializer(_outcomes_out, return_type=list[Any]),
]
_Reason = Annotated[Reason | Literal[""], Field(union_mode="left_to_right")]
_Stage = Annotated[Stage | Literal[""], Field(union_mode="left_to_right")]
_Points = Annotated[float, Field(allow_inf_nan=False)]


@value(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What came: the message's envelope and size.

    id: filterd's own name of the message. session: and of the SMTP session, where filters were
    asked while it went on. size: octets. authenticated: the SMTP AUTH identity.
    Addresses are as `filterd.message.envelope` has them.
    """

    # As `json` writes them, `NaN` and `Infinity`: a threshold may be infinite.
    __pydantic_config__ = ConfigDict(ser_json_inf_nan="constants")

    id: str
    queue_id: str = ""
    message_id: str = ""
    client_name: str = ""
    client_address: str = ""
    helo: str = ""
    authenticated: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    size: int = 0
    session: str = ""

    @classmethod
    def at(
        cls, id: str, envelope: Envelope, size: int, message_id: str, session: str = ""
    ) -> Arrival:
        """What is known of a message before anybody examined it."""
        return Arrival(**_arrival(id, envelope, size, message_id), session=session)

    @property
    def client(self) -> str:
        """The client as MTAs write it, `name[address]`."""
        return f"{self.client_name}[{self.client_address}]"


def _arrival(id: str, envelope: Envelope, size: int, message_id: str) -> dict[str, Any]:
    client = envelope.client
    return {
        "id": id,
        "queue_id": envelope.queue_id,
        "message_id": message_id[:TEXT_LIMIT],
        "client_name": client.name,
        "client_address": client.address,
        "helo": client.helo,
        "authenticated": envelope.authenticated,
        "sender": envelope.sender,
        "recipients": tuple([recipient.address for recipient in envelope.recipients]),
        "size": size,
    }


@value(frozen=True, slots=True, kw_only=True)
class ScanReport(Arrival):
    """All that is known of one message.

    action, reply, reason, labelled, required: the decision, see `filterd.chain.policy.Decision`.
    outcomes: what each recipient gets, with the rule that decided. stored: the message is in the
    quarantine, on disk. dropped: recipients taken out of the envelope. mta_quarantine: why the MTA
    is to hold the message. score, required: points. symbols, virus, removed, banned, probability,
    released, scanner, authentication, outbound: what the filters found, see
    `filterd.chain.verdict.Verdict`; because: which filter forced the action, and what it found.
    milliseconds: by filter, wall-clock. failures: filters without
    an opinion. note: what did not go smoothly on the way to the filters. total_ms: from the end of
    the message to the answer. stage: of the SMTP session, where the client was refused before there
    was a message. repeated: how many more times the same was refused, where this report stands for
    all of them. attachments: names of parts, of each all that a mail reader might show.
    """

    action: Action
    reply: Reply | None = None
    reason: _Reason = ""
    labelled: _Flag = False
    required: float = 0.0
    outcomes: _Outcomes = ()
    stored: _Flag = False
    dropped: tuple[str, ...] = ()
    mta_quarantine: str | None = None
    score: _Points = 0.0
    symbols: _Symbols = ()
    probability: float | None = None
    virus: str = ""
    scanner: str = ""
    removed: tuple[RemovedPart, ...] = ()
    banned: _Flag = False
    released: str = ""
    authentication: Authentication | None = None
    outbound: _Flag = False
    milliseconds: dict[str, float] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    note: str = ""
    total_ms: float | None = None
    stage: _Stage = ""
    repeated: int = 0
    because: str = ""
    attachments: tuple[str, ...] = ()

    @classmethod
    def on(
        cls, message: Message, examination: Examination, decision: Decision, *, stored: bool = False
    ) -> ScanReport:
        """The report on a message that the chain has seen and the policy has decided on."""
        verdict = examination.verdict
        size, message_id = len(message.data), message.get("Message-ID")
        return ScanReport(
            **_arrival(message.id, message.envelope, size, message_id),
            action=decision.action,
            reply=decision.reply,
            reason=decision.reason,
            labelled=bool(decision.labelled),
            required=decision.required,
            outcomes=decision.outcomes,
            stored=stored,
            dropped=decision.drop_recipients,
            mta_quarantine=decision.mta_quarantine,
            score=total(verdict.symbols + decision.own),
            symbols=verdict.symbols + decision.own,
            probability=None if verdict.probability is None else float(verdict.probability),
            virus=verdict.virus or "",
            scanner=verdict.scanner or "",
            removed=verdict.removed,
            banned=bool(verdict.banned),
            released=verdict.released,
            authentication=verdict.authentication,
            outbound=bool(verdict.outbound),
            milliseconds=dict(examination.milliseconds),
            failures=examination.failures,
            because=verdict.because,
            attachments=attachment_names(message),
        )

    @property
    def rule(self) -> str:
        """The rule that decided for all recipients alike, `""` where they differ."""
        rules = {(outcome.action, outcome.rule) for outcome in self.outcomes}
        return self.outcomes[0].rule if len(rules) == 1 else ""

    @property
    def trouble(self) -> str:
        """What the message did to filters, in words; empty if it did nothing."""
        return "; ".join(
            f"{failure.kind} in {failure.filter}: {failure.detail}"
            for failure in self.failures
            if failure.kind is not FailureKind.UNAVAILABLE
        )


def attachment_names(message: Message) -> tuple[str, ...]:
    """The names of a message's parts, each once, up to `ATTACHMENTS_LIMIT`; none of a message that
    no filter has taken apart: it may be one that breaks whoever tries."""
    if not message.is_parsed:
        return ()
    names = (name[:NAME_LIMIT] for part in message.leaves() for name in part.filenames)
    return tuple(islice(dict.fromkeys(filter(None, islice(names, SEEN_LIMIT))), ATTACHMENTS_LIMIT))


def values(report: Arrival) -> dict[str, Any]:
    """The fields of a report by name, to make another one with these."""
    return {name: getattr(report, name) for name in names(type(report))}


def names(kind: type[Arrival]) -> tuple[str, ...]:
    """The names of a kind of report's fields, in order."""
    found = _NAMES.get(kind)
    if found is None:
        found = _NAMES[kind] = tuple(one.name for one in fields(kind))
    return found


_NAMES: dict[type[Arrival], tuple[str, ...]] = {}


SHOWN = frozenset(
    "id queue_id message_id client_name client_address helo sender recipients size action reason "
    "labelled required outcomes dropped stored score symbols virus removed released milliseconds "
    "failures".split()
)
"""Fields for which pages and tables have a place of their own."""


def remaining(report: ScanReport) -> list[tuple[str, str]]:
    """What a report says besides, as people read it: label and text. So pages and tables show a
    field that they do not know."""
    return [
        (name.replace("_", " ").capitalize(), _text(value))
        for name in names(ScanReport)
        if name not in SHOWN and (value := getattr(report, name))
    ]


def _text(value: object) -> str:
    match value:
        case True:
            return "yes"
        case float():
            return f"{value:g}"
        case Reply():
            return f"{value.code} {value.xcode} {value.text}"
        case Authentication():
            return value.line
        case Mapping():
            return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
        case tuple():
            return ", ".join(map(_text, value))
    return str(value)
