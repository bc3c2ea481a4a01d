"""Logging in with a code of an authenticator app (TOTP)."""

from __future__ import annotations

import re

import pyotp
import pytest
from httpx import Response

from filterd.review.accounts import Accounts
from filterd.web.pages.account import OFF, ON, WRONG_CODE
from filterd.web.pages.login import TOO_OLD
from filterd.web.pages.login import WRONG_CODE as WRONG_AT_LOGIN
from tests.helpers.site import PASSWORD, QUICK, Site, text_of, token_in

pytestmark = pytest.mark.slow

NOW = 1_800_000_000.0


class Clock:
    """The time, as pages see it."""

    now = NOW

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in ("login", "account"):
        monkeypatch.setattr(f"filterd.web.pages.{module}.time", clock)
    return clock


@pytest.fixture
def bob(site: Site, clock: Clock) -> Site:
    """bob, logged in, with a second factor; its secret is `secret_of`."""
    site.state.accounts = Accounts(site.state.accounts.path, QUICK)
    site.log_in("bob")
    page = site.post("/account/factor", password=PASSWORD)
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
    assert found
    assert page.text.count("<svg") == 1
    told = site.post("/account/factor/on", code=code(found[1].replace(" ", ""), clock.now))
    assert ON in text_of(told)
    clock.now += 60
    return site


def secret_of(site: Site) -> str:
    account = site.state.accounts.get("bob")
    assert account
    return account.totp


def code(secret: str, now: float) -> str:
    return pyotp.TOTP(secret).at(int(now))


def enter(site: Site, form: Response, typed: str, browser: object = None) -> Response:
    """Fill in the form with the code."""
    half = re.search(r'name="half" value="([^"]+)"', form.text)
    assert half
    fields = {"csrf": token_in(form), "half": half[1], "code": typed}
    return (browser or site.browser).post("/login/code", data=fields)  # type: ignore[attr-defined, no-any-return]


def test_a_login_needs_the_code(bob: Site, clock: Clock) -> None:
    assert "A code of your authenticator app" in text_of(bob.get("/account"))
    other = bob.another()
    form = bob.log_in("bob", browser=other)
    assert form.status_code == 200
    assert other.get("/quarantine").status_code == 303, "the password alone does not log in"
    assert enter(bob, form, "000 000", other).status_code == 403
    answer = enter(bob, form, code(secret_of(bob), clock.now), other)
    assert answer.status_code == 303
    assert other.get("/quarantine").status_code == 200


@pytest.mark.parametrize("seconds", [-30, 0, 30])
def test_a_clock_may_differ_by_a_step(bob: Site, clock: Clock, seconds: int) -> None:
    clock.now += 300
    form = bob.log_in("bob", browser=(other := bob.another()))
    assert enter(bob, form, code(secret_of(bob), clock.now + seconds), other).status_code == 303


@pytest.mark.parametrize("seconds", [-90, 90])
def test_a_code_of_another_time(bob: Site, clock: Clock, seconds: int) -> None:
    clock.now += 300
    form = bob.log_in("bob", browser=(other := bob.another()))
    answer = enter(bob, form, code(secret_of(bob), clock.now + seconds), other)
    assert WRONG_AT_LOGIN in text_of(answer)


def test_no_code_counts_twice(bob: Site, clock: Clock) -> None:
    typed = code(secret_of(bob), clock.now)
    first, second = bob.another(), bob.another()
    assert enter(bob, bob.log_in("bob", browser=first), typed, first).status_code == 303
    form = bob.log_in("bob", browser=second)
    assert enter(bob, form, typed, second).status_code == 403
    # Nor does an older one that nobody has used.
    clock.now += 30
    assert enter(bob, form, code(secret_of(bob), clock.now - 60), second).status_code == 403
    assert enter(bob, form, code(secret_of(bob), clock.now), second).status_code == 303


def test_codes_cannot_be_guessed(bob: Site, clock: Clock) -> None:
    other = bob.another("192.0.2.9")
    form = bob.log_in("bob", browser=other)
    for _ in range(bob.state.settings.web.login_attempts):
        assert enter(bob, form, "123456", other).status_code == 403
    answer = enter(bob, form, code(secret_of(bob), clock.now), other)
    assert answer.status_code == 429
    assert enter(bob, form, code(secret_of(bob), clock.now), other).status_code == 403
    assert other.get("/quarantine").status_code == 303


def test_what_a_form_cannot_be(bob: Site, clock: Clock) -> None:
    typed = code(secret_of(bob), clock.now)
    other = bob.another()
    form = bob.log_in("bob", browser=other)
    for fields in ({"half": "x"}, {"csrf": "x"}, {"half": ""}):
        whole = {"csrf": token_in(form), "half": "", "code": typed, **fields}
        answer = other.post("/login/code", data=whole)
        assert (answer.status_code, TOO_OLD in text_of(answer)) == (403, True)
    # Another browser has another cookie.
    assert enter(bob, form, typed, bob.another()).status_code == 403
    # The password was changed meanwhile.
    bob.state.accounts.set_password("bob", "another long password")
    assert TOO_OLD in text_of(enter(bob, form, typed, other))


def test_switching_it_on_ends_other_sessions_and_off_needs_the_password(
    site: Site, clock: Clock
) -> None:
    site.state.accounts = Accounts(site.state.accounts.path, QUICK)
    site.log_in("bob")
    other = site.another()
    site.log_in("bob", browser=other)
    page = site.post("/account/factor", password=PASSWORD)
    assert WRONG_CODE in text_of(site.post("/account/factor/on", code="000000"))
    assert secret_of(site) == ""
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
    assert found
    site.post("/account/factor/on", code=code(found[1].replace(" ", ""), clock.now))
    assert secret_of(site)
    assert other.get("/quarantine").status_code == 303
    assert site.get("/quarantine").status_code == 200
    assert "wrong" in text_of(site.post("/account/factor/off", password="not it at all"))
    assert secret_of(site)
    assert OFF in text_of(site.post("/account/factor/off", password=PASSWORD))
    assert site.log_in("bob", browser=other).status_code == 303


def test_a_secret_that_was_never_shown(site: Site) -> None:
    site.log_in("bob")
    told = text_of(site.post("/account/factor/on", code="000000"))
    assert "no secret was shown" in told


def test_the_file_keeps_it_and_lists_do_not_show_it(bob: Site) -> None:
    secret = secret_of(bob)
    again = Accounts(bob.state.accounts.path, QUICK).get("bob")
    assert again
    assert again.totp == secret
    assert secret not in str(again.described())
