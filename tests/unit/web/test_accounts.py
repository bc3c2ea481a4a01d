"""Accounts and tokens, looked after in the pages by admins."""

from __future__ import annotations

import re

import pytest

from filterd.review.accounts import Accounts
from filterd.review.principals import Principal
from filterd.review.site_accounts import OWN
from filterd.web.proof import WRONG
from tests.helpers.site import PASSWORD, QUICK, Site, text_of

pytestmark = pytest.mark.slow


@pytest.fixture
def quick(site: Site) -> Site:
    """The site, with hashes that take no time; ann, an admin, is logged in."""
    site.state.accounts = Accounts(site.state.accounts.path, QUICK)
    site.log_in("ann")
    return site


def sent(site: Site, target: str, **fields: str) -> str:
    return text_of(site.post(f"/accounts/{target}", **{"password": PASSWORD, **fields}))


def account(site: Site, name: str) -> Principal:
    found = site.state.accounts.get(name)
    assert found is not None
    return found


def test_a_helpdesk_for_one_domain_logs_in_with_the_password_that_was_shown_once(
    quick: Site,
) -> None:
    told = sent(quick, "add", name="dora", role="helpdesk", limits="mx.example, ann@other.example")
    found = re.search(r"password (\S+) \(shown only this once\)", told)
    assert found
    assert (account(quick, "dora").role, account(quick, "dora").reviewer.limits) == (
        "helpdesk",
        ("@mx.example", "ann@other.example"),
    )
    assert found[1] not in quick.get("/accounts").text
    assert found[1] not in quick.get("/audit").text
    assert "account dora added: role helpdesk" in text_of(quick.get("/audit"))
    other = quick.another()
    assert quick.log_in("dora", found[1], other).status_code == 303
    own, foreign = quick.put("joe@mx.example"), quick.put("max@other.example")
    assert other.get(f"/message/{own}").status_code == 200
    assert other.get(f"/message/{foreign}").status_code == 404
    assert other.get("/accounts").status_code == 403


def test_a_token_for_a_program(quick: Site) -> None:
    told = sent(quick, "add", kind="token", name="monitor", role="auditor")
    found = re.search(r"token (filterd_\S+) ", told)
    assert found
    quick.put("joe@mx.example")
    header = {"Authorization": f"Bearer {found[1]}"}
    assert quick.another().get("/api/messages", headers=header).status_code == 200
    assert "removed" in sent(quick, "remove", kind="token", name="monitor")
    assert quick.another().get("/api/messages", headers=header).status_code == 401


def test_another_role_counts_from_the_next_request_on(quick: Site) -> None:
    bob = quick.another()
    quick.log_in("bob", browser=bob)
    assert bob.get("/").status_code == 303, "a reviewer has no dashboard"
    sent(quick, "change", name="bob", role="auditor", limits="")
    assert account(quick, "bob").reviewer.sees_all
    assert bob.get("/").status_code == 200


def test_lost_passwords_and_phones(quick: Site) -> None:
    bob = quick.another()
    quick.log_in("bob", browser=bob)
    quick.state.accounts.set_totp("cid", "A" * 32)
    told = sent(quick, "password", name="bob")
    found = re.search(r"password (\S+) \(", told)
    assert found
    assert bob.get("/quarantine").status_code == 303, "the session has ended"
    assert quick.log_in("bob", found[1], bob).status_code == 303
    assert "no code is asked for" in sent(quick, "factor", name="cid")
    assert not account(quick, "cid").totp
    assert "removed" in sent(quick, "remove", name="bob")
    assert quick.state.accounts.get("bob") is None
    assert bob.get("/quarantine").status_code == 303


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "dora", "role": "reviewer"}, "a reviewer needs a domain or a recipient"),
        ({"name": "bob", "role": "admin"}, "there is already an account 'bob'"),
        ({"name": "d d", "role": "admin"}, "is not a name"),
        ({"name": "dora", "role": "admin", "limits": "mx.example"}, "an admin sees everything"),
        ({"name": "dora", "role": "user", "limits": "mx.example"}, "a user has its own mail only"),
        ({"name": "dora", "role": "helpdesk", "limits": "a,b"}, "added"),
        ({"name": "dora", "role": "helpdesk", "limits": "mx..example"}, "expected a domain"),
        ({"name": "dora", "role": "helpdesk", "limits": "x.example " * 101}, "at most 100"),
        ({"name": "dora", "role": "emperor"}, "Expected a role"),
        ({"name": "dora", "role": "user", "kind": "token", "limits": "a@b.example"}, "no tokens"),
    ],
)
def test_what_is_not_possible_is_told(quick: Site, fields: dict[str, str], words: str) -> None:
    if words == "added":
        sent(quick, "add", **fields)
        assert account(quick, "dora").domains == ("a", "b")
        return
    before = quick.state.accounts.all()
    told = quick.post("/accounts/add", password=PASSWORD, **fields)
    assert words in text_of(told)
    assert told.status_code in (400, 422)
    assert quick.state.accounts.all() == before
    if told.status_code == 422:
        assert f'value="{fields["name"]}"' in told.text, "what was typed stands there"


@pytest.mark.parametrize("target", ["add", "change", "password", "factor", "remove"])
def test_nothing_without_the_admins_own_password(quick: Site, target: str) -> None:
    before = quick.state.accounts.all()
    for number in range(quick.state.settings.web.login_attempts):
        told = sent(quick, target, name="bob", role="admin", password=f"guess {number} of many")
        assert WRONG in told
    assert "Too many wrong passwords" in sent(quick, target, name="bob", role="admin")
    assert quick.state.accounts.all() == before


@pytest.mark.parametrize("target", ["change", "password", "factor", "remove"])
def test_nobody_locks_itself_out(quick: Site, target: str) -> None:
    before = quick.state.accounts.all()
    assert OWN in sent(quick, target, name="ann", role="auditor")
    assert quick.state.accounts.all() == before
    assert "there is no account 'eve'" in sent(quick, target, name="eve", role="auditor")


@pytest.mark.parametrize("who", ["bob", "cid"])
def test_for_admins_only(site: Site, who: str) -> None:
    site.log_in(who)
    before = site.state.accounts.all()
    assert site.get("/accounts").status_code == 403
    assert 'href="/accounts"' not in site.get("/quarantine").text
    for target in ("add", "change", "password", "factor", "remove"):
        fields = {"password": PASSWORD, "name": "cid", "role": "admin"}
        assert site.post(f"/accounts/{target}", **fields).status_code == 403
    assert site.state.accounts.all() == before
