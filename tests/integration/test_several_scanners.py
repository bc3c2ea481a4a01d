"""clamd, ICAP and a program side by side in the daemon, behind each MTA.

An infected part is taken out and the rest delivered octet by octet; a scanner that is away lets
nothing pass.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import messages
from tests.helpers.process import folder, require, wait_for
from tests.helpers.servers.cicap import Cicap
from tests.helpers.servers.clamd import VIRUS, Clamd
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.smtp import send


def settings(clamd: Clamd, icap: str, program: Path, more: str = "") -> str:
    command = [
        str(program),
        f"--config-file={clamd.folder / 'clamd.conf'}",
        "--stdout",
        "--no-summary",
        "-",
    ]
    return f"""
[policy]
virus = "strip"
[filters.scanners]
timeout = 60.0
{more}
[[filters.scanners.clamd]]
name = "clamd"
server = ["unix:{clamd.socket}"]
patience = 0.0
[[filters.scanners.icap]]
name = "icap"
server = ["{icap}"]
patience = 0.0
verify_seconds = 0.001
[[filters.scanners.command]]
name = "command"
preset = "clamdscan"
command = {json.dumps(command)}
"""


def write(daemon: Filterd, text: str) -> None:
    daemon.configure(None, text)
    found = daemon.configuration.read_text()
    found = found.replace('"parts"]', '"parts", "scanners"]').replace(
        "timeout = 8.0", "timeout = 90.0"
    )
    daemon.configuration.write_text(found)


def reload(daemon: Filterd) -> None:
    before = daemon.process.output.count("reloaded, chain")
    daemon.process.signal(signal.SIGHUP)
    wait_for("the reload", lambda: daemon.process.output.count("reloaded, chain") > before)


@pytest.fixture(scope="module")
def own_clamd() -> Iterator[Clamd]:
    with folder("clamd-several") as path:
        server = Clamd(path)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def daemon(own_clamd: Clamd) -> Iterator[Filterd]:
    program = require("clamdscan", "clamdscan")
    with folder("c-icap-several") as icap, folder("daemon-several") as path:
        cicap = Cicap(icap, own_clamd)
        cicap.start()
        server = Filterd(path)
        write(server, settings(own_clamd, cicap.address, program))
        server.start()
        yield server
        server.stop()
        cicap.stop()


@pytest.fixture(scope="module", params=MTAS)
def mta(request: pytest.FixtureRequest, daemon: Filterd) -> Iterator[Mta]:
    with folder(request.param) as path:
        server = MTAS[request.param](path, filterd=f"unix:{daemon.socket}")
        server.start()
        yield server
        server.stop()


def lf(octets: bytes) -> bytes:
    return octets.replace(b"\r\n", b"\n")


def test_the_infected_part_is_taken_out_and_nothing_else(mta: Mta, daemon: Filterd) -> None:
    parts = [("plan.pdf", b"%PDF-1.4 harmless"), ("a.bin", messages.EICAR), ("b.txt", b"b" * 5000)]
    data = messages.multipart(parts)

    assert send(mta.port, data).final.code == 250

    (mail,) = mta.mail()
    removed = lf(messages.attachment("a.bin", messages.EICAR))
    before, _, after = lf(data).partition(b"\n\n")[2].partition(removed)
    assert after
    assert mail.body.startswith(before)
    assert mail.body.endswith(after)
    notice = mail.body[len(before) : len(mail.body) - len(after)].decode()
    assert f"a.bin was removed from this message: it contains the virus {VIRUS}" in notice
    id = mail.value("X-Quarantine-ID")
    assert id in notice
    entry = daemon.entry(id)
    assert (entry.reason, entry.virus) == ("virus", VIRUS)
    assert daemon.original(id) == data


def test_clean_mail_passes_all_three(mta: Mta) -> None:
    assert send(mta.port, messages.multipart([("a.txt", b"hello")])).final.code == 250
    (mail,) = mta.mail()
    assert mail.value("X-Virus-Status") == "Clean"
    for words in ("ClamAV 1.", "C-ICAP/"):
        assert words in mail.value("X-Virus-Scanned")


def test_all_three_say_it(mta: Mta, daemon: Filterd) -> None:
    """A virus that no part has by itself cannot be taken out: refused or held, never passed."""
    reply = send(mta.port, messages.eicar()).final
    mta.settled()
    last = daemon.last()
    assert VIRUS in json.dumps(last)
    for mail in mta.mail() if mta.mailboxes else []:
        assert messages.EICAR not in mail.body
    assert reply.code in (250, 554)


def test_one_that_is_away_lets_nothing_pass(mta: Mta, daemon: Filterd, own_clamd: Clamd) -> None:
    program = require("clamdscan", "clamdscan")
    before = daemon.configuration.read_text()
    write(daemon, settings(own_clamd, "icap://127.0.0.1:1/x", program))
    reload(daemon)
    try:
        clean = send(mta.port, messages.message()).final
        assert str(clean).startswith("451 4.3.0 Message could not be checked")
        virus = messages.multipart([("a.bin", messages.EICAR), ("b.txt", b"b")])
        assert send(mta.port, virus).final.code in (250, 451)
        mta.settled()
        for mail in mta.mail() if mta.mailboxes else []:
            assert messages.EICAR not in mail.body
    finally:
        daemon.configuration.write_text(before)
        reload(daemon)
