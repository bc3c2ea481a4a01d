"""Other people's SMTP clients with our MTA: STARTTLS, AUTH, and what each says on the way."""

from __future__ import annotations

import shutil
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from filterd.mta.server import MtaThread, running_mta
from filterd.mta.settings import MtaSettings
from tests.helpers.process import folder, require, wait_for
from tests.helpers.servers.postfix import Postfix

MESSAGE = b"From: ann@x.test\nTo: joe@mx.example.test\nSubject: hello\n\n.dot\nFrom here\nlast\n"
ON_THE_WIRE = MESSAGE.replace(b"\n", b"\r\n")


@dataclass(frozen=True)
class SecureMta:
    """Our MTA with a certificate for localhost and the user ann."""

    mta: MtaThread
    certificate: Path

    def delivered(self, count: int = 1) -> list[str]:
        """Wait for joe's messages."""
        wait_for(f"{count} messages", lambda: len(self.mta.mailbox("joe")) >= count)
        return [path.read_text() for path in self.mta.mailbox("joe")]


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[SecureMta]:
    openssl = require("openssl", "openssl")
    key, certificate = tmp_path / "mx.pem", tmp_path / "mx.crt"
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
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    key.write_bytes(key.read_bytes() + certificate.read_bytes())
    passwords = tmp_path / "passwords"
    passwords.write_text("ann:{PLAIN}secret\n")
    settings = MtaSettings(
        port=0,
        mail=tmp_path / "mail",
        spool=tmp_path / "spool",
        tls_certificate=key,
        passwords=passwords,
    )
    with running_mta(settings) as mta:
        yield SecureMta(mta, certificate)


def assert_came_securely(text: str) -> None:
    assert "\t(authenticated bits=0)\n" in text
    assert "with ESMTPSA id " in text
    assert "\n\n.dot\nFrom here\nlast\n" in text


@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_msmtp(secure: SecureMta, mechanism: str) -> None:
    msmtp = require("msmtp", "msmtp")
    subprocess.run(
        [
            msmtp,
            "--file=/dev/null",
            "--host=localhost",
            f"--port={secure.mta.port}",
            "--tls=on",
            "--tls-starttls=on",
            f"--tls-trust-file={secure.certificate}",
            f"--auth={mechanism}",
            "--user=ann",
            "--passwordeval=echo secret",
            "--from=ann@x.test",
            "--",
            "joe@mx.example.test",
        ],
        input=MESSAGE,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (text,) = secure.delivered()
    assert_came_securely(text)


def test_msmtp_with_a_wrong_password_sends_nothing(secure: SecureMta) -> None:
    msmtp = require("msmtp", "msmtp")
    done = subprocess.run(
        [
            msmtp,
            "--file=/dev/null",
            "--host=localhost",
            f"--port={secure.mta.port}",
            "--tls=on",
            f"--tls-trust-file={secure.certificate}",
            "--auth=plain",
            "--user=ann",
            "--passwordeval=echo wrong",
            "--from=ann@x.test",
            "--",
            "joe@mx.example.test",
        ],
        input=MESSAGE,
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert b"535" in done.stderr
    assert not secure.mta.mailbox("joe")


def test_swaks_with_two_recipients_in_a_pipeline(secure: SecureMta) -> None:
    swaks = require("swaks", "swaks")
    done = subprocess.run(
        [
            swaks,
            "--server",
            f"127.0.0.1:{secure.mta.port}",
            "--from",
            "ann@x.test",
            "--to",
            "joe@mx.example.test,sue@mx.example.test",
            "--pipeline",
            "--helo",
            "client.test",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    secure.delivered()
    wait_for("sue's copy", lambda: secure.mta.mailbox("sue"))


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_over_tls_logged_in(secure: SecureMta, mechanism: str) -> None:
    swaks = require("swaks", "swaks")
    done = subprocess.run(
        [
            swaks,
            "--server",
            f"127.0.0.1:{secure.mta.port}",
            "--tls",
            "--auth",
            mechanism,
            "--auth-user",
            "ann",
            "--auth-password",
            "secret",
            "--from",
            "ann@x.test",
            "--to",
            "joe@mx.example.test",
            "--helo",
            "client.test",
            "--data",
            MESSAGE.decode(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "=== TLS started" in done.stdout
    (text,) = secure.delivered()
    assert_came_securely(text)


def test_smtplib_with_starttls_and_each_mechanism(secure: SecureMta) -> None:
    trust = ssl.create_default_context(cafile=str(secure.certificate))
    for mechanism in ("PLAIN", "LOGIN"):
        with smtplib.SMTP("localhost", secure.mta.port, "client.test", timeout=30) as client:
            client.starttls(context=trust)
            client.ehlo()
            client.user, client.password = "ann", "secret"
            authenticate = client.auth_plain if mechanism == "PLAIN" else client.auth_login
            assert client.auth(mechanism, authenticate)[0] == 235
            client.sendmail("ann@x.test", ["joe@mx.example.test"], ON_THE_WIRE)
    for text in secure.delivered(2):
        assert_came_securely(text)


def test_postfix_relays_through_it(secure: SecureMta) -> None:
    """Postfix takes mail for elsewhere and hands it on, over TLS that it verifies, logged in."""
    with folder("relaying") as place:
        credentials = place / "credentials"
        credentials.write_text(f"[localhost]:{secure.mta.port} ann:secret\n")
        credentials.chmod(0o644)
        shutil.copy(secure.certificate, place / "trusted.crt")
        (place / "trusted.crt").chmod(0o644)
        server = Postfix(
            place,
            f"relayhost = [localhost]:{secure.mta.port}\n"
            "smtp_tls_security_level = secure\n"
            f"smtp_tls_CAfile = {place}/trusted.crt\n"
            "smtp_tls_secure_cert_match = hostname\n"
            "smtp_sasl_auth_enable = yes\n"
            f"smtp_sasl_password_maps = texthash:{credentials}\n"
            "smtp_sasl_security_options =\n"
            "smtp_sasl_mechanism_filter = plain\n",
        )
        with (place / "etc/master.cf").open("a") as services:
            services.write("tlsmgr unix - - n 1000? 1 tlsmgr\n")
        server.start()
        try:
            with smtplib.SMTP("127.0.0.1", server.port, "client.test", timeout=30) as client:
                client.sendmail("ann@x.test", ["joe@else.test"], ON_THE_WIRE)
            try:
                wait_for("the message", lambda: secure.mta.mailbox("joe@else.test"))
            except AssertionError:
                pytest.fail(server.log)
        finally:
            server.stop()
    (path,) = secure.mta.mailbox("joe@else.test")
    text = path.read_text()
    assert_came_securely(text)
    assert "by mx.example.test (Postfix) with ESMTP id" in text
