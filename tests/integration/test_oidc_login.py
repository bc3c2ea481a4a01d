"""People log in at a real OpenID Provider (oidc-provider for Node.js), with roles by group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx import Response

from tests.helpers.process import folder, free_port
from tests.helpers.servers.oidc import CLIENT, OidcServer
from tests.helpers.site import Site, text_of

BASE = "https://filter.mx.example"
CALLBACK = f"{BASE}/login/oidc/callback"


def who(name: str, *groups: str, verified: bool = True) -> dict[str, object]:
    return {
        "preferred_username": name,
        "email": f"{name}@mx.example",
        "email_verified": verified,
        "groups": list(groups),
    }


PEOPLE = {
    "i1": who("Ida", "staff", "postmasters"),
    "d1": who("dora", "helpdesk"),
    "j1": who("joe"),
    "m1": who("max", verified=False),
    "a1": who("ann", "postmasters"),
    "n1": {"email": "n@mx.example", "email_verified": True, "groups": ["helpdesk"]},
}


@pytest.fixture(scope="module")
def server() -> Iterator[OidcServer]:
    with folder("oidc") as path:
        found = OidcServer(path, PEOPLE, CALLBACK)
        found.start()
        yield found
        found.stop()


def toml(server: OidcServer, more: str = "") -> str:
    return f"""
url = "{BASE}"
[users]
enabled = true
[oidc]
issuer = "{server.issuer}"
ca = "{server.ca}"
client_id = "{CLIENT}"
secret_file = "{server.secret}"
scopes = ["email", "profile", "groups"]
others = "user"
{more}
[[oidc.roles]]
group = "postmasters"
role = "admin"
[[oidc.roles]]
group = "helpdesk"
role = "helpdesk"
domains = ["mx.example"]
"""


@pytest.fixture
def site(server: OidcServer, tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path, web=toml(server), base=BASE)
    yield found
    found.state.close()


def come_back(site: Site, server: OidcServer, name: str, query: str = "") -> Response:
    """Go to the provider, log in there, and be back."""
    sent = site.get(f"/login/oidc{query}")
    assert sent.status_code == 303
    with server.browser() as browser:
        target = server.logged_in(browser, sent.headers["location"], name)
    return site.get(target.removeprefix(BASE))


def test_roles_by_group(site: Site, server: OidcServer) -> None:
    own, foreign = site.put("joe@mx.example"), site.put("max@other.example")
    assert "single sign-on" in text_of(site.get("/login"))
    answer = come_back(site, server, "i1", "?next=/accounts")
    assert answer.status_code == 200
    assert 'content="0; url=/accounts"' in answer.text
    page = site.get("/accounts")
    assert page.status_code == 200
    assert "ida" in text_of(page)
    assert 'href="/account"' not in page.text, "it has no account here"

    site.browser = site.another()
    assert come_back(site, server, "d1").status_code == 200
    assert site.get(f"/message/{own}").status_code == 200
    assert site.get(f"/message/{foreign}").status_code == 404
    assert site.get("/accounts").status_code == 403

    site.browser = site.another()
    assert come_back(site, server, "j1").status_code == 200
    assert "hello" in text_of(site.get("/my"))
    # Audit and journal know who that was.
    site.browser = site.another()


def test_the_session_cookie_is_strict_and_that_of_the_login_is_gone(
    site: Site, server: OidcServer
) -> None:
    answer = come_back(site, server, "j1")
    cookies = answer.headers.get_list("set-cookie")
    session = next(one for one in cookies if one.startswith("__Host-filterd="))
    assert "SameSite=strict" in session
    assert "HttpOnly" in session
    assert "Secure" in session
    assert not [name for name in site.browser.cookies if name.endswith("-oidc")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("m1", "may not log in"),  # nobody has verified the address
        ("a1", "may not log in"),  # the name of an account of filterd's own
        ("n1", "may not log in"),  # no name
    ],
)
def test_who_stays_out(site: Site, server: OidcServer, name: str, words: str) -> None:
    answer = come_back(site, server, name)
    assert answer.status_code == 403
    assert words in text_of(answer)
    assert site.get("/my").status_code == 303


def test_a_change_of_accounts_needs_the_password_at_the_provider(
    site: Site, server: OidcServer
) -> None:
    """Who sits down at a browser that is logged in has no password to type here."""
    sent = site.get("/login/oidc")
    browser = server.browser()
    site.get(server.logged_in(browser, sent.headers["location"], "i1").removeprefix(BASE))
    site.home = "/accounts"
    session = next(iter(site.state.sessions._known.values()))
    session.is_fresh = False  # an hour later
    refused = site.post("/accounts/add", name="new", role="helpdesk", kind="account")
    assert refused.status_code == 403
    assert "Log in again" in text_of(refused)
    assert site.state.accounts.get("new") is None
    again = site.get("/login/oidc?again=yes&next=/accounts").headers["location"]
    assert parse_qs(urlsplit(again).query)["prompt"] == ["login"]
    # The provider knows this browser, and asks for the password all the same.
    asked = browser.get(again, follow_redirects=True)
    assert 'name="password"' in asked.text
    site.get(server.logged_in(browser, again, "i1").removeprefix(BASE))
    browser.close()
    page = site.get("/accounts")
    assert "Your own password" not in text_of(page)
    done = site.post("/accounts/add", name="new", role="helpdesk", kind="account")
    assert "password " in text_of(done)
    assert site.state.accounts.get("new") is not None


def test_a_code_is_good_for_the_browser_that_went_and_for_once(
    site: Site, server: OidcServer
) -> None:
    sent = site.get("/login/oidc")
    with server.browser() as browser:
        target = server.logged_in(browser, sent.headers["location"], "i1").removeprefix(BASE)
    stranger = site.another()
    assert stranger.get(target).status_code == 403
    assert stranger.get("/").status_code == 303
    assert site.get(target).status_code == 200
    assert site.get(target).status_code == 403, "the browser has no such login any more"


def test_a_public_client_by_pkce_alone(server: OidcServer, tmp_path: Path) -> None:
    text = toml(server).replace(f'"{CLIENT}"', '"public"').replace("secret_file", "#secret_file")
    site = Site(tmp_path, web=text, base=BASE)
    assert come_back(site, server, "j1").status_code == 200
    site.state.close()


def test_a_wrong_secret_is_told_to_the_log_and_counts_for_nobody(
    server: OidcServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("wrong\n")
    text = toml(server).replace(str(server.secret), str(secret))
    site = Site(tmp_path, web=f"login_attempts = 1\n{text}", base=BASE)
    for _ in range(2):
        answer = come_back(site, server, "j1")
        assert answer.status_code == 503
        assert "not possible now" in text_of(answer)
    assert "invalid_client" in caplog.text
    site.state.close()


def test_while_the_provider_is_away_accounts_of_filterd_work(
    server: OidcServer, tmp_path: Path
) -> None:
    text = toml(server).replace(server.issuer, f"https://localhost:{free_port()}")
    site = Site(tmp_path, web=text, base=BASE)
    assert site.get("/login/oidc").status_code == 503
    assert site.log_in("ann").status_code == 303
    site.state.close()


def test_no_secret_without_a_proven_certificate(
    server: OidcServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(tmp_path, web=toml(server).replace("ca =", "#ca ="), base=BASE)
    assert site.get("/login/oidc").status_code == 503
    assert "self-signed certificate" in caplog.text
    site.state.close()
