"""Released mail goes through a real MTA, past filterd once more, and arrives as it was.

The release goes to the very port whose mail is filtered: only the signed mark lets it pass.
"""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from filterd.maillog.lines import DeliveryAttempt
from filterd.maillog.log import MailLog
from filterd.maillog.settings import MailLogSettings
from filterd.message import Envelope, Recipient
from filterd.message.ids import new_id
from filterd.quarantine import Store
from filterd.quarantine.release import Releaser, ReleaseRequest
from tests.helpers import messages
from tests.helpers.process import wait_for
from tests.helpers.reports import new_entry
from tests.helpers.servers.filterd import Filterd, id_in
from tests.helpers.servers.mta import Mta
from tests.helpers.smtp import send

HOLD = b"X-Obey: score=9"


def releasing(filterd: Filterd, mta: Mta) -> tuple[Store, Releaser]:
    settings = dataclasses.replace(
        filterd.store.settings, release_port=mta.port, release_timeout=30.0
    )
    store = Store(settings)
    return store, Releaser(store)


def held(filterd: Filterd, mta: Mta, data: bytes) -> str:
    """Send a message that is held; its id."""
    before = filterd.stored
    assert send(mta.port, data, parameters=" BODY=8BITMIME").final.code == 250
    (id,) = filterd.stored - before
    return id


@pytest.mark.parametrize(
    "body",
    [
        messages.CLEAN_BODY,
        b".\r\n..\r\n.leading\r\n\r\n.\r\n",
        b"Gr\xfc\xdfe \x80\xff\r\n",
        b"x" * 900 + b"\r\n",
    ],
    ids=["plain", "dots", "8-bit", "long line"],
)
def test_a_released_message_arrives_as_it_was_and_is_not_held_again(
    mta: Mta, filterd: Filterd, body: bytes
) -> None:
    id = held(filterd, mta, messages.message(body, HOLD, b"X-Odd:value"))
    store, releaser = releasing(filterd, mta)
    before = filterd.stored
    (outcome,) = releaser.release(ReleaseRequest(id, "test"))
    assert outcome.state == "released", outcome
    assert outcome.queue_id
    (came,) = mta.mail()
    assert came.body == body.replace(b"\r\n", b"\n")
    assert came.value("X-Obey") == "score=9"
    assert "RELEASED" in came.value("X-Spam-Status")
    assert came.values("X-Spam-Flag") == []
    assert filterd.stored == before
    assert store.delivery_state(id).state == "released"


@pytest.mark.parametrize("mta", ["sendmail", "postfix"], indirect=True)
def test_the_mtas_log_says_what_became_of_a_release(
    mta: Mta, filterd: Filterd, tmp_path: Path
) -> None:
    id = held(filterd, mta, messages.message(messages.CLEAN_BODY, HOLD))
    _, releaser = releasing(filterd, mta)
    (outcome,) = releaser.release(ReleaseRequest(id, "test"))
    began = datetime.now().timestamp()

    def delivered() -> DeliveryAttempt | None:
        # The library that stands in for syslog writes no head.
        head = f"{datetime.now().astimezone().isoformat()} mx sendmail[1]: "
        text = re.sub(r"(?m)^(?=[0-9A-Za-z]{14}: )", head, mta.log)
        (tmp_path / "log").write_text(text)
        log = MailLog(MailLogSettings(files=(tmp_path / "log",)))
        for line in log.about({outcome.queue_id: began}).lines:
            if isinstance(line, DeliveryAttempt) and line.status == "sent":
                return line
        return None

    line = wait_for("the delivery in the log", delivered)
    assert line is not None
    assert line.recipients == ("joe@mx.example.test",)
    assert line.dsn == "2.0.0"
    assert line.delay is not None
    mta.mail()


def test_the_mark_does_not_fit_another_message(mta: Mta, filterd: Filterd) -> None:
    data = messages.message(messages.CLEAN_BODY, HOLD)
    mark = f" ENVID=filterd:0123456789abcdef:c:{'0' * 64}"
    before = filterd.stored
    assert send(mta.port, data, parameters=mark).final.code == 250
    assert len(filterd.stored - before) == 1


def test_a_virus_that_was_not_known_then_is_caught_now(mta: Mta, filterd: Filterd) -> None:
    store, releaser = releasing(filterd, mta)
    id = new_id()
    store.put(
        new_entry(
            id=id,
            data=messages.eicar(),
            envelope=Envelope("ann@client.example", (Recipient("joe@mx.example.test"),)),
            held_for=("joe@mx.example.test",),
            reason="spam",
            action="quarantine",
            score=9.0,
            required=5.0,
            symbols=(),
            virus="",
            removed=(),
            received=datetime.now(UTC),
        )
    )
    (outcome,) = releaser.release(ReleaseRequest(id, "test"))
    assert (outcome.state, outcome.reply[:3]) == ("failed", "554")
    assert store.delivery_state(id).state == "failed"


def test_a_virus_passes_if_a_person_says_so_and_why(mta: Mta, filterd: Filterd) -> None:
    refused = send(mta.port, messages.eicar()).final
    assert refused.code == 554
    _, releaser = releasing(filterd, mta)
    why = "a sample for the laboratory"
    request = ReleaseRequest(id_in(refused.text), "test", note=why, viruses=True)
    (outcome,) = releaser.release(request)
    assert outcome.state == "released", outcome
    assert mta.mail()[0].body.startswith(messages.EICAR)
