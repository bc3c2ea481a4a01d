"""The fixtures themselves: all MTAs with filters that are not ours.

What fails here for sendmail and Postfix is the machine's or the fixtures' fault, not filterd's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.mta.sendmail.cf_files import read_cf
from tests.helpers import messages, servers
from tests.helpers.process import Program, folder, listens, wait_for
from tests.helpers.servers.clamav_milter import ClamavMilter
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.servers.opendkim import Opendkim
from tests.helpers.servers.own_mta import OwnMta
from tests.helpers.servers.sendmail import Sendmail
from tests.helpers.smtp import send

TAGGING = Path(servers.__file__).with_name("tagging_filter.py")


@pytest.fixture(scope="module", params=MTAS)
def mta(
    request: pytest.FixtureRequest, opendkim: Opendkim, clamav_milter: ClamavMilter
) -> Iterator[Mta]:
    """The MTA with three filters in line: a trivial one, opendkim, clamav-milter."""
    with folder("tagging") as path, folder(request.param) as mta_path:
        socket = path / "tagging.sock"
        tagging = Program([sys.executable, "-P", TAGGING, socket], path, patience=0.2)
        tagging.start(lambda: listens(socket))
        socket.chmod(0o666)
        server = MTAS[request.param](
            mta_path, f"unix:{socket}", f"unix:{opendkim.socket}", f"unix:{clamav_milter.socket}"
        )
        server.start()
        yield server
        server.stop()
        tagging.stop()


def test_no_load_average_makes_sendmail_refuse_mail_or_put_it_off() -> None:
    with folder("sendmail") as path:
        cf = read_cf(Sendmail(path, "").folder / "sendmail.cf")
    for name in ("QueueLA", "RefuseLA"):
        assert int(cf.option(name, "8")) > 10_000


def test_clean_mail_passes_all_filters(mta: Mta) -> None:
    seen = send(mta.port, messages.message())

    assert seen.final.code == 250
    (mail,) = mta.mail()
    assert mail.value("X-Tagged") == "yes"
    assert "d=client.example" in mail.value("DKIM-Signature")
    assert mail.value("X-Virus-Status") == "Clean"
    assert mail.body == messages.CLEAN_BODY.replace(b"\r\n", b"\n")


def test_another_filters_refusal_reaches_the_client(mta: Mta) -> None:
    seen = send(mta.port, messages.eicar())

    assert str(seen.final).startswith("550 5.7.1 other filter found Eicar-Test-Signature")


def test_one_recipient_of_two_is_refused(mta: Mta) -> None:
    seen = send(mta.port, messages.message(), ["refused@mx.example.test", "joe@mx.example.test"])

    assert [reply.code for reply in seen.rcpt] == [550, 250]
    assert "nobody of that name" in seen.rcpt[0].text
    mta.mail()
    assert mta.mailboxes == {}
    if not isinstance(mta, OwnMta):
        wait_for("the reason in the log", lambda: "nobody of that name" in mta.log)
