"""Requests for release, by REST."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.api import Program, tokens_of
from tests.helpers.receiving_mta import Mta
from tests.helpers.site import Site, with_users

MORE = 'request = ["banned"]\n'


def asked(folder: Path, port: int = 1) -> tuple[Site, str]:
    """A site where eva asks for a message."""
    site = with_users(folder, port, MORE)
    id = site.put("eva@mx.example", reason="banned")
    site.post("/my/do", id=id, do="request", note="my invoice")
    return site, id


def test_a_request_is_refused(tmp_path: Path) -> None:
    site, id = asked(tmp_path)
    helper = Program(site, tokens_of(site).add("h", "helpdesk", ["mx.example"]))
    (one,) = helper.get("/requests").json()["requests"]
    assert (one["id"], one["recipient"], one["note"]) == (id, "eva@mx.example", "my invoice")
    assert one["message"]["subject"] == "hello"
    wish = {"id": id, "recipient": "eva@mx.example", "note": "advertising"}
    assert helper.post("/requests/refuse", wish).json()["ok"] is True
    assert helper.get("/requests").json() == {"requests": []}
    assert helper.post("/requests/refuse", wish).status_code == 404
    assert "advertising" in site.get(f"/my/{id}").text
    site.state.close()


def test_a_request_is_granted(tmp_path: Path, mta: Mta) -> None:
    site, id = asked(tmp_path, mta.port)
    admin = Program(site, tokens_of(site).add("robot", "admin"))
    wish = {"id": id, "recipient": "eva@mx.example"}
    assert admin.post("/requests/release", wish).json()["ok"] is True
    assert admin.post("/requests/release", wish).status_code == 404, "nobody asks for it any more"
    site.state.close()


def test_who_may_not(tmp_path: Path) -> None:
    site, id = asked(tmp_path)
    wish = {"id": id, "recipient": "eva@mx.example"}
    other = Program(site, tokens_of(site).add("o", "reviewer", ["other.example"]))
    assert other.get("/requests").json() == {"requests": []}
    assert other.post("/requests/release", wish).status_code == 404
    auditor = Program(site, tokens_of(site).add("a", "auditor"))
    for path in ("/requests/release", "/requests/refuse"):
        assert auditor.post(path, wish).status_code == 403
    admin = Program(site, tokens_of(site).add("robot", "admin"))
    stranger = {"id": id, "recipient": "info@mx.example"}
    assert admin.post("/requests/release", stranger).status_code == 404
    site.state.close()


def test_where_users_have_no_pages(site: Site) -> None:
    admin = Program(site, tokens_of(site).add("robot", "admin"))
    assert admin.get("/requests").status_code == 404
