"""Known senders behind each real MTA: what one session sends, the next one's mail is judged by."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest

from tests.helpers.process import folder, wait_for
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.smtp import Conversation

NAMES = ("KNOWN_SENDER", "KNOWN_REPLY", "KNOWN_WRITES")

JOE, SUE = "joe@mx.example.test", "sue@mx.example.test"

SETTINGS = """
[filters.known]
domains = ["client.example"]
clients = ["127.0.2.0/24"]
site = true
"""
"""Mail goes from client.example to mx.example.test, and comes back: the MTA of the tests delivers
for that domain only."""


class Site:
    """The daemon with this filter, and an MTA before it."""

    def __init__(self, daemon: Filterd, mta: Mta) -> None:
        self.daemon, self.mta = daemon, mta
        self._numbers = itertools.count(1)

    def send(self, address: str, author: str, recipient: str, header: str = "") -> set[str]:
        """The symbols of a message that say something of conversations."""
        id = f"<{next(self._numbers)}@client.example>"
        data = f"From: {author}\r\nMessage-ID: {id}\r\n{header}\r\nhello\r\n".encode()
        with Conversation(self.mta.port, source=address) as client:
            client.ehlo()
            seen = client.transaction(data, recipient, sender=author)
            client.quit()
        assert seen.final.code == 250, seen

        def lines() -> list[dict[str, object]]:
            return [line for line in self.daemon.log_lines() if line["message_id"] == id]

        (line,) = wait_for("its line in the log", lines)
        return {name for name in NAMES if name in json.dumps(line)}


@pytest.fixture(scope="module", params=["sendmail", "postfix", "own"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with folder("known") as place, folder(request.param) as there:
        daemon = Filterd(place, more=SETTINGS)
        text = daemon.configuration.read_text()
        wanted = text.replace('"obedient", ', '"known", "obedient", ')
        assert wanted != text
        daemon.configuration.write_text(wanted)
        daemon.start()
        mta = MTAS[request.param](there, filterd=f"unix:{daemon.socket}")
        mta.start()
        yield Site(daemon, mta)
        mta.stop()
        daemon.stop()


def test_who_was_written_to_is_known_to_the_next_process(site: Site) -> None:
    reply = "In-Reply-To: <2@client.example>\r\n"
    assert site.send("127.0.3.1", JOE, SUE, reply) == set()
    assert site.send("127.0.2.1", "ann@client.example", JOE) == {"KNOWN_WRITES"}

    def known() -> bool:
        found = site.send("127.0.3.1", JOE, SUE, reply)
        return found == {"KNOWN_SENDER", "KNOWN_REPLY"}

    wait_for("it is known", known)
    assert site.send("127.0.3.1", "max@mx.example.test", SUE) == set()
    assert site.send("127.0.3.1", "eve@client.example", SUE, reply) == set()
