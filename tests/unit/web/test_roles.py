"""Pages and REST interface for a helpdesk and an auditor."""

from __future__ import annotations

import pytest

from filterd.review.accounts import Accounts
from filterd.review.reviewer import Role
from tests.helpers.api import Program, tokens_of
from tests.helpers.site import PASSWORD, QUICK, Site, text_of

pytestmark = pytest.mark.slow

BUTTONS = (
    "Learn as spam",
    "Pin",
    "Delete",
    "Allow sender",
    "Release and learn",
    "Download the exact bytes",
)


def logged_in(site: Site, role: Role, *domains: str) -> Site:
    Accounts(site.state.accounts.path, QUICK).add("eve", PASSWORD, role, domains)
    site.log_in("eve")
    return site


def test_a_helpdesk_finds_and_releases(releasing: Site) -> None:
    desk = logged_in(releasing, "helpdesk")
    id = desk.put("joe@mx.example", subject=b"the lost invoice")
    desk.put("max@other.example")
    assert "/quarantine" in desk.get("/").headers["location"]
    found = text_of(desk.get("/search?q=lost+invoice"))
    assert "the lost invoice" in found
    page = desk.get(f"/message/{id}")
    assert "Look again" in text_of(page)
    assert not [one for one in BUTTONS if one in text_of(page)]
    assert 'name="other"' not in page.text
    told = text_of(desk.post(f"/message/{id}/release", to="joe@mx.example"))
    assert "released" in told
    assert desk.get(f"/message/{id}/raw").status_code == 403
    assert 'value="release"' in desk.get("/quarantine").text
    assert 'value="delete"' not in desk.get("/quarantine").text


def test_a_helpdesk_of_one_domain(site: Site) -> None:
    desk = logged_in(site, "helpdesk", "mx.example")
    own, other = desk.put("joe@mx.example"), desk.put("max@other.example")
    assert desk.get(f"/message/{own}").status_code == 200
    assert 'name="other"' in desk.get(f"/message/{own}").text
    assert desk.get(f"/message/{other}").status_code == 404


def test_an_auditor_looks_at_everything_and_changes_nothing(site: Site) -> None:
    auditor = logged_in(site, "auditor")
    id = auditor.put("max@other.example")
    for path in ("/", "/quarantine", "/history", "/audit", "/senders", f"/message/{id}"):
        assert auditor.get(path).status_code == 200
    nav = auditor.get("/").text
    assert 'href="/dmarc"' in nav
    assert 'href="/trace"' not in nav
    page = auditor.get(f"/message/{id}")
    assert not [one for one in BUTTONS if one in text_of(page)]
    assert "Not possible: the role auditor may not do that" in text_of(page)
    senders = auditor.get("/senders")
    assert "You cannot change the list." in text_of(senders)
    assert not [one for one in ("add", "remove") if f'action="/senders/{one}"' in senders.text]
    listed = auditor.get("/quarantine").text
    assert not [one for one in ("release", "delete", "spam") if f'value="{one}"' in listed]
    before = auditor.events()
    for path, fields in (
        (f"/message/{id}/release", {"to": "max@other.example"}),
        (f"/message/{id}/do", {"do": "pin"}),
        ("/quarantine/do", {"do": "delete", "id": id}),
        ("/senders/add", {"kind": "block", "sender": "a.example"}),
        ("/senders/remove", {"kind": "block", "sender": "a.example", "recipient": "*"}),
    ):
        assert "the role auditor may not do that" in text_of(auditor.post(path, **fields))
    assert auditor.events() == before
    assert auditor.get("/trace").status_code == 403


def test_tokens_have_roles(site: Site) -> None:
    desk = Program(site, tokens_of(site).add("desk", "helpdesk", ["mx.example"]))
    auditor = Program(site, tokens_of(site).add("grafana", "auditor"))
    id = site.put("joe@mx.example")
    assert auditor.get("/stats").status_code == 200
    assert desk.get("/stats").status_code == 403
    for program in (desk, auditor):
        assert program.get(f"/messages/{id}").status_code == 200
        assert program.get(f"/messages/{id}/raw").status_code == 403
        (result,) = program.post("/messages/delete", {"ids": [id]}).json()["results"]
        assert (result["ok"], "may not do that" in result["words"]) == (False, True)
        wish = {"kind": "block", "sender": "a.example", "recipient": "joe@mx.example"}
        assert program.post("/senders/add", wish).status_code == 403
    assert auditor.get("/messages/" + id).json()["recipients"] == ["joe@mx.example"]
