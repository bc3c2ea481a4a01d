"""Sessions end, and logins that fail are counted."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.web.sessions import OWN_LIMIT, SESSION_LIMIT, WebSessions
from filterd.web.throttle import (
    ACCOUNT_FACTOR,
    KEY_LIMIT,
    SITE_FACTOR,
    Devices,
    LoginThrottle,
    network,
)
from tests.helpers.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> WebSessions:
    return WebSessions(idle=60, absolute=300, clock=clock)


def test_a_token_is_all_it_takes(sessions: WebSessions) -> None:
    token, session = sessions.start("ann", "hash")
    assert sessions.get(token) is session
    for wrong in ("", token[:-1], token + "x", "\udc80"):
        assert sessions.get(wrong) is None
    sessions.end(token)
    assert sessions.get(token) is None


def test_it_ends_when_it_is_not_used(sessions: WebSessions, clock: Clock) -> None:
    token, _ = sessions.start("ann", "hash")
    clock.now += 60
    assert sessions.get(token)
    clock.now += 61
    assert sessions.get(token) is None
    clock.now -= 61
    assert sessions.get(token) is None, "what has ended does not come back"


def test_it_ends_however_much_it_is_used(sessions: WebSessions, clock: Clock) -> None:
    token, _ = sessions.start("ann", "hash")
    for _minute in range(6):
        assert sessions.get(token)
        clock.now += 50
    assert sessions.get(token)
    clock.now += 1
    assert sessions.get(token) is None


def test_the_oldest_go_first(sessions: WebSessions) -> None:
    tokens = [sessions.start("ann", "hash")[0] for _ in range(OWN_LIMIT + 1)]
    assert sessions.get(tokens[0]) is None
    assert all(sessions.get(token) for token in tokens[1:])
    for number in range(SESSION_LIMIT):
        sessions.start(f"user{number}", "hash")
    assert sessions.get(tokens[-1]) is None


def test_the_token_of_a_form_is_the_sessions_own(sessions: WebSessions) -> None:
    _, one = sessions.start("ann", "hash")
    _, other = sessions.start("ann", "hash")
    assert one.may_post(one.csrf)
    for wrong in (other.csrf, "", one.csrf[1:], "ü", "\udc80".encode("utf-8", "replace").decode()):
        assert not one.may_post(wrong)


@pytest.fixture
def throttle(clock: Clock) -> LoginThrottle:
    return LoginThrottle(attempts=3, window=600, clock=clock)


def test_an_address_that_fails_has_to_wait(throttle: LoginThrottle, clock: Clock) -> None:
    for _ in range(3):
        assert throttle.attempt("192.0.2.1", "ann") == 0
    assert throttle.attempt("192.0.2.1", "ann") == 600
    assert throttle.attempt("192.0.2.1", "bob") == 0, "others behind that address are let in"
    assert throttle.attempt("192.0.2.2", "ann") == 0
    clock.now += 600
    assert throttle.attempt("192.0.2.1", "ann") == 0


def test_an_address_that_tries_many_accounts_has_to_wait(throttle: LoginThrottle) -> None:
    throttle.attempt("192.0.2.1", "ann")
    throttle.succeeded("192.0.2.1", "ann")
    for number in range(3 * SITE_FACTOR):
        assert throttle.attempt("192.0.2.1", f"guess{number}") == 0
    assert throttle.attempt("192.0.2.1", "bob") > 0
    assert throttle.attempt("192.0.2.2", "bob") == 0
    assert throttle.attempt("192.0.2.1", "ann") == 0, "who was there before is not shut out"


def test_a_browser_that_was_there_before_has_a_count_of_its_own(throttle: LoginThrottle) -> None:
    devices = Devices(b"key")
    mine = devices.known("ann", devices.new("ann"))
    for _ in range(3):
        throttle.attempt("192.0.2.1", "ann")
    for number in range(3 * ACCOUNT_FACTOR):
        throttle.attempt(f"198.51.100.{number}", "ann")
    assert throttle.attempt("192.0.2.1", "ann") > 0
    for _ in range(3):
        assert throttle.attempt("192.0.2.1", "ann", mine) == 0
    assert throttle.attempt("192.0.2.1", "ann", mine) > 0
    other = devices.known("ann", devices.new("ann"))
    assert throttle.attempt("203.0.113.9", "ann", other) == 0
    throttle.succeeded("203.0.113.9", "ann", other)


def test_nobody_makes_a_browsers_cookie() -> None:
    devices = Devices(b"key")
    cookie = devices.new("ann")
    assert devices.known("ann", cookie)
    assert Devices(b"key").known("ann", cookie), "also after a restart"
    for account, value in (
        ("bob", cookie),
        ("ann", ""),
        ("ann", "."),
        ("ann", cookie[:-1] + "x"),
        ("ann", "x" + cookie),
        ("ann", "\udc80." + "0" * 64),
        ("ann", cookie.partition(".")[0]),
    ):
        assert not devices.known(account, value), value
    assert not Devices(b"other").known("ann", cookie)


def test_a_try_that_nobody_could_judge_is_neither_a_failure_nor_a_login(
    throttle: LoginThrottle,
) -> None:
    for _ in range(10):
        assert throttle.attempt("192.0.2.1", "ann") == 0
        throttle.undecided("192.0.2.1", "ann")
    for number in range(12):  # four times as many as from one address
        assert throttle.attempt(f"198.51.100.{number}", "ann") == 0
    assert throttle.attempt("192.0.2.1", "ann") > 0, "ann was never logged in from there"


def test_success_does_not_count(throttle: LoginThrottle) -> None:
    for _ in range(10):
        assert throttle.attempt("192.0.2.1", "ann") == 0
        throttle.succeeded("192.0.2.1", "ann")


def test_an_account_that_many_attack_stays_open_to_who_was_there_before(
    throttle: LoginThrottle,
) -> None:
    assert throttle.attempt("192.0.2.1", "ann") == 0
    throttle.succeeded("192.0.2.1", "ann")
    for number in range(3 * ACCOUNT_FACTOR):
        assert throttle.attempt(f"198.51.100.{number}", "ann") == 0
    assert throttle.attempt("203.0.113.1", "ann") > 0
    assert throttle.attempt("203.0.113.1", "bob") == 0
    assert throttle.attempt("192.0.2.1", "ann") == 0


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_site_is_an_address_or_a_network(address: str, site: str) -> None:
    assert network(address) == site


@pytest.mark.slow
def test_what_is_remembered_has_a_limit(throttle: LoginThrottle) -> None:
    for number in range(KEY_LIMIT + 10):
        throttle.attempt(str(number), str(number))
        throttle.attempt(str(number), str(number), str(number))
        throttle.succeeded(str(number), str(number))
    assert all(len(counts) == KEY_LIMIT for counts in throttle._failures.values())
    assert len(throttle._known) == KEY_LIMIT


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.booleans())))
def test_no_account_is_tried_more_often_than_the_limits_say(
    tries: list[tuple[str, str, bool]],
) -> None:
    throttle = LoginThrottle(attempts=2, window=600, clock=lambda: 0.0)
    made: Counter[tuple[str, str]] = Counter()
    for address, account, right in tries:
        if throttle.attempt(address, account) == 0:
            made[address, account] += 1
            if right:
                made[address, account] -= 1
                throttle.succeeded(address, account)
    assert all(number <= 2 for number in made.values())
