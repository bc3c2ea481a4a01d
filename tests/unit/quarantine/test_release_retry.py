"""What is tried again by itself, in which form and until when; and what is only attached."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.message import Envelope, Recipient
from filterd.quarantine import QuarantineSettings, Store, StoreError
from filterd.quarantine.entry import describe
from filterd.quarantine.release import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    LOST,
    ReleaseError,
    ReleaseOutcome,
    Releaser,
    ReleaseRequest,
    attached,
)
from tests.helpers.clock import Clock
from tests.helpers.entries import new
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import revised

pytestmark = pytest.mark.slow

PLAIN = b"Subject: x\r\n\r\ntext\r\n"
DAY = 86_400.0
FULL = {"DOT": "452 4.3.1 disk full"}


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = 1_800_000_000.0
    return clock


@pytest.fixture
def store(tmp_path: Path, mta: Mta, clock: Clock) -> Iterator[Store]:
    settings = QuarantineSettings(tmp_path / "q", release_port=mta.port, release_timeout=5.0)
    store = Store(settings, clock)
    yield store
    store.close()


def release(
    store: Store, *to: str, id: str = "id1", **options: object
) -> tuple[ReleaseOutcome, ...]:
    return Releaser(store).release(ReleaseRequest(id, "web:ann", to, **options))  # type: ignore[arg-type]


def envid(mail: str) -> str:
    """What the mark in a MAIL command says of viruses and of outbound mail, which is signed: `c`
    nothing, `v` viruses may pass, `o` outbound, `w` both."""
    found = re.search(r" ENVID=filterd:id1:([cvow]):", mail)
    assert found is not None
    return found[1]


@pytest.mark.slow
def test_pauses_grow_up_to_the_longest_and_the_last_try_ends_them(
    store: Store, mta: Mta, clock: Clock
) -> None:
    store.put(new(data=PLAIN))
    mta.answers = FULL
    (outcome,) = release(store)
    pauses = []
    while outcome.again_at:
        pauses.append(outcome.again_at - clock.now)
        clock.now = outcome.again_at
        ((id, outcome),) = Releaser(store).retry()
        assert (id, outcome.state, outcome.reply) == ("id1", "failed", "452 4.3.1 disk full")
    # Twelve tries, so eleven pauses.
    assert pauses == [300.0, 600.0, 1200.0, 2400.0, 4800.0, 9600.0] + [LONGEST_PAUSE] * 5
    assert (FIRST_PAUSE, LONGEST_PAUSE) == (300.0, 14_400.0)


def test_a_second_try_is_made_as_the_first_one_was_asked_for(
    store: Store, mta: Mta, clock: Clock
) -> None:
    """The form, and that a virus may pass, were a person's decision."""
    store.put(revised(new(data=PLAIN), virus="Eicar"))
    mta.answers = FULL
    release(store, "joe@mx.test", form="attached", viruses=True, note="false alarm")
    mta.answers = {}
    clock.now += DAY
    ((id, outcome),) = Releaser(store).retry()
    assert (id, outcome.recipient, outcome.state) == ("id1", "joe@mx.test", "released")
    (taken,) = mta.taken
    assert taken.mail.startswith("MAIL FROM:<postmaster@")
    assert b"\r\nContent-Type: message/rfc822\r\n" in taken.data
    assert envid(taken.mail) == "w", "a message of our own that has the held one in it"
    told = [(e.what, e.who, e.note, e.form) for e in store.journal.events("id1")]
    assert told == [
        ("releasing", "web:ann", "false alarm", "attached"),
        ("failed", "web:ann", "false alarm", "attached"),
        ("releasing", "filterd", "", "attached"),
        ("released", "filterd", "", "attached"),
    ]


def test_a_second_try_of_the_original_is_the_original_and_lets_no_virus_pass(
    store: Store, mta: Mta, clock: Clock
) -> None:
    store.put(new(data=PLAIN))
    mta.answers = FULL
    release(store)
    mta.answers = {}
    clock.now += DAY
    Releaser(store).retry()
    (taken,) = mta.taken
    assert (taken.data, envid(taken.mail)) == (PLAIN, "c")


def test_an_address_that_no_database_can_hold_is_tried_again_as_it_came(
    store: Store, mta: Mta, clock: Clock
) -> None:
    recipient = "jo\udce9@mx.test"
    envelope = Envelope("a@b.test", (Recipient(recipient),))
    store.put(revised(new(data=PLAIN), envelope=envelope, held_for=(recipient,)))
    mta.answers = FULL
    release(store)
    mta.answers = {}
    clock.now += DAY
    ((_id, outcome),) = Releaser(store).retry()
    assert (outcome.recipient, outcome.state, outcome.done) == (recipient, "released", True)
    assert mta.taken[0].rcpt == ["jo\xe9@mx.test"]
    (second,) = release(store)
    assert (second.recipient, second.state, second.done) == (recipient, "released", False)


def test_one_message_that_cannot_be_released_does_not_keep_the_others_waiting(
    store: Store, mta: Mta, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    mta.answers = FULL
    for id in ("gone", "damaged", "unknown", "well"):
        store.put(new(id, PLAIN))
        release(store, id=id)
    mta.answers = {}
    clock.now += DAY
    store.path("gone").unlink()
    store.path("damaged").write_bytes(PLAIN + b"!")
    store.path("unknown").with_suffix(".json").unlink()
    found = Releaser(store).retry()
    assert [(id, outcome.state, outcome.reply, outcome.again_at) for id, outcome in found] == [
        ("gone", "failed", "the bytes of gone are no longer kept", 0.0),
        ("well", "released", "250 2.0.0 Ok: queued as Q1", 0.0),
    ]
    assert [taken.data for taken in mta.taken] == [PLAIN]
    assert re.findall("id=([a-z]+) cannot be released again", caplog.text) == ["damaged", "unknown"]


def test_of_two_processes_that_try_again_each_message_has_one(
    store: Store, mta: Mta, clock: Clock
) -> None:
    mta.answers = FULL
    for id in ("first", "second"):
        store.put(new(id, PLAIN))
        release(store, id=id)
    mta.answers = {}
    clock.now += DAY
    other = Store(store.settings, clock)
    theirs: list[str] = []

    def meanwhile() -> None:
        mta.at_dot = lambda: None
        theirs.extend(id for id, _outcome in Releaser(other).retry())

    mta.at_dot = meanwhile
    assert [id for id, _outcome in Releaser(store).retry()] == ["first"]
    assert theirs == ["second"]
    assert len(mta.taken) == 2
    other.close()


def test_a_claim_that_died_before_the_journal_knew_it_is_given_up(
    store: Store, mta: Mta, clock: Clock
) -> None:
    """What the journal has of an earlier try says nothing about this one."""
    store.put(new(data=PLAIN))
    mta.answers = FULL
    release(store)
    clock.now += DAY
    assert store.index.claim("id1", ["joe@mx.test"], ["failed"], clock.now, "original")
    clock.now += DAY
    ((_id, outcome),) = Releaser(store).retry()
    assert (outcome.state, outcome.reply, outcome.again_at) == ("failed", f"unknown: {LOST}", 0.0)
    assert outcome.done
    with pytest.raises(ReleaseError, match=r"^id1 may have reached joe@mx\.test already \(unknown"):
        release(store)


def test_of_whom_it_is_not_known_stops_no_release_to_others(store: Store, mta: Mta) -> None:
    store.put(new(data=PLAIN))
    mta.answers = {"DOT": ""}
    release(store, "joe@mx.test")
    mta.answers = {}
    (outcome,) = release(store, "ann@mx.test")
    assert (outcome.recipient, outcome.state) == ("ann@mx.test", "released")
    with pytest.raises(ReleaseError, match="look in the MTA's log before"):
        release(store, "ann@mx.test", "joe@mx.test")


def test_a_message_that_nobody_is_to_get(store: Store, mta: Mta) -> None:
    envelope = Envelope("a@b.test", ())
    store.put(revised(new(data=PLAIN), envelope=envelope, held_for=()))
    with pytest.raises(ReleaseError, match=r"^id1 has no recipient; expected one$"):
        release(store)
    (outcome,) = release(store, "boss@mx.test")
    assert (outcome.recipient, outcome.state) == ("boss@mx.test", "released")


def test_each_recipient_has_one_copy_though_the_envelope_names_it_twice(
    store: Store, mta: Mta
) -> None:
    envelope = Envelope("a@b.test", (Recipient("joe@mx.test"), Recipient("joe@mx.test")))
    store.put(revised(new(data=PLAIN), envelope=envelope, held_for=()))
    assert [one.recipient for one in release(store)] == ["joe@mx.test"]
    assert mta.taken[0].rcpt == ["joe@mx.test"]


def test_an_index_that_cannot_be_read_afterwards_hides_no_result(
    store: Store, mta: Mta, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise StoreError(5, "the database is locked", "index.sqlite")

    store.put(new(data=PLAIN))
    mta.at_dot = lambda: monkeypatch.setattr(store.index, "deliveries", fails)
    (outcome,) = release(store)
    assert (outcome.state, outcome.queue_id, outcome.done) == ("released", "Q1", True)
    assert "the database is locked" in caplog.text


# --- the message around one -------------------------------------------------------------------


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Random numbers and the time zone are the same each time."""
    monkeypatch.setattr("filterd.quarantine.release.secrets.token_hex", lambda size: "ab" * size)
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "XXX-2")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("fixed")
@pytest.mark.parametrize(
    ("recipients", "to"),
    [
        (["joe@mx.test"], "<joe@mx.test>"),
        (["joe@mx.test", "ann@mx.test"], "undisclosed-recipients:;"),
        # What would not be an address there, or more than one.
        (["joe@mx.test>, <evil@x.test"], "undisclosed-recipients:;"),
        (["j\xf6rg@mx.test"], "undisclosed-recipients:;"),
    ],
)
@pytest.mark.parametrize(
    ("data", "coding"),
    [(PLAIN, ""), (b"Subject: \xe9\r\n\r\n", "Content-Transfer-Encoding: 8bit\r\n")],
)
def test_the_message_around_an_attached_one(
    recipients: list[str], to: str, data: bytes, coding: str
) -> None:
    found = attached(describe(new()), data, recipients, "quarantine@site.example", 1_800_000_000.0)
    assert (
        found
        == (
            "From: Quarantine <quarantine@site.example>\r\n"
            f"To: {to}\r\n"
            "Subject: Quarantined message id1\r\n"
            "Date: Fri, 15 Jan 2027 10:00:00 +0200\r\n"
            "Message-ID: <id1.abababababababab@site.example>\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "MIME-Version: 1.0\r\n"
            'Content-Type: multipart/mixed; boundary="=_abababababababababababababababab"\r\n'
            "\r\n"
            "--=_abababababababababababababababab\r\n"
            "Content-Type: text/plain; charset=us-ascii\r\n"
            "\r\n"
            "The attached message was held in quarantine and is sent to you on request.\r\n"
            "\r\n"
            "--=_abababababababababababababababab\r\n"
            "Content-Type: message/rfc822\r\n"
            'Content-Disposition: attachment; filename="id1.eml"\r\n'
            f"{coding}"
            "\r\n"
        ).encode()
        + data
        + b"\r\n--=_abababababababababababababababab--\r\n"
    )
