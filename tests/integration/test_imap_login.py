"""Users log in with the password of their mailbox at a real Dovecot, over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.config.users import UserSettings
from filterd.review.imap_login import ImapLogin
from filterd.review.outside_login import LoginUnavailableError
from tests.helpers.certificates import server_context
from tests.helpers.process import folder, free_port
from tests.helpers.servers.dovecot import PASSWORD, Dovecot
from tests.helpers.site import Site, text_of

JOE = "joe@mx.example"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with folder("dovecot-login") as path:
        _, public = server_context(path)
        server = Dovecot(path, certificate=(public, path / "key.pem"))
        server.start()
        yield server
        server.stop()


def users(dovecot: Dovecot) -> UserSettings:
    return UserSettings(
        enabled=True,
        imap_host="localhost",
        imap_port=dovecot.tls_port,
        imap_ca=dovecot.folder / "certificate.pem",
        imap_domains=("mx.example", "other.example"),
    )


def test_the_right_password_and_wrong_ones(dovecot: Dovecot) -> None:
    login = ImapLogin(users(dovecot))
    person = login.verify(JOE, PASSWORD)
    assert person is not None
    assert (person.name, person.role, person.recipients) == (JOE, "user", (JOE,))
    for name in ("joe", "JOE@MX.example", " joe"):
        found = login.verify(name.strip(), PASSWORD)
        assert found is not None
        assert found.recipients == (JOE,)
    for password in ("", "wrong", "secret\0", "secret\r\nA1 NOOP", "s" * 5000, "gr\xfc\xdfe\ud800"):
        assert login.verify(JOE, password) is None


@pytest.mark.parametrize(
    "name", ["joe*master", "joe+x@mx.example", "joe@strange.example", '"joe"@mx.example', "", "@"]
)
def test_names_with_a_meaning_of_their_own_are_not_asked_about(dovecot: Dovecot, name: str) -> None:
    before = dovecot.log
    assert ImapLogin(users(dovecot)).verify(name, PASSWORD) is None
    assert dovecot.log == before


def test_starttls(dovecot: Dovecot) -> None:
    own = replace(users(dovecot), imap_port=dovecot.port, imap_tls="starttls")
    assert ImapLogin(own).verify(JOE, PASSWORD) is not None
    assert ImapLogin(own).verify(JOE, "wrong") is None


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_no_password_without_a_proven_certificate(dovecot: Dovecot, tls: str) -> None:
    own = users(dovecot)
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    before = dovecot.log.count("user=<")
    for changes in ({"imap_ca": None}, {"imap_host": "localhost.localdomain"}):
        strange = replace(own, imap_port=port, imap_tls=tls, **changes)  # type: ignore[arg-type]
        with pytest.raises(LoginUnavailableError):
            ImapLogin(strange).verify(JOE, PASSWORD)
    assert dovecot.log.count(f"user=<{JOE}>") <= before


def test_a_server_that_is_away_is_told(dovecot: Dovecot) -> None:
    away = replace(users(dovecot), imap_port=free_port())
    with pytest.raises(LoginUnavailableError, match="refused"):
        ImapLogin(away).verify(JOE, PASSWORD)


def test_while_the_server_is_away_nobody_counts_as_logged_in(tmp_path: Path) -> None:
    more = (
        f'[users]\nenabled = true\nimap_host = "localhost"\nimap_port = {free_port()}\n'
        'imap_domains = ["mx.example"]\n'
    )
    site = Site(tmp_path, web=f"login_attempts = 2\n{more}", home="/my")
    for _ in range(5):
        assert site.log_in("joe", PASSWORD).status_code == 503
    throttle = site.state.throttle
    for number in range(8):
        assert throttle.attempt(f"198.51.100.{number}", "joe") == 0
    assert site.log_in("joe", PASSWORD).status_code == 429


def test_the_pages(dovecot: Dovecot, tmp_path: Path) -> None:
    more = (
        f'[users]\nenabled = true\nimap_host = "localhost"\nimap_port = {dovecot.tls_port}\n'
        f'imap_ca = "{dovecot.folder}/certificate.pem"\nimap_domains = ["mx.example"]\n'
    )
    site = Site(tmp_path, web=f"login_attempts = 2\n{more}", home="/my")
    id = site.put(JOE, subject=b"for joe")
    assert site.log_in("joe", "wrong").status_code == 403
    assert site.log_in("joe", PASSWORD).status_code == 303
    assert "for joe" in text_of(site.get("/my"))
    assert site.get("/account").status_code == 404
    assert "It is deleted." in text_of(site.post("/my/do", id=id, do="delete"))
    assert site.events(id) == ["deleted"]
    # An account of that name goes first, and an admin's is never asked about elsewhere.
    other = site.another("192.0.2.9")
    assert site.log_in("ann", PASSWORD, other).status_code == 403
    # The limits are those of every login.
    for _ in range(2):
        assert site.log_in("sue", "wrong", other).status_code == 403
    assert site.log_in("sue", PASSWORD, other).status_code == 429
    site.state.close()
