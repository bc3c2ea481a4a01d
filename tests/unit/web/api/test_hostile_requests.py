"""Requests that no honest program sends: refused in words, never answered with 500 or above."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.api import Program

pytestmark = pytest.mark.slow


BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "deep": b"[" * 100_000,
    "deep inside": b'{"ids": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a number beyond all": b'{"ids": [' + b"9" * 100_000 + b"]}",
    "not a number": b'{"ids": [NaN, Infinity]}',
    "no UTF-8": b'{"ids": ["\xff\xfe"]}',
    "UTF-16": '{"ids": ["x"]}'.encode("utf-16"),
    "half a character": b'{"ids": ["\\ud800"], "to": ["a\\ud800@x.example"], "note": "\\udfff"}',
    "NUL": b'{"ids": ["\\u0000"], "note": "\\u0000"}',
    "the same key twice": b'{"ids": ["x"], "ids": {"a": "b"}}',
    "a form": b"ids=x&note=y",
    "a path": b'{"ids": ["../../etc/passwd", "/etc/passwd", "..%2f"]}',
    "a line end": b'{"ids": ["x"], "to": ["a@x.example\\r\\nRCPT TO:<eve@y.example>"]}',
    "an event in the note": b'{"ids": ["x"], "note": "\\r\\n{\\"what\\": \\"released\\"}\\n"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies(admin: Program, body: bytes) -> None:
    id = admin.site.put("joe@mx.example").encode()
    for deed in ("release", "learn", "delete", "pin", "senders"):
        for content in (body, body.replace(b'"x"', b'"%s"' % id)):
            answer = admin.site.browser.post(
                f"/api/messages/{deed}",
                content=content,
                headers={**admin.headers, "Content-Type": "application/json"},
            )
            assert answer.status_code < 500, answer.text
            if answer.status_code != 200:
                assert answer.headers["Content-Type"] == "application/problem+json"
    # One deed is one line of the journal, whatever its reason reads.
    events = admin.site.state.actions.store.journal.events()
    assert all(event.who == "api:robot" for event in events)


PATHS = {
    "/messages/%00": 404,
    "/messages/%ff": 404,
    "/messages/..%2f..%2fpasswd": 404,
    "/messages/" + 9000 * "a": 422,
    "/messages/x/parts/99999999999999999999": 422,
    "/messages/x/parts/-1": 422,
    "/messages?since=9999-99-99": 422,
    "/messages?since=0001-01-01T00:00:00%2b14:00": 200,
    "/messages?since=9999-12-31T23:59:59-14:00": 200,
    "/messages?score_from=1e999": 422,
    "/messages?text=%00": 200,
    "/messages?text=%ed%a0%80": 200,
    "/messages?after=nan,x": 200,
    "/messages?after=1e999,%00": 200,
    "/messages?limit=1e3": 422,
    "/messages?domain=%25_/%5c'%22;--": 200,
    "/messages?symbol=%00": 200,
    "/audit?skip=99999999999": 422,
    "/history?since=9999-12-31T23:59:59-14:00": 200,
    "/history?after=1e999": 422,
    "/history?text=%00": 200,
    "/history?limit=-1": 422,
    "/nothing": 404,
    "//messages": 404,
    "/messages/": 307,
}


@pytest.mark.parametrize(("path", "status"), PATHS.items(), ids=lambda value: str(value)[:60])
def test_paths(admin: Program, path: str, status: int) -> None:
    admin.site.put("joe@mx.example")
    answer = admin.site.browser.get(f"/api{path}", headers=admin.headers, follow_redirects=False)
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.json()["status"] == status


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer",
        b"Bearer ",
        b"Bearer \xff\xfe",
        b"Basic Zm9vOmJhcg==",
        b"bearer x",
        b"x" * 20_000,
        b"Bearer " + b"filterd_" * 2000,
        b"Bearer a b",
        b"\xff",
    ],
)
def test_authorizations(admin: Program, value: bytes) -> None:
    answer = admin.site.browser.get("/api/messages", headers={b"Authorization": value})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@given(
    st.binary(max_size=600),
    st.text(max_size=40),
    st.lists(st.text(max_size=30), max_size=3),
    st.text(max_size=20),
)
@settings(
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_octets_can_be_scanned(
    admin: Program, data: bytes, sender: str, recipients: list[str], client: str
) -> None:
    answer = admin.site.browser.post(
        "/api/scan",
        content=b"Subject: x\r\n\r\n" + data,
        headers=admin.headers,
        params={"sender": sender, "recipient": recipients, "client": client},
    )
    assert answer.status_code == 200, answer.text
    # No filter of this site has an opinion of such mail.
    assert (answer.json()["action"], answer.json()["symbols"]) == ("accept", [])
