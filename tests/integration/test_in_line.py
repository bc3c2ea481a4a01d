"""filterd and a stranger's filter in line: each sees what the one before it left."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest

from tests.helpers import messages
from tests.helpers.process import folder
from tests.helpers.servers.clamav_milter import ClamavMilter
from tests.helpers.servers.clamd import SIGNATURE
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.servers.opendkim import Opendkim
from tests.helpers.smtp import Conversation, send


@pytest.fixture(scope="module")
def filterd() -> Iterator[Filterd]:
    """The daemon without clamd: finding viruses is the other filter's."""
    with folder("first") as path:
        daemon = Filterd(path)
        daemon.start()
        yield daemon
        daemon.stop()


@pytest.fixture(scope="module", params=MTAS)
def mta(
    request: pytest.FixtureRequest,
    filterd: Filterd,
    opendkim: Opendkim,
    clamav_milter: ClamavMilter,
) -> Iterator[Mta]:
    """filterd first, then clamav-milter, then opendkim."""
    with folder(request.param) as path:
        server = MTAS[request.param](
            path,
            f"unix:{clamav_milter.socket}",
            f"unix:{opendkim.socket}",
            filterd=f"unix:{filterd.socket}",
        )
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module", params=MTAS)
def behind(
    request: pytest.FixtureRequest, filterd: Filterd, clamav_milter: ClamavMilter
) -> Iterator[Mta]:
    """clamav-milter first, then filterd."""
    with folder(request.param) as path:
        server = MTAS[request.param](path, f"unix:{clamav_milter.socket}", f"unix:{filterd.socket}")
        server.start()
        yield server
        server.stop()


def test_both_filters_leave_their_marks(mta: Mta) -> None:
    assert send(mta.port, messages.message()).final.code == 250

    (mail,) = mta.mail()
    assert mail.value("X-Spam-Status").startswith("No, ")
    assert mail.value("X-Virus-Status") == "Clean"
    assert "d=client.example" in mail.value("DKIM-Signature")


def test_the_signature_covers_what_filterd_made_of_the_body(mta: Mta) -> None:
    data = messages.multipart([("tool.exe", messages.program()), ("note.txt", b"note")])

    assert send(mta.port, data).final.code == 250

    (mail,) = mta.mail()
    assert b"tool.exe was removed" in mail.body
    signature = re.sub(r"\s", "", mail.value("DKIM-Signature"))
    assert "c=simple/simple" in signature
    hashed = re.search(r"bh=([^;]+);", signature)
    assert hashed is not None
    body = mail.body.rstrip(b"\n").replace(b"\n", b"\r\n") + b"\r\n"
    assert hashed[1] == base64.b64encode(hashlib.sha256(body).digest()).decode()


def test_the_second_filters_refusal_counts(mta: Mta, filterd: Filterd) -> None:
    seen = send(mta.port, messages.eicar())

    assert str(seen.final).startswith(f"550 5.7.1 other filter found {SIGNATURE}")
    assert filterd.last()["action"] == "accept"


def test_the_first_filters_refusal_counts(mta: Mta) -> None:
    seen = send(mta.port, messages.gtube())

    assert str(seen.final).startswith("550 5.7.1 Message refused as spam")


def test_held_by_filterd_never_reaches_the_second(
    mta: Mta, filterd: Filterd, clamav_milter: ClamavMilter
) -> None:
    log = clamav_milter.process.folder / "log"
    before = log.read_text().count("infected by")

    data = messages.message(messages.EICAR + b"\r\n", b"X-Obey: score=9")

    assert send(mta.port, data).final.code == 250
    assert filterd.last()["action"] == "quarantine"
    mta.settled()
    assert mta.mailboxes == {}
    assert log.read_text().count("infected by") == before


def test_what_we_take_out_is_gone_for_the_second(mta: Mta) -> None:
    """A virus in a banned part: the part is stripped, and the second finds nothing."""
    data = messages.multipart([("eicar.com", messages.EICAR)])

    assert send(mta.port, data).final.code == 250

    (mail,) = mta.mail()
    assert b"eicar.com was removed" in mail.body
    assert mail.value("X-Virus-Status") == "Clean"


def test_what_the_first_refuses_never_reaches_us(behind: Mta, filterd: Filterd) -> None:
    """On one connection: its refusal, ours, and a message that both let pass."""
    before = len(filterd.log_lines())

    with Conversation(behind.port) as client:
        client.ehlo()
        virus = client.transaction(messages.eicar()).final
        spam = client.transaction(messages.gtube()).final
        clean = client.transaction(messages.message()).final
        client.quit()

    assert str(virus).startswith("550 5.7.1 other filter")
    assert str(spam).startswith("550 5.7.1 Message refused as spam (id=")
    assert clean.code == 250
    (mail,) = behind.mail()
    assert mail.value("X-Spam-Status").startswith("No, ")
    assert [line["action"] for line in filterd.log_lines()[before:]] == ["reject", "accept"]
