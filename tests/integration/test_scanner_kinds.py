"""Each kind of scanner with a real server or program."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.scanners.filter import Scanners
from filterd.filters.scanners.settings import ScannersSettings
from filterd.message import Message
from filterd.message.fields import Buffer
from filterd.scanners.answer import (
    CLEAN,
    GivenUp,
    Infected,
    Scanner,
    Signatures,
    Unavailable,
)
from filterd.scanners.clamd.scanner import ClamdScanner
from filterd.scanners.clamd.server import ClamdServer
from filterd.scanners.command import CommandScanner
from filterd.scanners.icap.scanner import IcapScanner, IcapServer
from filterd.scanners.presets import PRESETS
from filterd.scanners.processes import Limits
from filterd.scanners.several import Answers, Several
from filterd.scanners.verified import Verified
from tests.helpers.messages import EICAR
from tests.helpers.process import folder, require
from tests.helpers.servers.cicap import Cicap
from tests.helpers.servers.clamd import VIRUS, Clamd
from tests.hostile.corpus import unpacked


@pytest.fixture(scope="module")
def cicap(clamd: Clamd) -> Iterator[Cicap]:
    with folder("c-icap") as path:
        server = Cicap(path, clamd)
        server.start()
        yield server
        server.stop()


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.com", content)
    return file.getvalue()


def of_command(name: str, clamd: Clamd, folder: Path) -> CommandScanner:
    """clamscan or clamdscan as its preset has it, with that clamd's signatures."""
    preset = PRESETS[name]
    program = require(name, "clamav" if name == "clamscan" else "clamdscan")
    more = {
        "clamscan": [f"--database={clamd.folder / 'database'}"],
        "clamdscan": [f"--config-file={clamd.folder / 'clamd.conf'}"],
    }[name]
    arguments = [str(program), *more, *preset.command[1:]]
    return CommandScanner(
        name,
        arguments,
        preset.statuses,
        preset.pattern,
        limits=Limits(60),
        version=[*preset.version, *more],
        folder=str(folder),
    )


KINDS = ["clamd", "icap respmod", "icap reqmod", "icap preview", "clamscan", "clamdscan"]


@pytest.fixture(params=KINDS)
def scanner(request: pytest.FixtureRequest, clamd: Clamd, cicap: Cicap, tmp_path: Path) -> Scanner:
    kind, _, how = request.param.partition(" ")
    if kind == "clamd":
        return ClamdScanner(ClamdServer.parse(f"unix:{clamd.socket}"), 60)
    if kind == "icap":
        method = "reqmod" if how == "reqmod" else "respmod"
        server = IcapServer.parse(cicap.address)
        return IcapScanner(server, 60, method=method, preview=how == "preview")  # type: ignore[arg-type]
    return of_command(kind, clamd, tmp_path)


def scan(scanner: Scanner, content: bytes) -> object:
    return scanner.scan(content, time.monotonic() + 120)


def test_all_kinds_say_the_same(scanner: Scanner) -> None:
    assert scan(scanner, b"hello") == CLEAN
    for content in (EICAR, zipped(EICAR), b"From: a@b.example\r\n\r\n" + EICAR):
        assert scan(scanner, content) == Infected(VIRUS)
    assert scan(scanner, zipped(b"hello" * 1000)) == CLEAN
    # Of more than one chunk, preview and buffer.
    assert scan(scanner, bytes(1 << 20)) == CLEAN
    assert scan(scanner, zipped(EICAR) + bytes(1 << 20)) == Infected(VIRUS)
    assert scan(scanner, b"hello") == CLEAN


def test_all_kinds_say_what_they_scan_with(scanner: Scanner) -> None:
    found = scanner.signatures(time.monotonic() + 60)
    assert found.engine.startswith(("ClamAV ", "C-ICAP/"))


def test_content_that_is_too_large_for_icap(cicap: Cicap) -> None:
    """virus_scan passes what is above its MaxObjectSize: `size_limit` has to be below."""
    one = IcapScanner(IcapServer.parse(cicap.address), 60, size_limit=5 << 20)
    assert isinstance(scan(one, bytes((5 << 20) + 1)), GivenUp)


def test_an_icap_server_whose_clamd_is_away() -> None:
    """virus_scan calls the test file clean then; verified, that is noticed."""
    with folder("clamd-gone") as there, folder("c-icap-gone") as here:
        clamd = Clamd(there)
        clamd.start()
        server = Cicap(here, clamd)
        server.start()
        one = Verified(IcapScanner(IcapServer.parse(server.address), 20), 0)
        assert scan(one, b"hello") == CLEAN
        clamd.stop()
        found = scan(one, b"hello")
        assert isinstance(found, Unavailable | GivenUp)
        server.stop()


def test_a_service_that_is_not_there(cicap: Cicap) -> None:
    server = IcapServer.parse(cicap.address.replace("virus_scan", "nothing"))
    found = scan(IcapScanner(server, 20), EICAR)
    assert isinstance(found, Unavailable)
    assert "404" in found.why


def test_one_connection_for_many(cicap: Cicap) -> None:
    one = IcapScanner(IcapServer.parse(cicap.address), 60)
    assert scan(one, b"hello") == CLEAN
    (kept,) = one._idle
    assert scan(one, EICAR) == Infected(VIRUS)
    assert scan(one, b"hello") == CLEAN
    assert one._idle in ([kept], [])


def test_a_program_that_cannot_find_its_signatures(clamd: Clamd, tmp_path: Path) -> None:
    """Status 2, which the table does not have: no answer, never clean."""
    one = of_command("clamscan", clamd, tmp_path)
    one._arguments = tuple(
        f"--database={tmp_path}/none" if word.startswith("--database") else word
        for word in one._arguments
    )
    found = scan(one, b"hello")
    assert isinstance(found, Unavailable)
    assert "status 2" in found.why


@dataclass(frozen=True)
class Alone:
    """One scanner as all that there are."""

    scanner: Scanner

    def scan(self, content: Buffer, deadline: float) -> Answers:
        return Several([self.scanner]).scan(content, deadline)

    def signatures(self, deadline: float) -> list[Signatures]:
        return Several([self.scanner]).signatures(deadline)


def test_every_wrapping_of_the_test_file(
    scanner: Scanner, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same class of verdict by each kind of scanner, whatever the test file is wrapped in."""
    samples = unpacked("hostile", tmp_path_factory.mktemp("hostile")) / "synthetic"
    filter = Scanners(ScannersSettings())
    filter.scanners = Alone(scanner)
    missed, judged = [], 0
    for wanted, name in map(str.split, (samples / "index").read_text().splitlines()):
        if not wanted.startswith("virus"):
            continue
        message = Message((samples / name).read_bytes(), id="X1")
        verdict = filter.examine(message)
        found = {symbol.name for symbol in verdict.symbols}
        if wanted == "virus-or-limit" and verdict.virus is None:
            # Too deep for the scanner: the filter `parts` says so.
            found |= {symbol.name for symbol in Parts(PartsSettings()).examine(message).symbols}
            if found & {"AV_LIMIT", "AV_TOO_LARGE", "MIME_TOO_DEEP", "ARCHIVE_LIMIT"}:
                continue
        if verdict.virus != VIRUS:
            missed.append((wanted, name, found))
        judged += 1
    assert judged > 10
    assert missed == []
