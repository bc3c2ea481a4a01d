"""Rules behind each MTA: a rule labels, holds or refuses; broken files change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import messages
from tests.helpers.milter import one_message
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.filterd import Filterd, id_in
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.smtp import send

RULES = """\
body     CHEAP_PILLS  /\\bcheap pills\\b/i
describe CHEAP_PILLS  Pills at a price
score    CHEAP_PILLS  6.25
header   LOTTERY_WON  Subject =~ /you have won/i
describe LOTTERY_WON  A lottery that nobody entered
score    LOTTERY_WON  9.5
meta     PILLS_AND_LOTTERY CHEAP_PILLS && LOTTERY_WON
describe PILLS_AND_LOTTERY Both at once
score    PILLS_AND_LOTTERY 5
"""

SETTINGS = """\
[filters.rules]
files = ["{file}"]
stock = false
own = false
cache = "{folder}/rules"
"""


class Site:
    """filterd with one rule file."""

    def __init__(self, path: Path) -> None:
        self.file = path / "local.cf"
        self.file.write_text(RULES)
        more = SETTINGS.format(file=self.file, folder=path)
        self.filterd = Filterd(path, more=more, also=["rules"])

    def replaced(self, text: str) -> None:
        """The file is another one, as sa-update and editors write it."""
        other = self.file.with_suffix(".new")
        other.write_text(text)
        other.replace(self.file)

    def log_line(self, word: str) -> str:
        """Wait for a line of the log."""

        def look() -> list[str]:
            lines = self.filterd.process.output.splitlines()
            return [line for line in lines if word in line]

        return wait_for(f"log line with {word!r}", look)[-1]

    @property
    def symbols(self) -> object:
        """What a message about pills gets, as the log has it."""
        before = len(self.filterd.log_lines())
        one_message(self.filterd.socket, body=b"cheap pills\r\n")
        wait_for("a log line", lambda: len(self.filterd.log_lines()) > before)
        return self.filterd.log_lines()[-1]["symbols"]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with folder("rules") as path:
        one = Site(path)
        one.filterd.start()
        yield one
        one.filterd.stop()


@pytest.fixture(scope="module", params=MTAS)
def mta(request: pytest.FixtureRequest, site: Site) -> Iterator[Mta]:
    with folder(request.param) as path:
        server = MTAS[request.param](path, filterd=f"unix:{site.filterd.socket}")
        server.start()
        yield server
        server.stop()


def spam(subject: bytes = b"Minutes", body: bytes = b"hello\r\n") -> bytes:
    head, _, _ = messages.message().partition(b"\r\n\r\n")
    lines = [one for one in head.split(b"\r\n") if not one.startswith(b"Subject:")]
    return b"\r\n".join([*lines, b"Subject: " + subject, b"", body])


def test_mail_without_a_hit_passes(mta: Mta) -> None:
    assert send(mta.port, spam()).final.code == 250
    (mail,) = mta.mail()
    assert mail.value("X-Spam-Status") == "No, score=0.0 required=5.0 tests=none"


def test_a_rule_labels(mta: Mta) -> None:
    assert send(mta.port, spam(body=b"Cheap\r\npills!\r\n")).final.code == 250
    (mail,) = mta.mail()
    assert mail.value("X-Spam-Flag") == "YES"
    assert mail.value("X-Spam-Status") == "Yes, score=6.25 required=5.0 tests=CHEAP_PILLS"


def test_a_rule_holds_and_the_entry_says_why(mta: Mta, site: Site) -> None:
    before = site.filterd.stored
    assert send(mta.port, spam(b"=?utf-8?q?You_have_won?=")).final.code == 250
    (id,) = site.filterd.stored - before
    entry = site.filterd.entry(id)
    assert (entry.reason, entry.action) == ("spam", "quarantine")
    assert [(s.name, s.score, s.detail) for s in entry.symbols] == [
        ("LOTTERY_WON", 9.5, "A lottery that nobody entered")
    ]
    mta.settled()
    assert mta.mailboxes == {}


def test_rules_refuse_together(mta: Mta, site: Site) -> None:
    seen = send(mta.port, spam(b"You have won", b"cheap pills\r\n"))
    assert seen.final.code == 550
    names = sorted(s.name for s in site.filterd.entry(id_in(seen.final.text)).symbols)
    assert names == ["CHEAP_PILLS", "LOTTERY_WON", "PILLS_AND_LOTTERY"]


@pytest.fixture
def own_site() -> Iterator[Site]:
    """One that a test may break."""
    with folder("rules") as path:
        one = Site(path)
        one.filterd.start()
        yield one
        one.filterd.stop()


def test_new_rules_come_into_force_by_themselves(own_site: Site) -> None:
    assert own_site.symbols == "CHEAP_PILLS:6.25"

    own_site.replaced("body NEW_PILLS /pills/\nscore NEW_PILLS 3\n")

    own_site.log_line("reloaded, chain")
    assert own_site.symbols == "NEW_PILLS:3.0"


@pytest.mark.parametrize(
    "text",
    ["body NEW_PILLS /pills/\nbody BROKEN /(pills/\n", "if (version > 1)\n" + RULES],
    ids=["a bad pattern", "half a file"],
)
def test_broken_rules_leave_the_last_good_ones_and_no_message_is_lost(
    own_site: Site, text: str
) -> None:
    assert own_site.symbols == "CHEAP_PILLS:6.25"

    own_site.replaced(text)

    line = own_site.log_line("the last good rules stay in force")
    assert str(own_site.file) in line
    own_site.log_line("reloaded, chain")
    assert own_site.symbols == "CHEAP_PILLS:6.25"

    own_site.filterd.stop()
    own_site.filterd.start()
    assert own_site.symbols == "CHEAP_PILLS:6.25"
