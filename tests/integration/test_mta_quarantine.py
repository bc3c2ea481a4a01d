"""`quarantine_in = "mta"`: the MTA holds what filterd would, and lets it go on request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers import messages
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.servers.own_mta import OwnMta
from tests.helpers.servers.postfix import Postfix
from tests.helpers.servers.sendmail import Sendmail
from tests.helpers.smtp import send

SPAM = messages.message(messages.CLEAN_BODY, b"X-Obey: score=9")


@pytest.fixture(scope="module", params=MTAS)
def holding(request: pytest.FixtureRequest) -> Iterator[tuple[Mta, Filterd]]:
    """MTAs that hold what filterd would quarantine."""
    with folder("daemon") as path, folder(request.param) as mta_path:
        daemon = Filterd(path, more='[policy]\nquarantine_in = "mta"\nsubject_tag = "[spam] "\n')
        daemon.start()
        mta = MTAS[request.param](mta_path, filterd=f"unix:{daemon.socket}")
        mta.start()
        yield mta, daemon
        mta.stop()
        daemon.stop()


def test_the_mta_holds_and_releases(holding: tuple[Mta, Filterd]) -> None:
    mta, daemon = holding

    reply = send(mta.port, SPAM).final

    assert reply.code == 250
    assert daemon.stored == set()
    assert mta.mailboxes == {}
    match mta:
        case Sendmail():
            queue_id = reply.text.split()[1]
            wait_for("the held job", lambda: queue_id in mta.held())
            assert "QUARANTINE: spam" in mta.held()
            mta.run("-qQ", f"-qI{queue_id}", "-v")
        case Postfix():
            queue_id = reply.text.split()[-1]
            wait_for("the held job", lambda: f"{queue_id}!" in mta.held())
            # Why, its log has had since 3.10; before, no more than that a milter wanted it.
            tells = tuple(map(int, mta.version.split(".")[:2])) >= (3, 10)
            reason = "spam" if tells else "milter triggers HOLD action"
            start = f"{queue_id}: milter-hold: END-OF-MESSAGE from "
            line = wait_for(
                "the log line of another process",
                lambda: next((one for one in mta.log.splitlines() if start in one), ""),
            )
            assert f": {reason}; from=<" in line
            mta.run("postsuper", "-H", queue_id)
            mta.run("postqueue", "-i", queue_id)
        case OwnMta():
            queue_id = reply.text.split()[1]
            wait_for("the held job", lambda: queue_id in mta.held())
            assert "held: spam" in mta.held()
            mta.release(queue_id)
    (mail,) = mta.mail()
    assert mail.value("Subject") == "[spam] Minutes of the meeting"
    assert mail.value("X-Spam-Flag") == "YES"


def test_labelled_mail_has_the_subject_tag(holding: tuple[Mta, Filterd]) -> None:
    mta, _ = holding

    send(mta.port, messages.message(messages.CLEAN_BODY, b"X-Obey: score=6"))

    (mail,) = mta.mail()
    assert mail.value("Subject") == "[spam] Minutes of the meeting"
    assert mail.names.count("Subject") == 1
