"""The REST interface as a program uses it."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from filterd.chain.verdict import Action, Outcome, RemovedPart, Symbol
from filterd.filters.gtube import STRING
from filterd.filters.senders import list as senders
from tests.helpers.api import Program, tokens_of
from tests.helpers.entries import HOSTILE, new
from tests.helpers.receiving_mta import Mta
from tests.helpers.reports import record
from tests.helpers.site import PLAIN, Site

pytestmark = pytest.mark.slow

NOBODYS = [
    "/messages",
    "/messages/x",
    "/messages/x/raw",
    "/audit",
    "/stats",
    "/stats/flow",
    "/history",
    "/history/x",
    "/status",
]


@pytest.mark.parametrize("path", NOBODYS)
@pytest.mark.parametrize("secret", ["", "wrong", "filterd_" + "a" * 43])
def test_without_a_token_there_is_nothing(site: Site, path: str, secret: str) -> None:
    tokens_of(site).add("robot", "admin")
    answer = Program(site, secret).get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["title"] == "Unauthorized"


def test_a_browsers_session_is_no_token(site: Site) -> None:
    site.log_in()
    assert site.browser.get("/api/messages").status_code == 401
    assert site.browser.post("/api/messages/delete", json={"ids": ["x"]}).status_code == 401


def test_a_damaged_file_of_tokens_lets_nobody_in(site: Site, admin: Program) -> None:
    tokens_of(site).path.write_text("{")
    answer = admin.get("/messages")
    assert answer.status_code == 503
    assert "tokens.json" not in answer.text


@pytest.mark.parametrize(
    ("path", "conditions", "words"),
    [
        ("/messages", {"reason": "spma"}, "reason: 'spma' is unknown (did you mean spam?)"),
        ("/messages", {"state": "hold"}, "state: 'hold' is unknown (did you mean held?)"),
        ("/messages", {"sort": "-scroe"}, "sort: '-scroe' is unknown (did you mean -score?)"),
        ("/messages", {"resaon": "spam"}, "query.resaon: unknown parameter; expected after,"),
        ("/messages/x", {"full": "1"}, "query.full: unknown parameter; there are none here"),
        ("/history", {"action": "rejct"}, "action: 'rejct' is unknown (did you mean reject?)"),
        ("/history", {"form": "ann@a.example"}, "query.form: unknown parameter"),
        ("/history", {"failed": "clmav"}, "failed: 'clmav' is unknown (did you mean clamav?)"),
        ("/stats", {"since": "2026-11-01"}, "query.since: unknown parameter"),
        ("/audit", {"offset": "5"}, "query.offset: unknown parameter; expected id, limit, order,"),
        ("/audit", {"what": "delted"}, "what: 'delted' is unknown (did you mean deleted?)"),
        ("/audit", {"order": "none"}, "query.order"),
        ("/history/x", {"full": "1"}, "query.full: unknown parameter"),
        ("/stats/flow", {"step": "59"}, "query.step"),
        ("/stats/flow", {"since": "2026-11-02", "until": "2026-11-01"}, "since before until"),
        ("/stats/flow", {"since": "2026-01-01", "until": "2026-11-01"}, "at most 1000 steps"),
        (
            "/stats/flow",
            {"since": "9999-12-31T22:00:00-14:00", "until": "9999-12-31T23:00:00-14:00"},
            "years 1 to 9999",
        ),
    ],
)
def test_words_and_parameters_that_are_not_known_are_refused(
    admin: Program, path: str, conditions: dict[str, str], words: str
) -> None:
    answer = admin.get(path, **conditions)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_search_in_the_words_of_the_command_line(site: Site, admin: Program) -> None:
    first = site.put("joe@mx.example", subject=b"cheap pills")
    second = site.put("sue@other.example", reason="virus", virus="Evil")
    ids = [m["id"] for m in admin.get("/messages").json()["messages"]]
    assert ids == [second, first]
    found = admin.get("/messages", subject="PILLS", score_from=1, since="2020-01-01T00:00:00Z")
    assert [m["id"] for m in found.json()["messages"]] == [first]
    page = admin.get("/messages", limit=1).json()
    rest = admin.get("/messages", limit=1, after=page["next"]).json()
    assert [m["id"] for m in rest["messages"]] == [first]
    assert "path" not in rest["messages"][0]


def test_sorted_pages(site: Site, admin: Program, reviewer: Program) -> None:
    ids = [site.put(score=score) for score in (7.0, 9.0, 8.0)]
    for sort, order in (("", (2, 1, 0)), ("received", (0, 1, 2)), ("-score", (1, 2, 0))):
        page = admin.get("/messages", limit=2, sort=sort).json()
        rest = admin.get("/messages", limit=2, sort=sort, after=page["next"]).json()
        seen = [m["id"] for m in (*page["messages"], *rest["messages"])]
        assert seen == [ids[number] for number in order], sort
    assert len(reviewer.get("/messages", sort="sender").json()["messages"]) == 3
    refused = reviewer.get("/messages", sort="score")
    assert refused.status_code == 422
    assert refused.json()["detail"] == "sort: only an admin may sort by points"


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"since": "yesterday"}, "since"),
        ({"score_from": "nan"}, "score_from"),
        ({"after": "nonsense"}, "after is not the"),
        ({"text": "x" * 501}, "text"),
    ],
)
def test_a_question_that_makes_no_sense(
    admin: Program, conditions: dict[str, object], text: str
) -> None:
    answer = admin.get("/messages", **conditions)
    assert answer.status_code == 422
    assert text in answer.json()["detail"]


def test_one_message_with_all_that_is_known(site: Site, admin: Program) -> None:
    id = site.put("joe@mx.example")
    told = admin.get(f"/messages/{id}").json()
    assert told["held_for"] == ["joe@mx.example"]
    (symbol,) = told["symbols"]
    means = "The classifier says: spam with 99 to 99.9 % probability."
    assert (symbol["name"], symbol["description"]) == ("BAYES_99", means)
    assert told["deliveries"][0]["state"] == "held"
    assert told["warnings"] == []
    events = admin.get(f"/messages/{id}").json()["events"]
    assert [(e["what"], e["who"]) for e in events] == [("viewed", "api:robot")]
    steps = admin.get(f"/messages/{id}").json()["timeline"]
    assert [(s["source"], s["what"]) for s in steps] == [
        ("filterd", "received"),
        ("filterd", "held"),
        ("journal", "viewed"),
    ]
    assert (steps[-1]["who"], steps[-1]["times"]) == ("api:robot", 2)


@pytest.mark.parametrize("id", ["nobody", "..", "%2e%2e%2fpasswd", "a" * 64, "\u00e4"])
def test_a_message_that_is_not_there(admin: Program, id: str) -> None:
    for path in (f"/messages/{id}", f"/messages/{id}/raw", f"/messages/{id}/parts/1"):
        assert admin.get(path).status_code == 404, path


def test_octets_are_exact(site: Site, admin: Program) -> None:
    id = site.state.actions.store.put(new("id1", HOSTILE))
    answer = admin.get(f"/messages/{id}/raw")
    assert answer.content == HOSTILE
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="id1.eml"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    # The sender holds an octet of no charset; it travels as an escape.
    assert "\\udce9" in admin.get(f"/messages/{id}").text


def test_a_removed_part(site: Site, admin: Program) -> None:
    id = site.put(removed=(RemovedPart("a.exe", "banned", 6, 9),))
    assert admin.get(f"/messages/{id}/parts/1").content == PLAIN[6:9]
    assert admin.get(f"/messages/{id}/parts/2").status_code == 404


def test_what_is_gone_is_told(site: Site, admin: Program) -> None:
    id = site.put()
    (result,) = admin.post("/messages/delete", {"ids": [id], "note": "junk"}).json()["results"]
    assert result["ok"]
    assert admin.get(f"/messages/{id}/raw").status_code == 410
    assert admin.get(f"/messages/{id}").json()["events"][0]["note"] == "junk"


def test_a_release_arrives_and_is_not_done_twice(releasing_admin: Program, mta: Mta) -> None:
    id = releasing_admin.site.put("joe@mx.example")
    wish = {"ids": [id, id], "note": "asked for", "learn": True}
    (result,) = releasing_admin.post("/messages/release", wish).json()["results"]
    assert (result["id"], result["ok"]) == (id, True)
    assert result["detail"]["recipients"][0]["state"] == "released"
    assert result["detail"]["class"] == "ham"
    assert result["words"].endswith("; learned as ham")
    assert [taken.data for taken in mta.taken] == [PLAIN]
    again = releasing_admin.post("/messages/release", {"ids": [id]}).json()["results"]
    assert "was released already" in again[0]["words"]
    assert len(mta.taken) == 1


def test_one_message_does_not_stop_the_others(site: Site, admin: Program) -> None:
    id = site.put()
    results = admin.post("/messages/pin", {"ids": ["nobody", id]}).json()["results"]
    assert {r["id"]: r["ok"] for r in results} == {"nobody": False, id: True}


def test_learn_and_list_senders(site: Site, admin: Program) -> None:
    id = site.put()
    (result,) = admin.post("/messages/learn", {"ids": [id], "class": "spam"}).json()["results"]
    assert result["detail"] == {"class": "spam", "outcome": "learned"}
    wish = {"ids": [id], "kind": "block", "everybody": True}
    assert admin.post("/messages/senders", wish).json()["results"][0]["ok"]
    path = site.state.actions.senders.file
    assert senders.SenderEntry("block", "ann@a.example") in senders.read(path)


@pytest.mark.parametrize(
    "wish",
    [
        None,
        [],
        {},
        {"ids": []},
        {"ids": "x"},
        {"ids": ["x"], "class": "eggs"},
        {"ids": [""]},
        {"ids": ["x"] * 1001, "class": "spam"},
        {"ids": ["x"], "class": "spam", "more": 1},
    ],
)
def test_a_wish_that_makes_no_sense(admin: Program, wish: object) -> None:
    answer = admin.post("/messages/learn", wish)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_what_a_reviewers_token_reaches(site: Site, reviewer: Program) -> None:
    own = site.put("joe@mx.example")
    shared = site.put("joe@mx.example", "sue@other.example")
    others = site.put("sue@other.example")
    found = reviewer.get("/messages").json()["messages"]
    assert {m["id"] for m in found} == {own, shared}
    assert all(m["recipients"] == ["joe@mx.example"] for m in found)
    assert reviewer.get(f"/messages/{shared}").json()["recipients"] == ["joe@mx.example"]
    assert reviewer.get(f"/messages/{others}").status_code == 404
    results = reviewer.post("/messages/delete", {"ids": [own, shared, others]}).json()["results"]
    assert {r["id"]: r["ok"] for r in results} == {own: True, shared: False, others: False}
    for path in ("/stats", "/status", f"/messages/{own}/parts/1"):
        assert reviewer.get(path).status_code == 403
    assert [e["id"] for e in reviewer.get("/audit").json()["events"] if e["what"] == "deleted"] == [
        own
    ]


def test_a_reviewer_releases_to_its_own_only(site: Site, reviewer: Program) -> None:
    id = site.put("joe@mx.example")
    wish = {"ids": [id], "to": ["eve@elsewhere.example"]}
    (result,) = reviewer.post("/messages/release", wish).json()["results"]
    assert not result["ok"]
    assert "your own recipients" in result["words"]


def test_warnings_as_the_page_has_them(site: Site, admin: Program) -> None:
    id = site.put(data=b"From: a@a.example\r\nReply-To: b@b.example\r\n\r\ntext\r\n")
    text = "Replies go to b@b.example, not to the domain of the sender, a.example."
    assert admin.get(f"/messages/{id}").json()["warnings"] == [{"kind": "reply-to", "text": text}]
    site.state.actions.store.path(id).unlink()
    assert admin.get(f"/messages/{id}").json()["warnings"] == []


def test_scan_and_rescan(site: Site, admin: Program) -> None:
    mail = b"Subject: test\r\n\r\n" + STRING + b"\r\n"
    answer = site.browser.post(
        "/api/scan", content=mail, headers=admin.headers, params={"sender": "a@b.example"}
    )
    told = answer.json()
    assert (told["action"], told["symbols"][0]["name"]) == ("reject", "GTUBE")
    means = "The test string that every spam filter takes for spam."
    assert told["symbols"][0]["description"] == means
    assert admin.get("/messages").json()["messages"] == []
    id = site.put(data=mail)
    told = admin.post(f"/messages/{id}/rescan").json()
    assert (told["action"], told["symbols"][0]["description"]) == ("reject", means)
    assert admin.post("/messages/nobody/rescan").status_code == 404


def test_an_empty_scan_and_one_that_is_too_large(tmp_path: Path) -> None:
    site = Site(tmp_path, web="upload_megabytes = 1")
    program = Program(site, tokens_of(site).add("robot", "admin"))
    empty = site.browser.post("/api/scan", content=b"", headers=program.headers)
    assert empty.status_code == 422
    large = base64.b64encode(bytes(2 << 20))
    answer = site.browser.post("/api/scan", content=large, headers=program.headers)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 413
    # Only where a message may come; a deed is some hundred ids and a reason.
    for path, size in (("/messages/learn", (1 << 20) + 1), ("/scan", 1 << 20)):
        wish = b'{"ids": ["' + b"x" * size + b'"], "class": "spam"}'
        answer = site.browser.post(f"/api{path}", content=wish, headers=program.headers)
        assert answer.status_code == (413 if path == "/messages/learn" else 200)
    site.state.close()


def test_stats_audit_status_and_history(site: Site, admin: Program) -> None:
    site.put()
    (count,) = admin.get("/stats").json()["counts"]
    assert (count["reason"], count["state"], count["messages"]) == ("spam", "held", 1)
    assert admin.get("/audit", limit=1).json() == {"events": []}
    assert "quarantine" in admin.get("/status").json()
    assert admin.get("/history").json() == {"messages": [], "next": ""}
    assert admin.get("/history", after="0").status_code == 422


def test_one_record_of_the_history(site: Site, admin: Program, reviewer: Program) -> None:
    both = ("joe@mx.example", "sue@other.example")
    site.state.history.add(
        [
            record("aa11", 1.0, recipients=both, subject="aa112"),
            record("aa112", 2.0, recipients=both[1:]),
            record("b", 3.0, recipients=both[:1], subject="aa11"),
        ]
    )
    for id in ("aa11", "aa112", "b"):
        found = admin.get(f"/history/{id}")
        assert (found.status_code, found.json()["id"]) == (200, id)
    assert admin.get("/history/aa11").json()["recipients"] == list(both)
    assert reviewer.get("/history/aa11").json()["recipients"] == ["joe@mx.example"]
    for program, id in ((reviewer, "aa112"), (admin, "aa1"), (admin, "AA11"), (admin, "%25")):
        assert program.get(f"/history/{id}").status_code == 404


def test_statistics_over_time(site: Site, admin: Program, reviewer: Program) -> None:
    noon = 1_795_953_600.0
    site.state.history.add(
        [
            record("a", noon - 7200, action="accept"),
            record("b", noon, action="accept"),
            record("c", noon + 3599, action="reject"),
            record("d", noon + 7200, action="accept"),
            record("e", noon + 7201, action="accept"),
        ]
    )
    asked = {"since": "2026-11-29T12:00:00Z", "until": "2026-11-29T14:00:01Z"}
    assert admin.get("/stats/flow", **asked).json() == {
        "oldest": "2026-11-29T10:00:00+00:00",
        "totals": {"accept": 2, "reject": 1},
        "bins": [
            {"start": "2026-11-29T12:00:00+00:00", "messages": {"accept": 1, "reject": 1}},
            {"start": "2026-11-29T13:00:00+00:00", "messages": {}},
            {"start": "2026-11-29T14:00:00+00:00", "messages": {"accept": 1}},
        ],
    }
    # Without conditions, a day by the hour.
    assert len(admin.get("/stats/flow").json()["bins"]) == 24
    assert reviewer.get("/stats/flow").status_code == 403


def test_the_audit_trail_can_be_searched(site: Site, admin: Program, reviewer: Program) -> None:
    ids = [site.put() for _ in range(3)]
    for number, id in enumerate(ids):
        for who in ("api:helper", "cli:root"):
            site.state.actions.store.note("viewed", id, who, f"Why {number}")
    site.state.actions.store.note("pinned", ids[0], "cli:root", "last")

    def notes(program: Program, **conditions: object) -> list[str]:
        found = program.get("/audit", **conditions).json()["events"]
        return [one["note"] for one in found]

    assert notes(admin, limit=2) == ["last", "Why 2"]
    assert notes(admin, limit=2, skip=2) == ["Why 2", "Why 1"]
    assert notes(admin, order="oldest", who="root") == ["Why 0", "Why 1", "Why 2", "last"]
    assert notes(admin, what="pinned") == notes(admin, text="LAST") == ["last"]
    assert notes(admin, id=ids[1]) == ["Why 1", "Why 1"]
    assert notes(admin, until="2020-01-01") == []
    assert len(notes(admin, since="2020-01-01")) == 7
    assert notes(reviewer) == ["Why 2", "Why 1", "Why 0"]
    assert notes(reviewer, who="root") == []


def test_the_history_of_a_reviewer_is_that_of_its_recipients(site: Site, reviewer: Program) -> None:
    site.state.history.add(
        [
            record("a", 1.0, recipients=("joe@mx.example", "sue@other.example")),
            record("b", 2.0, recipients=("sue@other.example",)),
        ]
    )
    (found,) = reviewer.get("/history").json()["messages"]
    assert (found["id"], found["recipients"]) == ("a", ["joe@mx.example"])


BOTH = (
    Outcome("joe@mx.example", Action.QUARANTINE, "strict"),
    Outcome("sue@other.example", Action.ACCEPT, "default"),
)


def test_what_each_recipient_got_and_by_which_rule(
    site: Site, admin: Program, reviewer: Program
) -> None:
    """A reviewer is told of its own recipients only, in every field of the report."""
    to = tuple(one.recipient for one in BOTH)
    id = site.put(*to, outcomes=BOTH)
    site.state.history.add([record("a", 1.0, recipients=to, outcomes=BOTH, dropped=to)])

    def all_of(program: Program) -> list[dict[str, Any]]:
        return [
            program.get(f"/messages/{id}").json(),
            program.get("/history").json()["messages"][0],
            program.post(f"/messages/{id}/rescan").json(),
        ]

    kept, noted, again = all_of(admin)
    plain = [
        {"recipient": one.recipient, "action": one.action.value, "rule": one.rule} for one in BOTH
    ]
    assert kept["outcomes"] == noted["outcomes"] == plain
    assert [one["recipient"] for one in again["outcomes"]] == list(to)
    assert again["verdict"] == "Delivered: 0.0 points, the limit for a label is 5.0"
    for value in (kept, noted):
        assert value["verdict"].startswith("Held for 1 of 2 recipients: ")
    for value in all_of(reviewer):
        assert [one["recipient"] for one in value["outcomes"]] == ["joe@mx.example"]
        assert "sue@other.example" not in str({**value, "events": "", "deliveries": ""})


def test_what_was_found_about_others_alone_is_in_no_list(
    site: Site, admin: Program, reviewer: Program
) -> None:
    """Neither shown, nor told by what a search finds."""
    shared, joes, sues = Symbol("SHARED", 3.0), Symbol("JOES", 1.0), Symbol("SUES", 4.0)
    both = tuple(replace(one, symbols=(own,)) for one, own in zip(BOTH, (joes, sues), strict=True))
    found: dict[str, Any] = {"symbols": (shared, sues), "score": 7.0, "outcomes": both}
    to = tuple(one.recipient for one in both)
    id = site.put(*to, **found)
    site.state.history.add([record("a", time.time(), recipients=to, **found)])

    def told(program: Program, symbol: str) -> list[tuple[list[str], float]]:
        kept = program.get("/messages", symbol=symbol).json()["messages"]
        noted = program.get("/history", symbol=symbol).json()["messages"]
        return [(one["symbols"], one["score"]) for one in kept] + [
            ([symbol["name"] for symbol in one["symbols"]], one["score"]) for one in noted
        ]

    for symbol in ("", "SHARED", "sues"):
        assert told(admin, symbol) == [(["SHARED", "SUES"], 7.0)] * 2
    for symbol in ("", "shared"):
        assert told(reviewer, symbol) == [(["SHARED", "JOES"], 4.0)] * 2
    assert told(reviewer, "SUES") == []
    for asked, number in (({"score_from": 4.5}, 0), ({"score_to": 6}, 0), ({"score_from": 4}, 1)):
        assert len(reviewer.get("/messages", **asked).json()["messages"]) == number
    site.state.actions.store.path(id).with_suffix(".json").write_text("{")
    (row,) = reviewer.get("/messages").json()["messages"]
    assert (row["symbols"], row["score"]) == ([], 0.0)


def test_a_history_that_cannot_be_read_is_told_without_where(site: Site, admin: Program) -> None:
    site.state.history.file.write_bytes(b"no database at all, but long enough" * 40)
    answer = admin.get("/history")
    assert answer.status_code == 503
    assert str(site.folder) not in answer.text


def test_the_document_names_every_route(site: Site) -> None:
    document = site.browser.get("/api/openapi.json").json()
    assert set(document["paths"]) == {
        "/api/messages",
        "/api/search",
        "/api/messages/{id}",
        "/api/messages/{id}/raw",
        "/api/messages/{id}/parts/{number}",
        "/api/messages/{id}/rescan",
        "/api/messages/release",
        "/api/messages/learn",
        "/api/messages/delete",
        "/api/messages/undelete",
        "/api/messages/pin",
        "/api/messages/senders",
        "/api/messages/act",
        "/api/audit",
        "/api/stats",
        "/api/stats/flow",
        "/api/scan",
        "/api/history",
        "/api/history/{id}",
        "/api/status",
        "/api/senders",
        "/api/senders/meaning",
        "/api/senders/add",
        "/api/senders/remove",
        "/api/greylist",
        "/api/greylist/allow",
        "/api/lists",
        "/api/lists/entries",
        "/api/lists/add",
        "/api/lists/change",
        "/api/lists/remove",
        "/api/lists/undo",
        "/api/rates",
        "/api/rates/free",
        "/api/requests",
        "/api/requests/release",
        "/api/requests/refuse",
        "/api/accounts",
        "/api/accounts/add",
        "/api/accounts/change",
        "/api/accounts/password",
        "/api/accounts/factor",
        "/api/accounts/remove",
        "/api/trace",
        "/api/dmarc",
        "/healthz",
        "/readyz",
    }
