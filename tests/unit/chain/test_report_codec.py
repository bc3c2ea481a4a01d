"""How reports become plain values and JSON, and what is refused when they are read again."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

from filterd.chain import report_codec
from filterd.chain.report import ReportForm, ScanReport, names
from filterd.chain.report_codec import Codec, ReportError, parsed, plain, written
from filterd.chain.verdict import (
    Action,
    Failure,
    FailureKind,
    Outcome,
    Reason,
    RemovedPart,
    Reply,
    Symbol,
)

CODEC = Codec(ScanReport)

REPORT = ScanReport(
    id="id1",
    queue_id="q1",
    message_id="<m@a.example>",
    client_name="c.example",
    client_address="192.0.2.7",
    helo="c",
    authenticated="ann",
    sender="ann@a.example",
    recipients=("joe@b.example", "sue@b.example"),
    size=1000,
    action=Action.REJECT,
    reply=Reply(554, "5.7.0", "No", "virus"),
    reason=Reason.VIRUS,
    labelled=True,
    required=5.0,
    outcomes=(
        Outcome("joe@b.example", Action.REJECT, "default"),
        Outcome("sue@b.example", Action.REJECT, "default"),
    ),
    stored=True,
    score=9.5,
    symbols=(Symbol("BAYES_99", 9.5, "why"),),
    probability=0.99,
    virus="Eicar",
    scanner="ClamAV",
    removed=(RemovedPart("a.exe", "banned", 10, 20),),
    milliseconds={"bayes": 1.5},
    failures=(Failure("clamav", FailureKind.UNAVAILABLE, "away"),),
    total_ms=2.5,
)

SAID: dict[str, Any] = {
    "id": "id1",
    "queue_id": "q1",
    "message_id": "<m@a.example>",
    "client_name": "c.example",
    "client_address": "192.0.2.7",
    "helo": "c",
    "authenticated": "ann",
    "sender": "ann@a.example",
    "recipients": ("joe@b.example", "sue@b.example"),
    "size": 1000,
    "action": "reject",
    "reply": {"code": 554, "xcode": "5.7.0", "text": "No", "kind": "virus"},
    "reason": "virus",
    "labelled": True,
    "required": 5.0,
    "outcomes": [
        {"recipient": "joe@b.example", "action": "reject", "rule": "default"},
        {"recipient": "sue@b.example", "action": "reject", "rule": "default"},
    ],
    "stored": True,
    "score": 9.5,
    "symbols": [{"name": "BAYES_99", "score": 9.5, "detail": "why"}],
    "probability": 0.99,
    "virus": "Eicar",
    "scanner": "ClamAV",
    "removed": ({"filename": "a.exe", "reason": "banned", "start": 10, "end": 20},),
    "milliseconds": {"bayes": 1.5},
    "failures": (
        {
            "filter": "clamav",
            "kind": "unavailable",
            "detail": "away",
            "again": False,
            "starved": False,
        },
    ),
    "total_ms": 2.5,
}
"""What it says, as plain values; all else is as always."""


def test_the_whole_form_has_every_field_and_the_others_what_is_not_as_always() -> None:
    whole = CODEC.plain(REPORT)
    assert set(whole) == set(names(ScanReport))
    assert {name: whole[name] for name in SAID} == SAID
    assert CODEC.plain(REPORT, ReportForm.WHOLE) == whole
    sparse = {
        **SAID,
        "failures": ({"filter": "clamav", "kind": "unavailable", "detail": "away"},),
        "outcomes": [{"recipient": "", "action": "reject", "rule": "default"}],
    }
    assert CODEC.plain(REPORT, ReportForm.SPARSE) == sparse
    assert CODEC.plain(REPORT, ReportForm.SHORT) == {**sparse, "symbols": [("BAYES_99", 9.5)]}


def test_what_the_reader_knows_is_not_written() -> None:
    found = Codec(ScanReport, ("id", "recipients")).plain(REPORT)
    assert set(names(ScanReport)) - set(found) == {"id", "recipients"}


@pytest.mark.parametrize("form", ReportForm)
def test_what_was_written_is_read(form: ReportForm) -> None:
    # Through JSON, as to another process.
    value = json.loads(written(CODEC.plain(REPORT, form)))
    found = CODEC.read(value)
    if form is ReportForm.SHORT:
        assert found.symbols == (Symbol("BAYES_99", 9.5),)
        found.symbols = REPORT.symbols  # type: ignore[misc]
    assert found == REPORT


def test_the_text_is_the_short_form() -> None:
    assert parsed(CODEC.text(REPORT)) == parsed(written(CODEC.plain(REPORT, ReportForm.SHORT)))


def test_octets_of_no_charset_are_written_in_another_way() -> None:
    symbols = (Symbol("A", 1),)
    report = ScanReport(id="id1", action=Action.ACCEPT, sender="j\udce9@a", symbols=symbols)
    text = '{"id":"id1","sender":"j\\udce9@a","action":"accept","symbols":[["A",1.0]]}'
    assert CODEC.text(report) == text
    assert CODEC.read(json.loads(text)) == report
    assert written({"a": ["\udce9", 1]}) == '{"a":["\\udce9",1]}'
    assert written({"a": ["\xe9", 1]}) == '{"a":["\xe9",1]}'


def test_a_list_in_the_place_of_a_tuple_is_written_without_a_word() -> None:
    """Filters of others are not that particular, and a worker's warnings go to the log."""
    parts: Any = [RemovedPart("a", "b", 1, 2)]
    report = ScanReport(id="id1", action=Action.ACCEPT, removed=parts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parsed(CODEC.text(report))["removed"] == [
            {"filename": "a", "reason": "b", "start": 1, "end": 2}
        ]
        assert [*CODEC.plain(report)["removed"]] == [
            {"filename": "a", "reason": "b", "start": 1, "end": 2}
        ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"size": "big"}, "size: Input should be a valid integer, unable to parse string as an "),
        ({"reply": {"code": []}}, "reply.code: Input should be a valid integer"),
        ({"recipients": ["a", 1]}, "recipients.1: Input should be a valid string"),
        ({"symbols": {}}, "symbols: Value error, expected a list of symbols"),
        ({"stored": 1}, "stored: Input should be a valid boolean"),
        # One that would be for all recipients, were it an outcome.
        ({"outcomes": ["accept"]}, "outcomes: Value error, expected an outcome: recipient, "),
        ({"outcomes": {}}, "outcomes: Value error, expected a list of outcomes"),
        ({"outcomes": [{"recipient": ""}]}, "outcomes: Value error, expected an outcome: "),
    ],
)
def test_a_value_that_is_not_a_report_is_refused_by_its_field(
    change: dict[str, Any], text: str
) -> None:
    value = {"id": "id1", "action": "accept", "recipients": ["joe@b", "sue@b"], **change}
    with pytest.raises(ReportError) as error:
        CODEC.read(value)
    assert str(error.value).startswith(text)


def test_an_outcome_for_all_is_one_for_each() -> None:
    everybody = {"recipient": "", "action": "accept", "rule": "default"}
    value = {"id": "id1", "action": "accept", "recipients": ["joe@b", "sue@b", "joe@b"]}
    found = CODEC.read({**value, "outcomes": [everybody]})
    assert found.outcomes == (
        Outcome("joe@b", Action.ACCEPT, "default"),
        Outcome("sue@b", Action.ACCEPT, "default"),
    )
    # Not where it has a name, or there are others.
    one = CODEC.read({**value, "outcomes": [{**everybody, "recipient": "joe@b"}]})
    assert [outcome.recipient for outcome in one.outcomes] == ["joe@b"]
    two = CODEC.read({**value, "outcomes": [everybody, everybody]})
    assert [outcome.recipient for outcome in two.outcomes] == ["", ""]


def test_json_is_read_the_quick_way_where_that_can_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed('"\\udce9"') == parsed(b'"\\udce9"') == "\udce9"
    with pytest.raises(ValueError, match="Expecting"):
        parsed(b"nothing")
    monkeypatch.setattr(report_codec, "json_value", None)
    assert parsed('{"a":1}') == parsed(b'{"a":1}') == {"a": 1}


@pytest.mark.parametrize(("virus", "shown"), [("Eicar", "Eicar"), ("", None)])
def test_the_report_that_people_get(virus: str, shown: str | None) -> None:
    report = ScanReport(id="id1", action=Action.ACCEPT, virus=virus, milliseconds={"bayes": 1.5})
    found = plain(report)
    assert (found.pop("virus"), found.pop("ms")) == (shown, {"bayes": 1.5})
    assert found == {
        name: value
        for name, value in CODEC.plain(report).items()
        if name not in ("virus", "milliseconds")
    }
