"""Other people's milters and clients with our MTA, as they run with sendmail."""

from __future__ import annotations

import os
import pwd
import smtplib
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from filterd.lab.samples import EICAR, GTUBE
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.server import MtaThread, running_mta
from filterd.mta.settings import MtaSettings
from tests.helpers.process import require
from tests.helpers.servers.spamd import Spamd

pytestmark = pytest.mark.integration

START = 30.0
"""Seconds that a program has to make its socket."""


@contextmanager
def running(command: Sequence[str | Path], socket: Path) -> Iterator[None]:
    with socket.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + START
            # clamav-milter makes it without permissions and changes its mode then: that stops all
            # but root.
            while not os.access(socket, os.R_OK | os.W_OK):
                said = socket.with_suffix(".log").read_text("utf-8", "replace")
                assert process.poll() is None, f"{command[0]}: {said}"
                assert time.monotonic() < deadline, f"{command[0]} makes no socket: {said}"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def mta_with(
    folder: Path, socket: Path, macros: dict[str, tuple[str, ...]] | None = None
) -> Iterator[MtaThread]:
    settings = MtaSettings(
        port=0,
        mail=folder / "mail",
        spool=folder / "spool",
        macros=macros or {},
        filters=(InputMailFilter.parse(f"other, S=unix:{socket}, F=T, T=R:30s;E:60s"),),
    )
    with running_mta(settings) as mta:
        yield mta


def send(mta: MtaThread, message: bytes) -> tuple[int, str]:
    client = smtplib.SMTP("127.0.0.1", mta.port, "client.test", timeout=60)
    try:
        client.sendmail("ann@x.test", ["joe"], message)
    except smtplib.SMTPDataError as error:
        said = error.smtp_error
        return error.smtp_code, said if isinstance(said, str) else said.decode()
    finally:
        client.close()
        mta.settle()
    return 250, ""


MESSAGE = (
    b"From: Ann <ann@x.test>\r\nTo: joe@mx.example.test\r\nSubject: hello\r\n"
    b"Date: Mon, 23 Nov 2026 00:00:00 +0000\r\nMessage-Id: <1@x.test>\r\n\r\n"
    b"a line\r\n.dot line\r\n  blanks  \r\n\r\n\r\n"
)


def test_opendkim_signs_and_verifies_its_own_signature(tmp_path: Path) -> None:
    opendkim, openssl = require("opendkim", "opendkim"), require("openssl", "openssl")
    key, socket = tmp_path / "key", tmp_path / "dkim.sock"
    subprocess.run([openssl, "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    key.chmod(0o600)
    public = subprocess.run(
        [openssl, "rsa", "-in", key, "-pubout", "-outform", "PEM"], check=True, capture_output=True
    ).stdout.decode()
    record = "v=DKIM1; k=rsa; p=" + "".join(public.splitlines()[1:-1])
    (tmp_path / "dns").write_text(f"test._domainkey.x.test {record}\n")
    configuration = tmp_path / "opendkim.conf"
    common = f"Syslog no\nRequireSafeKeys no\nPidFile {tmp_path}/pid\nSocket local:{socket}\n"

    configuration.write_text(
        f"{common}Mode s\nDomain x.test\nSelector test\nKeyFile {key}\nInternalHosts 127.0.0.1\n"
    )
    signer = running([opendkim, "-f", "-x", str(configuration)], socket)
    with signer, mta_with(tmp_path, socket) as mta:
        assert send(mta, MESSAGE)[0] == 250
        (signed,) = [path.read_bytes() for path in mta.mailbox("joe")]
    assert b"\nDKIM-Signature: v=1; a=rsa-sha256; c=" in signed

    # Send the delivered message once more, to a verifier that reads the key from a file.
    socket.unlink(missing_ok=True)
    configuration.write_text(f"{common}Mode v\nTestDNSData {tmp_path}/dns\n")
    again = signed[signed.index(b"DKIM-Signature:") :].replace(b"\n", b"\r\n")
    other = tmp_path / "verify"
    other.mkdir()
    verifier = running([opendkim, "-f", "-x", str(configuration)], socket)
    with verifier, mta_with(other, socket) as mta:
        assert send(mta, again)[0] == 250
        (checked,) = [path.read_text() for path in mta.mailbox("joe")]
    assert "dkim=pass" in checked


def test_clamav_milter_refuses_eicar(tmp_path: Path) -> None:
    clamd, milter = require("clamd", "clamav-daemon"), require("clamav-milter", "clamav-milter")
    database = tmp_path / "db"
    database.mkdir()
    (database / "test.ndb").write_text(f"Eicar-Test-Signature:0:*:{EICAR.encode().hex()}\n")
    scanner, socket = tmp_path / "clamd.sock", tmp_path / "milter.sock"
    user = pwd.getpwuid(os.getuid()).pw_name
    (tmp_path / "clamd.conf").write_text(
        f"DatabaseDirectory {database}\nLocalSocket {scanner}\nForeground yes\n"
        f"TemporaryDirectory {tmp_path}\n"
    )
    (tmp_path / "milter.conf").write_text(
        f"MilterSocket unix:{socket}\nMilterSocketMode 600\n"
        f"Foreground yes\nClamdSocket unix:{scanner}\nUser {user}\n"
        "OnClean Accept\nOnInfected Reject\nRejectMsg virus %v found\nAddHeader Replace\n"
        f"TemporaryDirectory {tmp_path}\nLocalNet 192.0.2.0/24\nReportHostname mx.example.test\n"
    )
    with ExitStack() as stack:
        stack.enter_context(running([clamd, "-c", str(tmp_path / "clamd.conf")], scanner))
        stack.enter_context(running([milter, "-c", str(tmp_path / "milter.conf")], socket))
        mta = stack.enter_context(mta_with(tmp_path, socket))
        code, text = send(mta, MESSAGE + EICAR.encode() + b"\r\n")
        assert code == 550
        assert "virus Eicar-Test-Signature" in text
        assert send(mta, MESSAGE)[0] == 250
        (clean,) = [path.read_text() for path in mta.mailbox("joe")]
    assert "X-Virus-Scanned: clamav-milter" in clean


SPAMASS_MACROS = {
    "connect": ("j", "_", "{daemon_name}", "{if_name}", "{if_addr}", "b", "v", "Z"),
    "envrcpt": ("{rcpt_mailer}", "{rcpt_host}", "{rcpt_addr}", "r", "i"),
}
"""What the manual of spamass-milter asks of `confMILTER_MACROS_*`."""


def test_spamass_milter_marks_and_refuses(tmp_path: Path) -> None:
    """It runs spamc, which speaks to spamd; the Received field that it makes up is from macros."""
    milter = require("spamass-milter", "spamass-milter")
    require("spamc", "spamc")
    socket = tmp_path / "spamass.sock"
    with Spamd() as spamd, ExitStack() as stack:
        command = [
            milter,
            "-p",
            str(socket),
            "-r",
            "15",
            "--",
            "-d",
            "127.0.0.1",
            "-p",
            str(spamd.port),
        ]
        stack.enter_context(running(command, socket))
        mta = stack.enter_context(mta_with(tmp_path, socket, SPAMASS_MACROS))
        assert send(mta, MESSAGE)[0] == 250
        assert send(mta, MESSAGE + GTUBE.encode() + b"\r\n") == (
            550,
            "5.7.1 Blocked by SpamAssassin",
        )
        (marked,) = [path.read_text() for path in mta.mailbox("joe")]
        first, _ = [one.decode() for one in spamd.seen]
    assert "\nX-Spam-Status: No, score=0.1 required=5.0\n" in marked
    assert "X-Spam-Flag" not in marked
    assert "\nSubject: hello\r\n" in first
    # What the milter tells SpamAssassin of the client: all of it by way of the MTA's macros.
    received = first[first.index("Received:") :].partition("\nFrom:")[0]
    assert "from client.test (localhost [127.0.0.1])" in received
    assert "by mx.example.test (8.17.1.9/filterd) with ESMTP id " in received
    assert "; Unknown" not in received
    assert "unknown" not in received.lower()
