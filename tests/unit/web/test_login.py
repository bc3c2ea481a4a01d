"""Who gets in, for how long, and what every answer carries."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.doctor.web import proxies
from filterd.review.accounts import Accounts
from filterd.web import pages
from filterd.web.sessions import WebSessions
from tests.helpers.clock import Clock
from tests.helpers.site import FORMS, PAGES, PASSWORD, QUICK, Site, text_of, token_in

pytestmark = pytest.mark.slow


def test_in_with_the_right_password(site: Site) -> None:
    answer = site.log_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert site.get("/quarantine").status_code == 200


@pytest.mark.parametrize(
    ("name", "password"), [("ann", "wrong"), ("nobody", PASSWORD), ("", ""), ("ann\0", PASSWORD)]
)
def test_out_with_a_wrong_one_and_nothing_told(site: Site, name: str, password: str) -> None:
    answer = site.log_in(name, password)
    assert answer.status_code == 403
    assert "Name or password is wrong." in text_of(answer)
    assert "filterd" not in answer.cookies
    assert site.get("/quarantine").status_code == 303


@pytest.mark.parametrize("path", PAGES)
def test_no_page_without_a_login(site: Site, path: str) -> None:
    answer = site.get(path.format(id=site.put()))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
    assert "hello" not in answer.text


@pytest.mark.parametrize("path", FORMS)
def test_no_form_without_a_login(site: Site, path: str) -> None:
    id = site.put()
    answer = site.browser.post(path.format(id=id), data={"csrf": "x", "do": "delete", "id": id})
    assert answer.status_code == 403
    assert site.events() == []


def test_no_login_that_another_site_sends(site: Site) -> None:
    data = {"csrf": token_in(site.get("/login")), "name": "ann", "password": PASSWORD}
    answer = site.browser.post("/login", data=data, headers={"Sec-Fetch-Site": "same-site"})
    assert answer.status_code == 403
    assert site.get("/quarantine").status_code == 303


@pytest.mark.parametrize("token", [None, "", "x" * 43])
@pytest.mark.parametrize("path", FORMS)
def test_no_form_without_its_token(site: Site, path: str, token: str | None) -> None:
    site.log_in()
    id = site.put()
    data = {"do": "delete", "id": id, "to": "joe@mx.example"}
    if token is not None:
        data["csrf"] = token
    answer = site.browser.post(path.format(id=id), data=data)
    assert answer.status_code == 403
    assert site.events() == []
    assert site.get("/quarantine").status_code == 200, "and nobody is logged out by it"


def test_the_token_of_another_session_does_not_fit(site: Site) -> None:
    site.log_in()
    other = site.another()
    site.log_in("bob", browser=other)
    token = token_in(other.get("/quarantine"))
    id = site.put()
    answer = site.browser.post("/quarantine/do", data={"csrf": token, "do": "pin", "id": id})
    assert answer.status_code == 403
    assert site.events() == []


def test_a_form_that_another_site_sends_is_refused(site: Site) -> None:
    site.log_in()
    token, id = token_in(site.get("/scan")), site.put()
    answer = site.browser.post(
        "/quarantine/do",
        data={"csrf": token, "do": "pin", "id": id},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403
    assert site.events() == []


def test_every_form_is_known_to_these_tests(site: Site) -> None:
    """A new page with a POST fails here until it stands in FORMS."""
    assert {path for method, path in _routes(pages.router()) if method == "POST"} == {
        *FORMS,
        "/login",
        "/login/code",
        "/held/{token}",
        "/my/open/{token}",
        "/language",
        "/look",
    }  # (a signed address proves the right to two of these; the last two change a cookie only)
    documented = site.app.openapi()["paths"]
    api = {path for path in documented if path.startswith("/api/")}
    assert set(documented) - api == {"/healthz", "/readyz"}, "pages are no part of the API"


def _routes(route: object) -> list[tuple[str, str]]:
    """Method and path of a route, or of all of a router."""
    inner = getattr(route, "original_router", route)
    if hasattr(inner, "routes"):
        return [one for child in inner.routes for one in _routes(child)]
    path = getattr(route, "path", "")
    return [(method, path) for method in getattr(route, "methods", None) or ()]


def test_the_login_form_needs_the_browser_that_got_it(site: Site) -> None:
    token = token_in(site.get("/login"))
    other = site.another()
    data = {"csrf": token, "name": "ann", "password": PASSWORD}
    answer = other.post("/login", data=data)
    assert answer.status_code == 403
    assert "Try again" in text_of(answer)


def test_the_cookie_on_loopback(site: Site) -> None:
    cookie = site.log_in().headers["set-cookie"]
    assert cookie.startswith("filterd=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie


def test_the_cookie_behind_tls(tmp_path: Path) -> None:
    site = Site(tmp_path, web='url = "https://mail.example"', base="https://mail.example")
    cookie = site.log_in().headers["set-cookie"]
    assert cookie.startswith("__Host-filterd=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    assert site.get("/quarantine").status_code == 200


def test_no_login_over_plain_http_that_others_can_hear(tmp_path: Path) -> None:
    web = 'listen = "192.0.2.1"\nexpose = true'
    site = Site(tmp_path, web=web, base="http://192.0.2.1")
    answer = site.log_in()
    assert answer.status_code == 403
    assert "needs HTTPS" in text_of(answer)


def test_too_many_failures_have_to_wait(site: Site) -> None:
    for _ in range(5):
        assert site.log_in(password="wrong").status_code == 403
    answer = site.log_in()
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 15 * 60
    assert "Try again in 15 minutes" in text_of(answer)
    elsewhere = site.another("192.0.2.9")
    assert site.log_in(browser=elsewhere).status_code == 303
    neighbour = site.another()
    assert site.log_in("bob", browser=neighbour).status_code == 303, "nobody else is locked out"


def test_a_browser_that_was_logged_in_before_is_not_locked_out_by_others(site: Site) -> None:
    assert site.log_in().status_code == 303
    cookie = next(c for c in site.browser.cookies.jar if c.name == "filterd-device")
    assert cookie.expires
    assert {"HttpOnly", "SameSite"} & set(cookie._rest)  # type: ignore[attr-defined]
    stranger = site.another()
    for _ in range(5):
        site.log_in(password="wrong", browser=stranger)
    assert site.log_in(browser=stranger).status_code == 429
    site.post("/logout")
    assert site.log_in().status_code == 303
    # The cookie proves nothing else: without a password nobody gets in.
    site.post("/logout")
    assert site.log_in(password="wrong").status_code == 403


def test_a_proxy_that_is_not_trusted_is_told_of(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        site.browser.get("/login", headers={"X-Forwarded-For": "198.51.100.7"})
    said = [line for line in caplog.messages if "X-Forwarded-For" in line]
    assert len(said) == 1
    assert "127.0.0.1, which is not in web.trusted_proxies" in said[0]
    (told,) = [one for one in proxies(site.state.settings) if "X-Forwarded-For" in one.found]
    assert told.level == "WARN"
    assert 'web.trusted_proxies = ["127.0.0.1/32"]' in told.advice


def test_a_proxy_that_is_trusted_is_no_trouble(tmp_path: Path) -> None:
    site = Site(tmp_path, web='trusted_proxies = ["127.0.0.0/8"]\nurl = "https://mail.example"')
    site.browser.get("/login", headers={"X-Forwarded-For": "198.51.100.7"})
    assert list(proxies(site.state.settings)) == []


def test_a_url_with_tls_and_no_proxy_is_told_of(tmp_path: Path) -> None:
    site = Site(tmp_path, web='url = "https://mail.example"')
    (told,) = proxies(site.state.settings)
    assert (told.level, "web.trusted_proxies is empty" in told.found) == ("WARN", True)


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/quarantine?text=a", "/quarantine?text=a"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
    ],
)
def test_the_login_leads_back_but_nowhere_else(site: Site, wanted: str, got: str) -> None:
    form = site.browser.get("/login", params={"next": wanted})
    data = {"csrf": token_in(form), "name": "ann", "password": PASSWORD, "next": wanted}
    assert site.browser.post("/login", data=data).headers["location"] == got


def test_a_login_gives_a_new_session(site: Site) -> None:
    site.log_in()
    first = site.browser.cookies["filterd"]
    site.browser.cookies.delete("filterd")
    site.browser.cookies.set("filterd", "chosen-by-somebody-else", domain="127.0.0.1")
    site.log_in()
    assert site.browser.cookies.get("filterd", domain="127.0.0.1", path="/") not in (
        first,
        "chosen-by-somebody-else",
    )


def test_out_is_out(site: Site) -> None:
    site.log_in()
    token = site.browser.cookies["filterd"]
    assert "Password" in text_of(site.post("/logout"))
    site.browser.cookies.set("filterd", token, domain="127.0.0.1", path="/")
    assert site.get("/quarantine").status_code == 303


def test_a_session_that_is_not_used_ends(site: Site) -> None:
    clock = Clock()
    site.state.sessions = WebSessions(1800, 12 * 3600, clock)
    site.log_in()
    token = token_in(site.get("/quarantine"))
    clock.now += 1801
    id = site.put()
    answer = site.browser.post("/quarantine/do", data={"csrf": token, "do": "pin", "id": id})
    assert answer.status_code == 403
    assert "session has ended" in text_of(answer)
    assert site.events() == []
    assert site.get("/quarantine").headers["location"] == "/login?next=%2Fquarantine"


@pytest.mark.parametrize("change", ["password", "remove"])
def test_who_loses_the_account_loses_the_session(site: Site, change: str) -> None:
    site.log_in("bob")
    assert site.get("/quarantine").status_code == 200
    accounts = Accounts(site.state.accounts.path, QUICK)
    if change == "password":
        accounts.set_password("bob", "another password")
    else:
        accounts.remove("bob")
    assert site.get("/quarantine").status_code == 303


def test_limits_that_change_count_at_once(site: Site) -> None:
    site.put("joe@mx.example", subject=b"first subject")
    site.log_in("bob")
    assert "first subject" in site.get("/quarantine").text
    path = site.state.accounts.path
    path.write_text(path.read_text().replace('"mx.example"', '"other.example"'))
    assert "first subject" not in site.get("/quarantine").text
