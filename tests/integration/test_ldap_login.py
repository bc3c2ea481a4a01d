"""People log in with their password in a real directory, OpenLDAP, with roles by group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.config.ldap import LdapRoleSettings, LdapSettings
from filterd.review.ldap_login import LdapLogin
from filterd.review.outside_login import LoginUnavailableError
from tests.helpers.certificates import server_context
from tests.helpers.process import folder, free_port
from tests.helpers.servers.slapd import (
    ADMIN_DN,
    ADMIN_PASSWORD,
    BASE,
    GROUPS,
    PASSWORD,
    PEOPLE,
    Slapd,
)
from tests.helpers.site import Site, text_of

PEOPLE_OF = {
    "ida": ["ida@mx.example"],
    "dora": ["dora@mx.example"],
    "joe": ["joe@mx.example", "info@mx.example"],
    "nobody": [],
}
GROUPS_OF = {"postmasters": ["ida"], "helpdesk": ["dora", "ida"], "others": ["joe"]}

ROLES = (
    LdapRoleSettings(f"CN=postmasters, {GROUPS}", "admin"),
    LdapRoleSettings(f"cn=helpdesk,{GROUPS}", "helpdesk", ("mx.example",)),
)


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with folder("slapd") as path:
        server_context(path)
        server = Slapd(path, PEOPLE_OF, GROUPS_OF)
        server.start()
        secret = path / "reader"
        secret.touch(0o600)
        secret.write_text(ADMIN_PASSWORD + "\n")
        yield server
        server.stop()


def settings(slapd: Slapd) -> LdapSettings:
    return LdapSettings(
        url=f"ldaps://localhost:{slapd.tls_port}",
        ca=slapd.folder / "certificate.pem",
        bind_dn=ADMIN_DN,
        password_file=slapd.folder / "reader",
        base=PEOPLE,
        roles=ROLES,
        others="user",
    )


def test_the_role_is_that_of_the_first_group(slapd: Slapd) -> None:
    login = LdapLogin(settings(slapd), users=True)
    ida, dora, joe = (login.verify(name, PASSWORD) for name in ("ida", "DORA", "joe"))
    assert ida is not None
    assert (ida.name, ida.role, ida.domains) == ("ida", "admin", ())
    assert dora is not None
    assert (dora.name, dora.role, dora.domains) == ("dora", "helpdesk", ("mx.example",))
    assert joe is not None
    assert (joe.role, joe.recipients) == ("user", ("joe@mx.example", "info@mx.example"))
    assert login.verify("nobody", PASSWORD) is None, "a user without an address has no mail"


def test_groups_that_name_their_members(slapd: Slapd) -> None:
    login = LdapLogin(replace(settings(slapd), groups="", group_base=GROUPS), users=True)
    ida, dora, joe = (login.verify(name, PASSWORD) for name in ("ida", "dora", "joe"))
    assert [one and one.role for one in (ida, dora, joe)] == ["admin", "helpdesk", "user"]


def test_who_has_no_role_stays_out(slapd: Slapd) -> None:
    assert (
        LdapLogin(replace(settings(slapd), others=""), users=True).verify("joe", PASSWORD) is None
    )
    assert LdapLogin(settings(slapd), users=False).verify("joe", PASSWORD) is None


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", "x\0", "s" * 5000, "\ud800"])
def test_wrong_passwords(slapd: Slapd, password: str) -> None:
    assert LdapLogin(settings(slapd), users=True).verify("ida", password) is None


@pytest.mark.parametrize(
    "name",
    ["", "*", "i*", "ida)(uid=*", "ida\\2a", "uid=ida", "ida ", "\u0456da", "nowhere", "a" * 65],
)
def test_no_name_finds_another_person(slapd: Slapd, name: str) -> None:
    assert LdapLogin(settings(slapd), users=True).verify(name, PASSWORD) is None


def test_more_than_one_entry_is_nobody(slapd: Slapd) -> None:
    both = replace(settings(slapd), filter="(|(uid={name})(uid=dora))")
    assert LdapLogin(both, users=True).verify("ida", PASSWORD) is None


def test_starttls(slapd: Slapd) -> None:
    own = replace(settings(slapd), url=f"ldap://localhost:{slapd.port}")
    before = slapd.log.count("STARTTLS")
    assert LdapLogin(own, users=True).verify("ida", PASSWORD) is not None
    assert slapd.log.count("STARTTLS") >= before + 2, "the search and the person's bind"


@pytest.mark.parametrize("tls", ["ldaps", "starttls"])
def test_no_password_without_a_proven_certificate(slapd: Slapd, tls: str) -> None:
    port = slapd.tls_port if tls == "ldaps" else slapd.port
    scheme = "ldaps" if tls == "ldaps" else "ldap"
    before = slapd.log.count("BIND dn=")
    for host, ca, words in (
        ("localhost", None, "self-signed certificate"),
        ("127.0.0.2", slapd.folder / "certificate.pem", "127.0.0.2"),
    ):
        strange = replace(settings(slapd), url=f"{scheme}://{host}:{port}", ca=ca)
        with pytest.raises(LoginUnavailableError, match=words):
            LdapLogin(strange, users=True).verify("ida", PASSWORD)
    assert slapd.log.count("BIND dn=") == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base": f"ou=nowhere,{BASE}"}, "noSuchObject"),
        ({"bind_dn": f"cn=stranger,{BASE}"}, "the password of bind_dn is wrong"),
        ({"filter": "(uid={name}"}, "filter"),
    ],
)
def test_what_only_an_admin_can_mend(slapd: Slapd, changes: dict[str, str], words: str) -> None:
    own = settings(slapd)
    for name, value in changes.items():
        object.__setattr__(own, name, value)
    with pytest.raises(LoginUnavailableError, match=words):
        LdapLogin(own, users=True).verify("ida", PASSWORD)


def test_the_readers_password_must_be_private(slapd: Slapd) -> None:
    path = slapd.folder / "open"
    path.touch(0o644)
    path.write_text(ADMIN_PASSWORD)
    with pytest.raises(LoginUnavailableError, match="expected mode 0600"):
        LdapLogin(replace(settings(slapd), password_file=path), users=True).verify("ida", PASSWORD)


def test_a_server_that_is_away_is_told(slapd: Slapd) -> None:
    away = replace(settings(slapd), url=f"ldaps://localhost:{free_port()}")
    with pytest.raises(LoginUnavailableError, match="LDAP server localhost"):
        LdapLogin(away, users=True).verify("ida", PASSWORD)


def toml(slapd: Slapd) -> str:
    return f"""
[users]
enabled = true
[ldap]
url = "ldaps://localhost:{slapd.tls_port}"
ca = "{slapd.folder}/certificate.pem"
bind_dn = "{ADMIN_DN}"
password_file = "{slapd.folder}/reader"
base = "{PEOPLE}"
others = "user"
[[ldap.roles]]
group = "cn=postmasters,{GROUPS}"
role = "admin"
[[ldap.roles]]
group = "cn=helpdesk,{GROUPS}"
role = "helpdesk"
domains = ["mx.example"]
"""


def test_the_pages(slapd: Slapd, tmp_path: Path) -> None:
    site = Site(tmp_path, web=f"login_attempts = 3\n{toml(slapd)}")
    own, foreign = site.put("joe@mx.example"), site.put("max@other.example")
    assert site.log_in("dora", "wrong").status_code == 403
    assert site.log_in("dora", PASSWORD).status_code == 303
    assert site.get(f"/message/{own}").status_code == 200
    assert site.get(f"/message/{foreign}").status_code == 404
    assert site.get("/accounts").status_code == 403
    assert 'href="/account"' not in site.get("/quarantine").text, "it has no account here"
    assert site.get("/account").status_code == 404

    ida = site.browser = site.another("192.0.2.1")
    assert site.log_in("ida", PASSWORD, ida).status_code == 303
    assert site.get("/").status_code == 200
    # An admin of the directory proves itself by the directory's password.
    told = text_of(site.post("/accounts/add", name="new", role="helpdesk", password="wrong"))
    assert "The present password is wrong." in told
    told = text_of(site.post("/accounts/add", name="new", role="helpdesk", password=PASSWORD))
    assert "password " in told
    assert site.state.accounts.get("new") is not None

    joe = site.browser = site.another("192.0.2.2")
    site.home = "/my"
    assert site.log_in("joe", PASSWORD, joe).status_code == 303
    assert "hello" in text_of(site.get("/my"))
    # filterd's own accounts go first, in any spelling.
    for name in ("ann", "ANN"):
        assert site.log_in(name, PASSWORD, site.another("192.0.2.3")).status_code == 403
    site.state.close()


def test_while_the_server_is_away_accounts_of_filterd_work(slapd: Slapd, tmp_path: Path) -> None:
    site = Site(tmp_path, web=toml(slapd).replace(str(slapd.tls_port), str(free_port())))
    assert site.log_in("ida", PASSWORD).status_code == 503
    assert site.log_in("ann").status_code == 303
    site.state.close()
