"""Each kind of scanner with a real server or program."""

from __future__ import annotations

import io
import shutil
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
from filterd.scanners.icap.scanner import IcapScanner, IcapServer
from filterd.scanners.several import Answers, Several
from filterd.scanners.verified import Verified
from tests.helpers.messages import EICAR
from tests.helpers.process import folder
from tests.helpers.servers.cicap import Cicap
from tests.helpers.servers.clamd import VIRUS, Clamd
from tests.helpers.servers.programs import program
from tests.hostile.corpus import attached, unpacked


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


KINDS = ["clamd", "icap respmod", "icap reqmod", "icap preview", "clamscan", "clamdscan"]


def of_kind(kind: str, clamd: Clamd, cicap: Cicap, folder: Path) -> Scanner:
    name, _, how = kind.partition(" ")
    if name == "clamd":
        return ClamdScanner(ClamdServer.parse(f"unix:{clamd.socket}"), 60)
    if name == "icap":
        method = "reqmod" if how == "reqmod" else "respmod"
        server = IcapServer.parse(cicap.address)
        return IcapScanner(server, 60, method=method, preview=how == "preview")  # type: ignore[arg-type]
    return program(name, clamd, folder)


@pytest.fixture(params=KINDS)
def scanner(request: pytest.FixtureRequest, clamd: Clamd, cicap: Cicap, tmp_path: Path) -> Scanner:
    return of_kind(request.param, clamd, cicap, tmp_path)


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
    one = program("clamscan", clamd, tmp_path)
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


def test_wrappings_that_may_mean_anything_mean_the_same_to_all(
    clamd: Clamd, cicap: Cicap, tmp_path: Path
) -> None:
    """Where the test file need not be found (a damaged or encrypted archive, a place that no reader
    shows), no kind of scanner says something else than another."""
    samples = unpacked("hostile", tmp_path) / "synthetic"
    filter = Scanners(ScannersSettings())
    scanners = [of_kind(kind, clamd, cicap, tmp_path) for kind in KINDS]
    differing, judged = [], 0
    for wanted, name in map(str.split, (samples / "index").read_text().splitlines()):
        if wanted.startswith("virus") or "eicar" not in name:
            continue
        message = Message((samples / name).read_bytes(), id="X1")
        found = []
        for one in scanners:
            filter.scanners = Alone(one)
            verdict = filter.examine(message)
            kinds = sorted({symbol.name for symbol in verdict.symbols})
            found.append((verdict.action, verdict.virus, kinds))
        if any(one != found[0] for one in found):
            differing.append((name, dict(zip(KINDS, found, strict=True))))
        judged += 1
    assert judged >= 5
    assert differing == []


def test_every_form_of_clamavs_own_test_file(tmp_path: Path) -> None:
    """clam.exe packed and archived in some forty ways, attached to mail: each kind of scanner finds
    what the others find."""
    hostile = unpacked("hostile", tmp_path)
    with folder("clamd-forms") as there, folder("c-icap-forms") as here:
        clamd = Clamd(there)
        shutil.copy(hostile / "clamav-unit-tests" / "clamav.hdb", clamd.database)
        clamd.start()
        cicap = Cicap(here, clamd)
        cicap.start()
        filter = Scanners(ScannersSettings())
        kinds = ["clamd", "icap respmod", "clamscan", "clamdscan"]
        scanners = [of_kind(kind, clamd, cicap, tmp_path) for kind in kinds]
        differing, found_by_all = [], 0
        for path in sorted((hostile / "clamav-testfiles").iterdir()):
            message = Message(attached(path), id="X1")
            found = {}
            for kind, one in zip(kinds, scanners, strict=True):
                filter.scanners = Alone(one)
                found[kind] = filter.examine(message).virus
            if len(set(found.values())) > 1:
                differing.append((path.name, found))
            found_by_all += all(found.values())
        cicap.stop()
        clamd.stop()
    assert differing == []
    assert found_by_all > 30
