"""One's own account, and a change of its password."""

from __future__ import annotations

import pytest

from filterd.review.accounts import Accounts
from filterd.web.pages.account import DIFFERENT, THE_SAME
from filterd.web.proof import WRONG
from tests.helpers.site import PASSWORD, QUICK, Site, text_of

pytestmark = pytest.mark.slow

NEW = "staple battery horse"


@pytest.fixture
def quick(site: Site) -> Site:
    """The site, with hashes that take no time."""
    site.state.accounts = Accounts(site.state.accounts.path, QUICK)
    site.log_in("bob")
    return site


def changed(site: Site, old: str = PASSWORD, new: str = NEW, again: str = "") -> str:
    return text_of(site.post("/account/password", password=old, new=new, again=again or new))


def test_what_it_may_see(quick: Site) -> None:
    told = text_of(quick.get("/account"))
    assert "bob Role: reviewer. You see mail to @mx.example ." in told
    assert 'href="/account"' in quick.get("/quarantine").text


def test_a_new_password_ends_all_other_sessions(quick: Site) -> None:
    other = quick.another()
    quick.log_in("bob", browser=other)
    assert other.get("/account").status_code == 200
    before = dict(quick.browser.cookies)["filterd"]
    assert "Your password is changed." in changed(quick)
    assert quick.get("/account").status_code == 200, "who changed it goes on"
    assert dict(quick.browser.cookies)["filterd"] != before
    assert other.get("/account").status_code == 303
    assert quick.log_in("bob", browser=other).status_code == 403
    assert quick.log_in("bob", NEW, other).status_code == 303


@pytest.mark.parametrize(
    ("old", "new", "again", "words"),
    [
        ("wrong horse battery", NEW, "", WRONG),
        (PASSWORD, NEW, NEW + "x", DIFFERENT),
        (PASSWORD, PASSWORD, "", THE_SAME),
        (PASSWORD, "short", "", "Not changed: the password has 5 characters; expected 10 to 1024."),
        (PASSWORD, "x" * 1025, "", "1024"),
        ("", NEW, "", WRONG),
    ],
)
def test_what_is_refused_changes_nothing(
    quick: Site, old: str, new: str, again: str, words: str
) -> None:
    assert words in changed(quick, old, new, again)
    assert quick.state.accounts.verify("bob", PASSWORD)
    assert quick.get("/account").status_code == 200


def test_a_browser_left_alone_is_no_way_to_guess(quick: Site) -> None:
    for number in range(quick.state.settings.web.login_attempts):
        assert WRONG in changed(quick, f"guess {number} of many")
    assert "Too many wrong passwords" in changed(quick)
    assert quick.state.accounts.verify("bob", PASSWORD)


def test_blanks_belong_to_a_password(quick: Site) -> None:
    spaced = " two  blanks inside "
    assert "Your password is changed." in changed(quick, new=spaced)
    assert quick.state.accounts.verify("bob", spaced)
    assert quick.log_in("bob", spaced, quick.another()).status_code == 303
    assert "Your password is changed." in changed(quick, old=spaced)
