"""Known senders: who was written to, replies, and what must make nobody known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from filterd.chain.report import ScanReport
from filterd.chain.services import Services
from filterd.chain.stages import Session
from filterd.chain.verdict import NO_OPINION, Action, Symbol, Verdict
from filterd.filters.identities import owner_of
from filterd.filters.known.correspondents import Correspondents, site_key
from filterd.filters.known.filter import LOOKED_AT, Known
from filterd.filters.known.header import IDS_LIMIT, id_of, is_automatic, replies_to
from filterd.filters.known.settings import DAY, KnownSettings
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.authentication import (
    Authentication,
    AuthResult,
    DkimCheck,
    DmarcCheck,
    SpfCheck,
)
from filterd.state.facts import StateError
from filterd.state.opening import open_state
from filterd.state.settings import StateSettings
from filterd.system.mistakes import SettingsError
from filterd.testing import Smtp
from tests.helpers.authentication import auth, key_line
from tests.helpers.clock import Clock
from tests.helpers.dkim import mail as dkim_mail
from tests.helpers.dkim import signed, signing_key
from tests.helpers.name_server import name_server, zone

NOW = 1_700_000_000.0

OUTSIDE, INSIDE = "192.0.2.1", "127.0.0.1"


def proven(domain: str) -> Authentication:
    return Authentication(dmarc=DmarcCheck(AuthResult.PASS, domain, dkim_aligned=True))


def claimed(domain: str) -> Authentication:
    return Authentication(dmarc=DmarcCheck(AuthResult.FAIL, domain))


class Authenticator:
    """A filter that knows who sent a message, as `auth` does."""

    name = "auth"
    found: Authentication | None = None

    def examine(self, _message: Message) -> Verdict:
        return Verdict(authentication=self.found)


class Site:
    """A site, its clock, and mail that goes out and comes in."""

    def __init__(self, services: Services | None = None, **settings: object) -> None:
        self.clock = Clock()
        self.clock.now = NOW
        self.services = services or Services()
        self.settings = KnownSettings(**settings)  # type: ignore[arg-type]
        self.filter = Known(self.settings, self.services, self.clock)
        self.authenticator = Authenticator()

    def mail(
        self, client: str, sender: str, recipients: tuple[str, ...], data: bytes, user: str = ""
    ) -> ScanReport:
        smtp = Smtp(self.authenticator, self.filter)
        smtp.connect(client)
        smtp.sender(sender, **({"auth_authen": user} if user else {}))
        for one in recipients:
            smtp.recipient(one)
        smtp.data()
        return smtp.message(data)

    def sends(
        self,
        *recipients: str,
        sender: str = "joe@mx.example",
        id: str = "<1@mx.example>",
        header: str = "",
        user: str = "",
        client: str = INSIDE,
    ) -> ScanReport:
        """Somebody here writes to these."""
        text = f"From: {sender}\r\nMessage-ID: {id}\r\n{header}\r\nhi\r\n"
        return self.mail(client, sender, recipients, text.encode(), user)

    def gets(
        self,
        author: str = "ann@a.example",
        *recipients: str,
        header: str = "",
        found: Authentication | None = None,
        sender: str = "",
    ) -> dict[str, float]:
        """Mail comes from outside; the symbols and points that count for all recipients."""
        report = self.report(author, *recipients, header=header, found=found, sender=sender)
        return {symbol.name: symbol.score for symbol in report.symbols}

    def report(
        self,
        author: str,
        *recipients: str,
        header: str = "",
        found: Authentication | None = None,
        sender: str = "",
    ) -> ScanReport:
        self.authenticator.found = found
        data = f"From: {author}\r\n{header}\r\nhello\r\n".encode()
        every = recipients or ("joe@mx.example",)
        report = self.mail(OUTSIDE, sender or "x@elsewhere.example", every, data)
        self.authenticator.found = None
        return report


def test_who_was_written_to_is_known() -> None:
    site = Site()
    assert site.gets() == {}
    sent = site.sends("ann@a.example")
    assert sent.symbols == (Symbol("KNOWN_WRITES", 0.0, "1 recipient"),)
    assert site.gets(found=proven("a.example")) == {"KNOWN_SENDER": -3.0}
    # Nobody has authenticated it.
    assert site.gets() == {"KNOWN_SENDER": -0.75}
    # Somebody tried, and could not.
    assert site.gets(found=claimed("a.example")) == {}
    assert site.gets("bob@a.example", found=proven("a.example")) == {}


def test_a_reply_is_known_whoever_writes_it() -> None:
    site = Site()
    site.sends("desk@a.example", id="<Q-1@mx.example>")
    reply = "In-Reply-To: <Q-1@mx.example>\r\n"
    found = proven("a.example")
    assert site.gets("ann@a.example", header=reply, found=found) == {"KNOWN_REPLY": -3.0}
    assert site.gets("desk@a.example", header=reply, found=found) == {
        "KNOWN_SENDER": -3.0,
        "KNOWN_REPLY": -3.0,
    }
    assert site.gets("ann@a.example", header=reply) == {"KNOWN_REPLY": -0.75}
    later = "References: <0@c.example> <Q-1@mx.example>\r\n <2@a.example>\r\n"
    assert site.gets("ann@a.example", header=later, found=found) == {"KNOWN_REPLY": -3.0}
    # Ids are compared as they are.
    other = "In-Reply-To: <q-1@mx.example>\r\n"
    assert site.gets("ann@a.example", header=other, found=found) == {}


PROOFS: dict[str, tuple[Authentication, bool]] = {
    "DKIM of the domain": (Authentication(dkim=(DkimCheck(AuthResult.PASS, "a.example"),)), True),
    "DKIM of another": (Authentication(dkim=(DkimCheck(AuthResult.PASS, "b.example"),)), False),
    "DKIM of one below": (Authentication(dkim=(DkimCheck(AuthResult.PASS, "x.a.example"),)), False),
    "DKIM fails": (Authentication(dkim=(DkimCheck(AuthResult.FAIL, "a.example"),)), False),
    "SPF of the domain": (Authentication(spf=SpfCheck(AuthResult.PASS, "a.example")), True),
    "SPF of HELO": (Authentication(helo=SpfCheck(AuthResult.PASS, "a.example")), False),
    "no record, and aligned": (
        Authentication(dmarc=DmarcCheck(AuthResult.NONE, "a.example", spf_aligned=True)),
        True,
    ),
    "another author": (proven("b.example"), False),
    "the DNS is away": (
        Authentication(dmarc=DmarcCheck(AuthResult.TEMPERROR, "a.example")),
        False,
    ),
    "nothing": (Authentication(), False),
}


@pytest.mark.parametrize(("found", "expected"), PROOFS.values(), ids=PROOFS)
def test_the_author_must_be_authenticated(found: Authentication, expected: bool) -> None:
    site = Site()
    site.sends("ann@a.example")
    assert site.gets(found=found) == ({"KNOWN_SENDER": -3.0} if expected else {})


def test_each_recipient_knows_its_own() -> None:
    site = Site()
    site.sends("ann@a.example", sender="joe@mx.example", id="<1@mx.example>")
    assert site.gets("ann@a.example", "eve@mx.example") == {}
    reply = "In-Reply-To: <1@mx.example>\r\n"
    report = site.report("ann@a.example", "joe@mx.example", "eve@mx.example", header=reply)
    assert report.symbols == ()
    assert {one.recipient: [s.name for s in one.symbols] for one in report.outcomes} == {
        "joe@mx.example": ["KNOWN_SENDER", "KNOWN_REPLY"],
        "eve@mx.example": [],
    }
    site.sends("ann@a.example", sender="eve@mx.example", id="<2@mx.example>")
    assert site.gets("ann@a.example", "joe@mx.example", "eve@mx.example") == {"KNOWN_SENDER": -0.75}


def test_or_all_know_who_is_known_to_one() -> None:
    site = Site(site=True)
    site.sends("ann@a.example", id="<1@mx.example>")
    reply = "In-Reply-To: <1@mx.example>\r\n"
    assert set(site.gets("ann@a.example", "eve@mx.example")) == {"KNOWN_SENDER"}
    assert set(site.gets("bob@b.example", "eve@mx.example", header=reply)) == {"KNOWN_REPLY"}
    assert site.gets("bob@b.example", "eve@mx.example") == {}


SPELLINGS = [
    ("ann+news@a.example", "ann@a.example", "joe@mx.example", "joe@mx.example"),
    ("ann@a.example", "Ann+reply@A.example.", "joe@mx.example", "joe@mx.example"),
    ("jürgen@müller.example", "jürgen@xn--mller-kva.example", "joe@mx.example", "joe@mx.example"),
    ("ann@a.example", "ann@a.example", "joe+x@mx.example", "JOE+y@mx.example"),
    # BATV: the envelope has a tag that changes daily.
    ("ann@a.example", "ann@a.example", "prvs=1234abcdef=joe@mx.example", "joe@mx.example"),
    ("ann@a.example", "ann@a.example", "joe@mx.example", "prvs=9876543210=joe@mx.example"),
]


@pytest.mark.parametrize(("written_to", "author", "sender", "recipient"), SPELLINGS)
def test_mailboxes_in_any_spelling(
    written_to: str, author: str, sender: str, recipient: str
) -> None:
    site = Site()
    site.sends(written_to, sender=sender)
    assert set(site.gets(author, recipient)) == {"KNOWN_SENDER"}


def test_an_author_that_hides_another_in_srs_is_not_the_other() -> None:
    site = Site()
    site.sends("ann@a.example")
    forged = "srs0=abcd=xy=a.example=ann@b.example"
    assert site.gets(forged, found=proven("b.example")) == {}
    assert site.gets("prvs=1234abcdef=ann@a.example", found=proven("a.example")) == {}


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("prvs=1234abcdef=joe+x@mx.example", "joe@mx.example"),
        ("prvs=joe@mx.example", "prvs=joe@mx.example"),
        ("prvs=1=a=b@mx.example", "a=b@mx.example"),
        ("", ""),
    ],
)
def test_whose_mailbox(address: str, owner: str) -> None:
    assert owner_of(address) == owner


def test_our_own_domain_from_outside_is_never_known() -> None:
    site = Site()
    site.sends("eve@mx.example", "eve@b.example")
    reply = "In-Reply-To: <1@mx.example>\r\n"
    assert site.gets("eve@mx.example", header=reply) == {}
    # That b.example is ours as well, the settings would have to say.
    assert set(site.gets("eve@b.example")) == {"KNOWN_SENDER"}
    site = Site(domains=("mx.example", ".b.example"))
    site.sends("eve@mx.example", "eve@b.example", "ann@a.example")
    assert site.gets("eve@b.example", header=reply) == {}
    assert site.gets("eve@sub.b.example", header=reply) == {}
    assert set(site.gets("ann@a.example")) == {"KNOWN_SENDER"}
    # A reply of a colleague who sends by way of another host, with a proof.
    found = proven("b.example")
    assert site.gets("eve@b.example", header=reply, found=found) == {"KNOWN_REPLY": -3.0}


def test_whose_mail_goes_out() -> None:
    site = Site()
    site.sends("ann@a.example", client=OUTSIDE)
    assert site.gets() == {}
    site.sends("ann@a.example", client=OUTSIDE, user="joe")
    assert set(site.gets()) == {"KNOWN_SENDER"}
    site = Site(clients=("198.51.100.0/24",))
    site.sends("ann@a.example", client=INSIDE)
    assert site.gets() == {}
    site.sends("ann@a.example", client="198.51.100.9")
    assert set(site.gets()) == {"KNOWN_SENDER"}
    # Mail from outside that a relay of this host hands in: a filter before us, or fetchmail.
    site = Site(Services(trusted_networks=("local",)))
    received = "Received: from mail.a.example (mail.a.example [192.0.2.1]) by mx.example; x\r\n"
    assert site.sends("joe@mx.example", sender="ann@a.example", header=received).symbols == ()
    assert site.sends("ann@a.example").symbols != ()
    site = Site(domains=("mx.example",))
    site.sends("joe@mx.example", "bob@b.example", sender="ann@a.example")
    assert site.gets("bob@b.example", "ann@a.example") == {}


AUTOMATIC = [
    "Auto-Submitted: auto-replied",
    "Auto-Submitted: auto-generated (vacation)",
    "Auto-Submitted:",
    "Precedence: bulk",
    "precedence : LIST",
    "Precedence: junk",
    "List-Id: <chess.example>",
    "List-Unsubscribe: <mailto:x@mx.example>",
    "Content-Type: multipart/report; report-type=disposition-notification; boundary=x",
]


@pytest.mark.parametrize("header", AUTOMATIC)
def test_lists_and_answering_machines_make_nobody_known(header: str) -> None:
    site = Site()
    assert site.sends("ann@a.example", header=f"{header}\r\n").symbols == ()
    assert site.gets(header="In-Reply-To: <1@mx.example>\r\n") == {}


def test_mail_of_people_is_not_automatic() -> None:
    header = b"Auto-Submitted: no\r\nPrecedence: first-class\r\n"
    assert not is_automatic(Message(header + b"\r\nhi\r\n"))


def test_bounces_and_large_audiences_make_nobody_known() -> None:
    site = Site(recipients_limit=2)
    assert site.sends("ann@a.example", sender="").symbols == ()
    site.sends("ann@a.example", "bob@a.example", "cid@a.example")
    assert site.gets() == {}
    site.sends("ann@a.example", "bob@a.example")
    assert set(site.gets()) == {"KNOWN_SENDER"}


NOT_SENT: dict[str, Callable[[ScanReport], ScanReport]] = {
    "refused": lambda one: dataclasses.replace(one, action=Action.REJECT),
    "kept": lambda one: dataclasses.replace(one, action=Action.QUARANTINE),
    "looks like spam": lambda one: dataclasses.replace(one, labelled=True),
    "held by the MTA": lambda one: dataclasses.replace(one, mta_quarantine="spam"),
    "released": lambda one: dataclasses.replace(one, released="old"),
    "not for her": lambda one: dataclasses.replace(one, dropped=("ann@a.example",)),
}


@pytest.mark.parametrize("change", NOT_SENT.values(), ids=NOT_SENT)
def test_what_is_not_sent_makes_nobody_known(change: Callable[[ScanReport], ScanReport]) -> None:
    before, site = Site(), Site()
    sent = before.sends("ann@a.example", "bob@b.example")
    site.filter.reported(Session("s"), change(sent))
    assert site.gets() == {}
    site.filter.reported(Session("s"), sent)
    assert set(site.gets()) == {"KNOWN_SENDER"}


def test_knowledge_expires_unless_it_is_used() -> None:
    site = Site(keep_days=100, reply_days=10)
    site.sends("ann@a.example")
    reply = "In-Reply-To: <1@mx.example>\r\n"
    site.clock.now = NOW + 10 * DAY - 1
    assert set(site.gets(header=reply)) == {"KNOWN_SENDER", "KNOWN_REPLY"}
    site.clock.now = NOW + 10 * DAY
    assert set(site.gets(header=reply)) == {"KNOWN_SENDER"}
    site.clock.now = NOW + 99 * DAY
    site.sends("ann@a.example", id="<2@mx.example>")
    site.clock.now = NOW + 198 * DAY
    assert set(site.gets()) == {"KNOWN_SENDER"}
    site.clock.now = NOW + 199 * DAY
    assert site.gets() == {}


def test_an_account_makes_only_so_many_people_known_in_a_day(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site(new_per_day=2)
    site.sends("a@a.example", "b@a.example", id="<1@mx.example>")
    site.sends("a@a.example", "c@a.example", id="<2@mx.example>")
    assert "has written to 2 new people today" in caplog.text
    assert set(site.gets("a@a.example")) == {"KNOWN_SENDER"}
    assert site.gets("c@a.example") == {}
    # Replies to the message are replies all the same, and others write to whom they like.
    assert set(site.gets("c@a.example", header="References: <2@mx.example>\r\n")) == {"KNOWN_REPLY"}
    site.sends("c@a.example", sender="eve@mx.example")
    assert set(site.gets("c@a.example", "eve@mx.example")) == {"KNOWN_SENDER"}
    site.clock.now = NOW + 2 * DAY
    site.sends("c@a.example", id="<3@mx.example>")
    assert set(site.gets("c@a.example")) == {"KNOWN_SENDER"}


@pytest.mark.parametrize(
    "author",
    [
        "ann@a.example, bob@a.example",
        "ann@a.example\r\nFrom: ann@a.example",
        "@a.example",
        "Ann",
        "<>",
        "",
    ],
)
def test_a_message_without_one_author_has_no_known_one(author: str) -> None:
    site = Site(site=True)
    site.sends("ann@a.example")
    reply = "In-Reply-To: <1@mx.example>\r\n"
    assert site.gets(author, header=reply, found=proven("a.example")) == {}


def test_a_thousand_ids_are_read_up_to_a_limit() -> None:
    many = " ".join(f"<{n}@a.example>" for n in range(1000))
    message = Message(f"References: {many}\r\nIn-Reply-To: {many}\r\n\r\nhi\r\n".encode())
    found = replies_to(message)
    assert found[:5] == tuple(f"{n}@a.example" for n in range(5))
    assert found[5:7] == ("999@a.example", "998@a.example")
    assert len(found) == 5 + IDS_LIMIT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<1@a.example>", "1@a.example"),
        ("(x) <1@a.example> y", "1@a.example"),
        ("<1 2@a.example>", ""),
        ("1@a.example", ""),
        ("<" + "x" * 501 + ">", ""),
        ("<" * 9000, ""),
        ("", ""),
    ],
)
def test_ids(text: str, expected: str) -> None:
    assert id_of(text) == expected


def test_many_recipients_are_looked_at_up_to_a_limit() -> None:
    site = Site()
    site.sends("ann@a.example")
    many = tuple(f"u{n}@mx.example" for n in range(LOOKED_AT))
    report = site.report("ann@a.example", "joe@mx.example", *many)
    assert report.symbols == ()
    by_recipient = {one.recipient: one.symbols for one in report.outcomes}
    assert [name for name, symbols in by_recipient.items() if symbols] == ["joe@mx.example"]
    late = site.report("ann@a.example", *many, "joe@mx.example")
    assert not any(one.symbols for one in late.outcomes)
    for one in many:
        site.sends("ann@a.example", sender=one)
    most = site.report("ann@a.example", *many, "joe@mx.example", "eve@mx.example")
    assert [one.recipient for one in most.outcomes if one.symbols] == [*many]


def test_the_state_shows_no_address(tmp_path: Path) -> None:
    state = open_state(StateSettings(), tmp_path / "state.sqlite3")
    site = Site(Services(state=lambda: state))
    site.sends("ann@a.example")
    assert set(site.gets()) == {"KNOWN_SENDER"}
    for kind in ("known", "known_site", "known_sent"):
        (entry,) = state.entries(kind, NOW, 10)
        assert "ann" not in f"{entry}"
        assert "joe" not in f"{entry}"
    state.close()
    octets = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"a.example" not in octets
    # With another key nobody is known.
    _key_file(tmp_path / "key", b"k" * 16)
    other = Site(Services(state=lambda: state), key_file=tmp_path / "key")
    assert other.gets() == {}
    other.sends("ann@a.example")
    assert set(other.gets()) == {"KNOWN_SENDER"}


def _key_file(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"", 0o600, "has 0 octets; expected a key of 16 or more"),
        (b"k" * 15, 0o600, "has 15 octets; expected a key of 16 or more"),
        (b"k" * 16, 0o644, "has mode 0644, expected 0600: chmod 600 .*key"),
        (None, 0o600, "No such file or directory"),
    ],
)
def test_with_a_key_that_cannot_be_used_it_does_not_start(
    tmp_path: Path, content: bytes | None, mode: int, why: str
) -> None:
    path = tmp_path / "key"
    if content is not None:
        _key_file(path, content, mode)
    site = Site(key_file=path)
    with pytest.raises(SettingsError, match=rf"filters\.known\.key_file: .*key: {why}"):
        site.filter.prepare()
    with pytest.raises(OSError, match=why):
        site_key(site.settings, Services())


def test_the_key_is_read_at_the_start(tmp_path: Path) -> None:
    path = _key_file(tmp_path / "key", b"k" * 16, 0o640)
    site = Site(key_file=path)
    site.filter.prepare()
    path.unlink()
    envelope = Envelope("x@y.example", (Recipient("joe@mx.example"),), Client("", OUTSIDE))
    message = Message(b"From: ann@a.example\r\n\r\nhi\r\n", envelope)
    assert site.filter.examine(message) is NO_OPINION
    Site().filter.prepare()


def test_a_state_that_is_away_is_a_failed_filter() -> None:
    def away() -> None:
        raise StateError("state.url: nothing answers")

    site = Site(Services(state=away))  # type: ignore[arg-type]
    report = site.report("ann@a.example", "joe@mx.example")
    assert [str(one) for one in report.failures] == ["unavailable: state.url: nothing answers"]


def test_a_site_that_has_no_key_yet_knows_nobody() -> None:
    def no_key() -> bytes:
        raise FileNotFoundError(2, "no such file", "release.key")

    site = Site(Services(key=no_key))
    site.sends("ann@a.example")
    assert site.gets() == {}


def test_people_may_ask_and_make_it_forget() -> None:
    site = Site()
    known = Correspondents(
        site.settings, site.services.state, site_key(site.settings, site.services)
    )
    assert known.of("ann@a.example", NOW) is None
    site.sends("ann@a.example")
    site.clock.now += 60
    site.sends("ann@a.example", sender="eve@mx.example")
    found = known.of("ann@a.example", site.clock.now)
    assert found is not None
    assert (found.writers, found.first, found.last) == (2, NOW, NOW + 60)
    assert known.forget("ann@a.example", site.clock.now)
    assert not known.forget("ann@a.example", site.clock.now)
    assert site.gets() == {}
    assert site.gets("ann@a.example", "eve@mx.example") == {}


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"domains": ("a b",)}, "domains"), ({"clients": ("192.0.2.0/99",)}, "clients")],
)
def test_settings_that_cannot_be_read(settings: dict[str, object], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        KnownSettings(**settings)  # type: ignore[arg-type]


def test_a_message_from_outside_with_nothing_known_is_no_opinion() -> None:
    site = Site()
    assert site.filter.examine(Message(b"From: ann@a.example\r\n\r\nhi\r\n")) is NO_OPINION


@pytest.mark.server
def test_the_filter_that_authenticates_says_who_is_known() -> None:
    key = signing_key("ed25519-sha256", "bank.example", "mail")
    letter = signed(dkim_mail(b"hello\r\n"), key)
    forged = letter.replace(b"hello", b"howdy")
    with name_server(zone(key_line(key))) as server, auth(server.address) as checks:
        site = Site()
        site.authenticator = checks  # type: ignore[assignment]
        site.sends("ann@bank.example")
        recipients = ("joe@mx.example",)
        found = site.mail(OUTSIDE, "x@elsewhere.example", recipients, letter)
        assert {"DKIM_VALID", "KNOWN_SENDER"} <= {one.name for one in found.symbols}
        found = site.mail(OUTSIDE, "ann@bank.example", recipients, forged)
        assert {"DKIM_INVALID"} <= {one.name for one in found.symbols}
        assert "KNOWN_SENDER" not in {one.name for one in found.symbols}
