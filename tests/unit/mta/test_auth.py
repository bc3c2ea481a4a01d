"""STARTTLS and AUTH: the dialogues, the file, and a real client over TLS."""

from __future__ import annotations

import base64
import smtplib
import ssl
import subprocess
from pathlib import Path

import pytest

from filterd.mta.queue.spool import Spool
from filterd.mta.server import running_mta
from filterd.mta.settings import MtaSettings
from filterd.mta.smtp.sasl import (
    Dialogue,
    Passwords,
    SaslError,
    decode,
    hash_password,
    set_password,
)
from tests.helpers import receiving_mta
from tests.helpers.cf_mta import cf_mta
from tests.helpers.process import require

pytestmark = pytest.mark.server


def test_plain_in_one_step_and_login_in_two() -> None:
    assert Dialogue("PLAIN").step(None) == b""
    assert Dialogue("PLAIN").step(b"\0ann\0secret") == ("ann", "secret")
    login = Dialogue("LOGIN")
    assert login.step(None) == b"Username:"
    assert login.step(b"ann") == b"Password:"
    assert login.step(b"secret") == ("ann", "secret")


@pytest.mark.parametrize("answer", [b"", b"ann\0secret", b"\0\0x", b"bob\0ann\0x", b"\0\xff\0x"])
def test_what_is_no_plain_message(answer: bytes) -> None:
    with pytest.raises(SaslError):
        Dialogue("PLAIN").step(answer)


def test_base64_of_a_line() -> None:
    assert decode(b"=") == b""
    with pytest.raises(SaslError):
        decode(b"!")


def test_passwords(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(f"# users\nann:{hash_password('secret')}\nlab:{{PLAIN}}easy\nbad:x$y\n")
    table = Passwords(path)
    assert table.check("ann", "secret")
    assert table.check("lab", "easy")
    for user, password in (("ann", "Secret"), ("nobody", "x"), ("bad", "x"), ("lab", "")):
        assert not table.check(user, password)


def test_a_password_is_set_and_the_other_lines_stay(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    set_password(file, "ann", "one")
    with file.open("a") as lines:
        lines.write("# a remark\nbob:{PLAIN}two\n")
    set_password(file, "ann", "three")
    users = Passwords(file)
    assert [users.check("ann", word) for word in ("one", "three")] == [False, True]
    assert users.check("bob", "two")
    assert "# a remark" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("user", ["", "a:b", "a\nb", "a\0b"])
def test_a_name_that_the_file_cannot_hold(tmp_path: Path, user: str) -> None:
    with pytest.raises(ValueError, match="user name may not"):
        set_password(tmp_path / "passwords", user, "x")
    assert not (tmp_path / "passwords").exists()


def test_a_file_of_passwords_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_bytes(b"ann:\xff\n")
    with pytest.raises(ValueError, match="passwords: not a file of passwords"):
        set_password(tmp_path / "passwords", "ann", "x")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = require("openssl", "openssl")
    path = tmp_path_factory.mktemp("tls") / "mx.pem"
    subprocess.run(
        [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            path,
            "-out",
            path.with_suffix(".crt"),
        ],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


def test_a_client_logs_in_over_tls_and_only_there(tmp_path: Path, certificate: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("ann:{PLAIN}secret\n")
    settings = MtaSettings(
        port=0,
        mail=tmp_path / "mail",
        spool=tmp_path / "spool",
        tls_certificate=certificate,
        passwords=passwords,
    )
    trust = ssl.create_default_context(cafile=str(certificate.with_suffix(".crt")))
    with running_mta(settings) as mta:
        client = smtplib.SMTP("localhost", mta.port, "client.test", timeout=20)
        client.ehlo()
        assert client.has_extn("starttls")
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN")[0] == 504
        client.starttls(context=trust)
        client.ehlo()
        assert not client.has_extn("starttls")
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
        assert client.docmd("AUTH", "CRAM-MD5")[0] == 504
        assert client.docmd("AUTH", "PLAIN *")[0] == 501
        wrong = base64.b64encode(b"\0ann\0wrong").decode()
        assert client.docmd("AUTH", f"PLAIN {wrong}")[0] == 535
        assert client.login("ann", "secret")[0] == 235
        assert client.docmd("AUTH", "PLAIN")[0] == 503
        client.sendmail("ann@x.test", ["joe"], b"Subject: one\r\n\r\nbody\r\n")
        client.quit()
        mta.settle()
        (path,) = mta.mailbox("joe")
        text = path.read_text()
    assert "\t(authenticated bits=0)\n" in text
    assert "with ESMTPSA id " in text
    assert "\t(version=TLSv1.3 cipher=" in text


def logged_in(port: int, certificate: Path) -> smtplib.SMTP:
    """A client that has logged in over TLS."""
    trust = ssl.create_default_context(cafile=str(certificate.with_suffix(".crt")))
    client = smtplib.SMTP("localhost", port, "client.test", timeout=20)
    client.starttls(context=trust)
    client.login("ann", "secret")
    return client


def test_who_has_logged_in_may_send_to_other_hosts(tmp_path: Path, certificate: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("ann:{PLAIN}secret\n")
    with receiving_mta.running() as hop:
        settings = MtaSettings(
            port=0,
            mail=tmp_path / "mail",
            spool=tmp_path / "spool",
            local_domains=("mx.test",),
            relay_host=f"[127.0.0.1]:{hop.port}",
            tls_certificate=certificate,
            passwords=passwords,
        )
        with running_mta(settings) as mta:
            stranger = smtplib.SMTP("localhost", mta.port, "client.test", timeout=20)
            stranger.mail("ann@x.test")
            refused = (550, b"5.7.1 <far@far.test>... Relaying denied")
            assert stranger.rcpt("far@far.test") == refused
            assert stranger.rcpt("joe@mx.test")[0] == 250
            stranger.quit()
            client = logged_in(mta.port, certificate)
            to = ["far@far.test", "joe@mx.test", "joe%far.test@mx.test"]
            assert client.sendmail("ann@x.test", to, b"Subject: one\r\n\r\nbody\r\n") == {}
            client.quit()
            mta.settle()
            assert len(mta.mailbox("joe@mx.test")) == 1
    assert sorted(one.rcpt[0] for one in hop.taken) == [
        "far@far.test",
        "joe@far.test",
    ]
    assert {one.mail.split()[1] for one in hop.taken} == {"FROM:<ann@x.test>"}


def test_with_a_sendmail_cf_its_rules_say_who_may_relay(tmp_path: Path, certificate: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("ann:{PLAIN}secret\n")
    text = f"""
O ServerCertFile={certificate}
O DaemonPortOptions=Name=MSA, Port=0, M=a
Scheck_mail
R$*\t\t$: $&{{auth_type}} $&{{auth_authen}} $&{{auth_ssf}} $&{{verify}}
RPLAIN ann 0 NO\t$@ ok
R$*\t\t$#error $@ 5.7.1 $: 550 not you $1
"""
    with cf_mta(tmp_path, text, passwords=passwords) as mta:
        stranger = smtplib.SMTP("localhost", mta.port, "client.test", timeout=20)
        stranger.ehlo()
        assert stranger.mail("ann@x.test") == (530, b"5.7.0 Authentication required")
        stranger.quit()
        client = logged_in(mta.port, certificate)
        assert client.mail("ann@x.test")[0] == 250
        assert client.rcpt("far@far.test")[0] == 250
        client.close()


def test_tls_client_may_refuse_what_was_secured(tmp_path: Path, certificate: Path) -> None:
    text = f"""
O ServerCertFile={certificate}
Stls_client
RNO $| STARTTLS\t$#error $@ 5.7.0 $: "503 no certificate"
"""
    with cf_mta(tmp_path, text) as mta:
        trust = ssl.create_default_context(cafile=str(certificate.with_suffix(".crt")))
        client = smtplib.SMTP("localhost", mta.port, "client.test", timeout=20)
        client.starttls(context=trust)
        client.ehlo()
        assert client.mail("ann@x.test") == (503, b"5.7.0 no certificate")
        client.close()


def test_a_daemon_may_begin_with_tls(tmp_path: Path, certificate: Path) -> None:
    text = f"""
O ServerCertFile={certificate}
O DaemonPortOptions=Name=TLSMTA, Port=0, M=s
O DeliveryMode=q
"""
    trust = ssl.create_default_context(cafile=str(certificate.with_suffix(".crt")))
    with cf_mta(tmp_path, text) as mta:
        client = smtplib.SMTP_SSL("localhost", mta.port, "client.test", timeout=20, context=trust)
        client.ehlo()
        assert not client.has_extn("starttls")
        client.sendmail("ann@x.test", ["joe@mx.test"], b"Subject: one\r\n\r\nbody\r\n")
        client.quit()
        (entry,) = Spool(mta.spool).entries()
    # What deliveries see of the session, the class persistentMacros.
    assert entry.macros == {
        "_": "localhost [127.0.0.1]",
        "s": "client.test",
        "r": "ESMTPS",
        "{daemon_flags}": "s",
    }


def test_without_a_certificate_such_a_daemon_says_nothing(tmp_path: Path) -> None:
    with cf_mta(tmp_path, "O DaemonPortOptions=Name=TLSMTA, Port=0, M=s\n") as mta:
        mta.play("S:")


def test_what_was_sent_ahead_of_tls_is_dropped(tmp_path: Path, certificate: Path) -> None:
    settings = MtaSettings(
        port=0, mail=tmp_path / "mail", spool=tmp_path / "spool", tls_certificate=certificate
    )
    trust = ssl.create_default_context(cafile=str(certificate.with_suffix(".crt")))
    with running_mta(settings) as mta:
        client = smtplib.SMTP("localhost", mta.port, "client.test", timeout=20)
        client.ehlo()
        client.send(b"STARTTLS\r\nMAIL FROM:<injected@x>\r\n")
        assert client.getreply()[0] == 220
        assert client.sock is not None
        client.sock = trust.wrap_socket(client.sock, server_hostname="localhost")
        client.file = client.sock.makefile("rb")
        client.ehlo()
        assert client.mail("ann@x.test")[0] == 250
        client.close()
