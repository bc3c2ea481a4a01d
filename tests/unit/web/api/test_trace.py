"""Rules and addresses by REST."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from filterd.mta.trace.asking import TraceUnavailableError
from filterd.web.api import trace
from tests.helpers.api import Program

pytestmark = pytest.mark.server

RULES = """\
V10/Berkeley
O OperatorChars=.:%@!^/[]+
Ktable hash /etc/mail/table
S3
R$+ @ $+	$: $1 < @ $(table $2 $: $2 $) >
S0
R$+ < @ $+ >	$#smtp $@ $2 $: $1 < @ $2 >
Mlocal, P=/bin/cat, F=lsDFMA5, A=cat $u
Msmtp, P=[IPC], F=mDFMuX, A=TCP $h
"""
WISH = {"rules": RULES, "addresses": ["joe@old.test"]}


def test_the_answer_has_each_step(admin: Program) -> None:
    answer = admin.post("/trace", {**WISH, "files": {"/etc/mail/table": "old.test new.test\n"}})
    told = answer.json()
    assert (told["not_looked_up"], told["not_read"], told["problems"]) == ([], [], [])
    (row,) = told["addresses"]
    assert (row["mailer"], row["host"], row["state"]) == ("smtp", "new.test", "ok")
    kinds = [step["kind"] for step in row["steps"]]
    assert kinds[:4] == ["ruleset", "rule", "result", "return"]
    (lookup,) = row["steps"][1]["lookups"]
    assert (lookup["value"], lookup["entry"]) == ("new.test", "/etc/mail/table:1")


def test_the_answer_is_as_the_document_says(admin: Program) -> None:
    for wish in (WISH, {**WISH, "mailer": "smtp", "sender": True}, {**WISH, "addresses": ["x"]}):
        told = admin.post("/trace", wish).json()
        shown = trace.Traced.model_validate(told).model_dump(exclude_unset=True)
        assert shown == told, "nothing is in it that the document does not have"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mailer": "uucp"}, "uucp: not in sendmail.cf"),
        ({"rules": " "}, "the file is empty"),
        ({"files": {"table": "x"}}, "is not the full name of a file"),
        ({"addresses": []}, "addresses"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_cannot_be_traced(admin: Program, change: dict[str, Any], said: str) -> None:
    answer = admin.post("/trace", {**WISH, **change})
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_it_is_for_admins(reviewer: Program) -> None:
    answer = reviewer.post("/trace", WISH)
    assert (answer.status_code, answer.json()["detail"]) == (403, "only an admin may do that")


def test_where_it_is_not_possible_now(admin: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> NoReturn:
        raise TraceUnavailableError("others are tracing rules just now; try again")

    monkeypatch.setattr(trace, "ask", busy)
    answer = admin.post("/trace", WISH)
    assert (answer.status_code, answer.json()["detail"][:18]) == (503, "others are tracing")
