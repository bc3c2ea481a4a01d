"""Releases: the right octets to the right people, once, and the truth about it written down."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import signal
import socket
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.chain import marks
from filterd.message import Client, Envelope, Message, Recipient
from filterd.quarantine import GoneError, QuarantineSettings, Store
from filterd.quarantine.journal import delivery_state_of
from filterd.quarantine.query import Query
from filterd.quarantine.release import (
    CLAIM_LIMIT,
    FIRST_PAUSE,
    ReleaseError,
    ReleaseOutcome,
    Releaser,
    ReleaseRequest,
)
from filterd.quarantine.submission import Server, submit
from tests.helpers.entries import new
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import revised

pytestmark = pytest.mark.slow

PLAIN = b"Subject: x\r\n\r\ntext\r\n"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, mta: Mta, clock: Clock) -> Store:
    settings = QuarantineSettings(
        tmp_path / "q", release_port=mta.port, release_timeout=5.0, release_attempts=3
    )
    return Store(settings, clock)


def release(
    store: Store, *to: str, id: str = "id1", **options: object
) -> tuple[ReleaseOutcome, ...]:
    request = ReleaseRequest(id, "test:ann", to, **options)  # type: ignore[arg-type]
    return Releaser(store).release(request)


def state(store: Store, id: str = "id1") -> str:
    """The state of a message, on which journal and index must agree."""
    in_index = next(row.state for row in store.index.search(Query()).rows if row.id == id)
    assert in_index == store.delivery_state(id).state
    return in_index


def test_a_release_hands_over_the_original_with_its_own_sender(store: Store, mta: Mta) -> None:
    store.put(new(data=PLAIN))
    assert release(store) == (
        ReleaseOutcome("joe@mx.test", "released", "250 2.0.0 Ok: queued as Q1", "Q1", 0.0, True),
    )
    assert state(store) == "released"
    (taken,) = mta.taken
    assert (taken.data, taken.rcpt) == (PLAIN, ["joe@mx.test"])
    assert taken.mail.startswith("MAIL FROM:<a\xe9@x.test>")


@pytest.mark.parametrize("spelled", ["team@mx.test", "TEAM@MX.test.", "<@relay.test:team@mx.test>"])
def test_another_spelling_of_a_recipient_is_no_second_copy(
    store: Store, mta: Mta, spelled: str
) -> None:
    recipient = '"team"@mx.test'
    envelope = Envelope("a@b.test", (Recipient(recipient),))
    store.put(revised(new("id1"), envelope=envelope, held_for=(recipient,)))
    (first,) = release(store, spelled)
    (second,) = release(store, spelled, "team@mx.test")
    assert (first.recipient, first.state, first.done) == (recipient, "released", True)
    assert (second.state, second.done) == ("released", False)
    assert len(mta.taken) == 1


def test_of_two_spellings_that_the_client_used_the_one_that_is_named_is_released(
    store: Store, mta: Mta
) -> None:
    came = ("joe@mx.test", '"joe"@mx.test')
    envelope = Envelope("a@b.test", tuple(map(Recipient, came)))
    store.put(revised(new("id1"), envelope=envelope, held_for=came))
    for one in came:
        (outcome,) = release(store, one)
        assert (outcome.recipient, outcome.state, outcome.done) == (one, "released", True)
    (outcome,) = release(store, "JOE@mx.test")
    assert not outcome.done


@pytest.mark.parametrize(
    ("data", "comes"),
    [
        (b"Subject: \xe9\xff\r\n\r\n\x80\x00\r\n", None),
        (b"A: b\r\n\r\n" + b"x" * 200_000 + b"\r\n", None),
        (b"A: b\r\n\r\n.\r\n..\r\n.x\r\n...\r\n", None),
        (b".A: b\r\n\r\n.\r\n", None),
        (b"A: b\r\n\r\nbare\rcr\r\nbare\nlf\r\n", None),
        (b"A: b\r\n\r\nno line end", b"A: b\r\n\r\nno line end\r\n"),
        (b"", b"\r\n"),
    ],
    ids=["8-bit", "long line", "dots", "dot first", "bare CR and LF", "no end", "empty"],
)
def test_octets_arrive_as_they_were(
    store: Store, mta: Mta, data: bytes, comes: bytes | None
) -> None:
    store.put(new(data=data))
    release(store)
    expected = data if comes is None else comes
    assert hashlib.sha256(mta.taken[0].data).digest() == hashlib.sha256(expected).digest()


LINES = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b".", b"..", b".\r", b"\r", b"\n", b"x" * 3000, b"\xff", b"\0", b"MAIL"]),
    ),
    max_size=8,
)


@given(LINES, st.sampled_from([b"\r\n", b"\n", b"\r", b""]))
@settings(max_examples=150)
def test_any_octets_arrive_as_they_were(lines: list[bytes], end: bytes) -> None:
    """But for a line end at the end, and a second dot behind a bare LF."""
    data = end.join(lines)
    expected = re.sub(rb"(?<!\r)\n\.", b"\n..", data)
    if not expected.endswith(b"\r\n"):
        expected += b"\r\n"
    with running() as mta:
        results = submit(Server("127.0.0.1", mta.port, 5.0), "a@x.test", ["joe@mx.test"], data)
    assert results["joe@mx.test"].outcome == "sent"
    assert [taken.data for taken in mta.taken] == [expected]


def test_a_message_cannot_end_early_for_an_mta_that_takes_a_bare_lf(store: Store, mta: Mta) -> None:
    store.put(new(data=b"A: b\r\n\r\nx\n.\r\nMAIL FROM:<evil@x.test>\r\n"))
    release(store)
    assert b"\n..\r\nMAIL" in mta.taken[0].data


def test_to_some_to_others_and_attached(store: Store, mta: Mta) -> None:
    store.put(new(data=PLAIN))
    release(store, "boss@mx.test", "ann@mx.test", form="attached", note="asked for it")
    (taken,) = mta.taken
    assert taken.rcpt == ["boss@mx.test", "ann@mx.test"]
    message = Message(taken.data)
    assert taken.mail.startswith("MAIL FROM:<postmaster@")
    assert message.get("From").startswith("Quarantine <postmaster@")
    assert message.get("To") == "undisclosed-recipients:;"
    assert message.get("Message-ID").startswith("<id1.")
    assert parsedate_to_datetime(message.get("Date")).tzinfo is not None
    assert message.get("Auto-Submitted") == "auto-generated"
    part = next(e for e in Message(taken.data).walk() if e.content_type == "message/rfc822")
    assert taken.data[part.body_start : part.end] == PLAIN
    assert state(store) == "held"
    assert {d.recipient: d.state for d in store.delivery_state("id1").deliveries} == {
        "joe@mx.test": "held",
        "boss@mx.test": "released",
        "ann@mx.test": "released",
    }


def test_a_copy_goes_to_the_whole_envelope(store: Store, mta: Mta) -> None:
    store.put(revised(new(data=PLAIN), held_for=()))
    assert state(store) == "copy"
    release(store)
    assert mta.taken[0].rcpt == ["ann@mx.test", "joe@mx.test"]


def test_a_second_click_does_nothing_unless_it_is_meant(store: Store, mta: Mta) -> None:
    store.put(new(data=PLAIN))
    release(store)
    (second,) = release(store)
    assert (second.state, second.done, len(mta.taken)) == ("released", False, 1)
    (third,) = release(store, again=True)
    assert (third.state, third.done, len(mta.taken)) == ("released", True, 2)


def test_two_clicks_at_the_same_moment(store: Store, mta: Mta) -> None:
    store.put(new(data=PLAIN))
    other = Store(store.settings, store.clock)
    seen: list[ReleaseOutcome] = []
    mta.at_dot = lambda: seen.extend(release(other))
    release(store)
    assert [(o.state, o.done) for o in seen] == [("releasing", False)]
    assert len(mta.taken) == 1
    assert state(store) == "released"


def test_a_message_under_way_is_not_deleted(store: Store, mta: Mta) -> None:
    store.put(new(data=PLAIN))
    seen: list[str] = []

    def at_dot() -> None:
        try:
            Store(store.settings).delete("id1", "test:joe")
        except OSError as error:
            seen.append(str(error))

    mta.at_dot = at_dot
    release(store)
    assert "is being released" in seen[0]
    assert store.read("id1") == PLAIN


@pytest.mark.parametrize(
    "answers",
    [
        {"DOT": "452 4.3.1 disk full"},
        {"MAIL": "451 4.3.0 not now"},
        {"RCPT:joe@mx.test": "450 4.2.1 later"},
        {"DATA": "451 4.3.0 no"},
        {"DATA": ""},
    ],
    ids=["452 at the dot", "MAIL", "RCPT", "DATA", "connection lost at DATA"],
)
def test_what_the_mta_puts_off_is_tried_again(
    store: Store, mta: Mta, clock: Clock, answers: dict[str, str]
) -> None:
    store.put(new(data=PLAIN))
    mta.answers = answers
    (outcome,) = release(store)
    assert (outcome.state, outcome.again_at) == ("failed", clock.now + FIRST_PAUSE)
    assert Releaser(store).retry() == ()
    clock.now += FIRST_PAUSE
    ((_, outcome),) = Releaser(store).retry()
    assert (outcome.state, outcome.again_at) == ("failed", clock.now + 2 * FIRST_PAUSE)
    mta.answers = {}
    clock.now += 2 * FIRST_PAUSE
    ((_, outcome),) = Releaser(store).retry()
    assert (outcome.state, outcome.queue_id) == ("released", "Q1")
    assert Releaser(store).retry() == ()
    assert len(mta.taken) == 1


def test_tries_come_to_an_end(store: Store, mta: Mta, clock: Clock) -> None:
    store.put(new(data=PLAIN))
    mta.answers = {"DOT": "452 4.3.1 disk full"}
    release(store)
    for _ in range(2):
        clock.now += 86400
        assert len(Releaser(store).retry()) == 1
    clock.now += 86400
    assert Releaser(store).retry() == ()
    assert state(store) == "failed"
    assert store.read("id1") == PLAIN


def test_a_refusal_is_final_and_the_others_get_theirs(store: Store, mta: Mta) -> None:
    store.put(revised(new(data=PLAIN), held_for=("ann@mx.test", "joe@mx.test")))
    mta.answers = {"RCPT:ann@mx.test": "550 5.1.1 no such user"}
    ann, joe = release(store)
    assert (ann.state, ann.reply, ann.again_at) == ("failed", "550 5.1.1 no such user", 0.0)
    assert joe.state == "released"
    assert state(store) == "failed"


@pytest.mark.parametrize("step", ["MAIL", "DATA", "DOT"])
def test_a_refusal_at_any_step_is_final(store: Store, mta: Mta, clock: Clock, step: str) -> None:
    store.put(new(data=PLAIN))
    mta.answers = {step: "550 5.7.1 not wanted"}
    (outcome,) = release(store)
    assert (outcome.state, outcome.reply, outcome.again_at) == (
        "failed",
        "550 5.7.1 not wanted",
        0.0,
    )
    clock.now += 86400
    assert Releaser(store).retry() == ()
    assert store.read("id1") == PLAIN


def test_an_mta_that_never_greets_is_tried_again(tmp_path: Path, clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = QuarantineSettings(
            tmp_path / "q", release_port=mute.getsockname()[1], release_timeout=0.2
        )
        store = Store(settings, clock)
        store.put(new(data=PLAIN))
        (outcome,) = release(store)
    assert (outcome.state, outcome.again_at) == ("failed", clock.now + FIRST_PAUSE)
    assert "timed out" in outcome.reply


def test_nobody_knows_whether_it_was_taken(store: Store, mta: Mta, clock: Clock) -> None:
    store.put(new(data=PLAIN))
    mta.answers = {"DOT": ""}
    (outcome,) = release(store)
    assert (outcome.state, outcome.again_at) == ("failed", 0.0)
    assert outcome.reply.startswith("unknown: no answer after the final dot")
    clock.now += 86400
    assert Releaser(store).retry() == ()
    mta.answers = {}
    with pytest.raises(ReleaseError, match=r"may have reached joe@mx\.test already"):
        release(store)
    (outcome,) = release(store, again=True)
    assert outcome.state == "released"


def test_an_mta_that_is_silent_after_the_dot(tmp_path: Path, mta: Mta) -> None:
    import threading

    settings = QuarantineSettings(tmp_path / "q", release_port=mta.port, release_timeout=0.2)
    store = Store(settings)
    store.put(new(data=PLAIN))
    over = threading.Event()
    mta.at_dot = lambda: over.wait(5) and None  # type: ignore[func-returns-value]
    (outcome,) = release(store)
    over.set()
    assert outcome.reply.startswith("unknown: no answer after the final dot (")


def test_no_mta_at_all(tmp_path: Path, clock: Clock) -> None:
    with running() as gone:
        port = gone.port
    store = Store(QuarantineSettings(tmp_path / "q", release_port=port), clock)
    store.put(new(data=PLAIN))
    (outcome,) = release(store)
    assert (outcome.state, outcome.again_at) == ("failed", clock.now + FIRST_PAUSE)


def _release_and_die(settings: QuarantineSettings) -> None:
    Releaser(Store(settings, Clock())).release(ReleaseRequest("id1", "test:ann"))


def test_a_process_killed_between_the_dot_and_the_answer(
    store: Store, mta: Mta, clock: Clock
) -> None:
    store.put(new(data=PLAIN))
    process = multiprocessing.get_context("spawn").Process(
        target=_release_and_die, args=(store.settings,)
    )
    mta.at_dot = lambda: os.kill(process.pid or 0, signal.SIGKILL)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert state(store) == "releasing"
    assert release(store)[0].done is False
    assert Releaser(store).retry() == ()
    clock.now += CLAIM_LIMIT + 1
    mta.at_dot = lambda: None
    ((_, outcome),) = Releaser(store).retry()
    assert (outcome.state, outcome.again_at) == ("failed", 0.0)
    with pytest.raises(ReleaseError, match="may have reached"):
        release(store)
    assert len(mta.taken) <= 1


def test_states_survive_the_loss_of_the_index(store: Store, tmp_path: Path, mta: Mta) -> None:
    for id in ("a", "b", "c", "d"):
        store.put(new(id, PLAIN))
    release(store, id="a")
    store.delete("b", "test:ann", "spam")
    store.pin("c", "test:ann")
    for path in (tmp_path / "q").glob("index.sqlite*"):
        path.unlink()
    fresh = Store(store.settings, store.clock)
    assert sorted(fresh.fsck().added) == ["a", "b", "c", "d"]
    rows = {row.id: (row.state, row.pinned) for row in fresh.index.search(Query()).rows}
    assert rows == {
        "a": ("released", False),
        "b": ("deleted", False),
        "c": ("held", True),
        "d": ("held", False),
    }
    (second,) = release(fresh, id="a")
    assert not second.done
    assert len(mta.taken) == 1


def lose_the_index(store: Store, folder: Path) -> Store:
    store.close()
    for path in (folder / "q").glob("index.sqlite*"):
        path.unlink()
    return Store(store.settings, store.clock)


@pytest.mark.parametrize("add_rows", [False, True])
def test_nothing_is_released_twice_although_the_index_is_lost(
    store: Store, tmp_path: Path, mta: Mta, add_rows: bool
) -> None:
    store.put(new(data=PLAIN))
    release(store)
    fresh = lose_the_index(store, tmp_path)
    if add_rows:  # as they were before anything was released
        fresh.index.add(fresh.get("id1"), "", delivery_state_of(("joe@mx.test",), (), 0.0))
    for _ in range(2):
        (outcome,) = release(fresh)
        assert (outcome.state, outcome.done) == ("released", False)
    assert len(mta.taken) == 1
    (outcome,) = release(fresh, again=True)
    assert outcome.done
    assert len(mta.taken) == 2


def test_what_nobody_knows_stays_so_although_the_index_is_lost(
    store: Store, tmp_path: Path, mta: Mta
) -> None:
    store.put(new(data=PLAIN))
    mta.answers = {"DOT": ""}
    (outcome,) = release(store)
    assert outcome.reply.startswith("unknown:")
    fresh = lose_the_index(store, tmp_path)
    mta.answers = {}
    (outcome,) = release(fresh)
    assert (outcome.state, outcome.done) == ("failed", False)
    with pytest.raises(ReleaseError, match="may have reached"):
        release(fresh)
    before = len(mta.taken)
    (outcome,) = release(fresh, again=True)
    assert (outcome.state, len(mta.taken)) == ("released", before + 1)


def test_the_index_is_made_anew_while_the_mta_takes_the_message(
    store: Store, mta: Mta, clock: Clock
) -> None:
    store.put(new(data=PLAIN))
    other = Store(store.settings, clock)
    mta.at_dot = lambda: other.index.begin_anew(clock()) and None
    for done in (True, False):
        (outcome,) = release(store)
        assert (outcome.state, outcome.done) == ("released", done)
    assert store.fsck().added == ("id1",)
    assert state(store) == "released"
    assert len(mta.taken) == 1


def test_the_index_breaks_while_the_mta_takes_the_message(
    store: Store, tmp_path: Path, mta: Mta, caplog: pytest.LogCaptureFixture
) -> None:
    store.put(new(data=PLAIN))

    def broken() -> None:
        for path in (tmp_path / "q").glob("index.sqlite*"):
            path.unlink()
        (tmp_path / "q" / "index.sqlite").write_bytes(b"this is no database" * 100)

    mta.at_dot = broken
    (outcome,) = release(store)
    assert (outcome.state, outcome.done) == ("released", True)
    assert "the index does not show it" in caplog.text
    mta.at_dot = lambda: None
    assert store.fsck().aside
    assert state(store) == "released"
    (outcome,) = release(store)
    assert (outcome.done, len(mta.taken)) == (False, 1)


def test_a_release_that_the_index_did_not_hear_of(
    store: Store, mta: Mta, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(*_: object) -> None:
        raise KeyboardInterrupt

    store.put(new(data=PLAIN))
    monkeypatch.setattr(store.index, "settle", died)
    with pytest.raises(KeyboardInterrupt):
        release(store)
    monkeypatch.undo()
    assert store.index.states()["id1"] == ("releasing", False)
    clock.now += CLAIM_LIMIT + 1
    ((_, outcome),) = Releaser(store).retry()
    assert outcome.state == "released"
    assert store.delivery_state("id1").state == "released"
    assert len(mta.taken) == 1


def test_a_virus_needs_a_word_and_a_reason(store: Store, mta: Mta) -> None:
    store.put(revised(new(data=PLAIN), virus="Eicar"))
    for options in ({}, {"viruses": True}, {"note": "please"}):
        with pytest.raises(ReleaseError, match="contains Eicar"):
            release(store, **options)
    assert mta.taken == []
    release(store, viruses=True, note="false alarm")
    assert len(mta.taken) == 1


def test_what_is_gone_or_changed_is_not_released(store: Store, mta: Mta) -> None:
    store.put(new("gone", PLAIN))
    store.delete("gone", "test:ann")
    with pytest.raises(GoneError):
        release(store, id="gone")
    store.put(new("changed", PLAIN))
    store.path("changed").write_bytes(PLAIN + b"!")
    with pytest.raises(OSError, match="not those that were stored"):
        release(store, id="changed")
    assert mta.taken == []


def test_an_address_cannot_smuggle_commands(store: Store, mta: Mta) -> None:
    store.put(new(data=PLAIN))
    bad, good = release(store, "x@y>\r\nRCPT TO:<z@y", "ann@mx.test")
    assert (bad.state, good.state) == ("failed", "released")
    assert mta.taken[0].rcpt == ["ann@mx.test"]


def _returned(taken_mail: str, data: bytes, address: str = "127.0.0.1") -> Message:
    parameters = tuple(taken_mail.split()[2:])
    to = (Recipient("joe@mx.test"),)
    client = Client(address=address)
    return Message(data, Envelope("a@x.test", to, client, sender_parameters=parameters))


def test_the_mark_is_honoured_only_for_that_message_from_that_host(
    store: Store, mta: Mta, tmp_path: Path
) -> None:
    store.put(new(data=PLAIN))
    release(store)
    mail = mta.taken[0].mail
    verify = marks.Verifier(marks.load_key(tmp_path / "q"), store.settings.release_clients)
    assert verify(_returned(mail, PLAIN)) == marks.Mark("id1", viruses=False)
    assert verify(_returned(mail, PLAIN, "")) is not None
    assert verify(_returned(mail, PLAIN + b"x")) is None
    assert verify(_returned(mail, PLAIN, "192.0.2.1")) is None
    assert verify(_returned(mail.replace(":c:", ":v:"), PLAIN)) is None
    assert verify(_returned("MAIL FROM:<a@x.test>", PLAIN)) is None
    strange = marks.Verifier(marks.load_key(tmp_path / "other"), ("127.0.0.0/8",))
    assert strange(_returned(mail, PLAIN)) is None


def test_the_audit_trail_tells_it_all(store: Store) -> None:
    store.put(new(data=PLAIN))
    store.note("viewed", "id1", "test:joe")
    release(store, note="it is fine")
    store.pin("id1", "test:ann")
    store.delete("id1", "test:ann", "done")
    told = [(event.what, event.who, event.note) for event in store.journal.events("id1")]
    assert told == [
        ("viewed", "test:joe", ""),
        ("releasing", "test:ann", "it is fine"),
        ("released", "test:ann", "it is fine"),
        ("pinned", "test:ann", ""),
        ("deleted", "test:ann", "done"),
    ]


def test_a_line_cut_by_a_crash_spoils_no_other(store: Store, tmp_path: Path) -> None:
    store.put(new(data=PLAIN))
    store.note("viewed", "id1", "a")
    (path,) = (tmp_path / "q" / "journal").iterdir()
    with path.open("ab") as file:
        file.write(b'{"what": "rele')
    store.note("viewed", "id1", "b")
    assert [event.who for event in store.journal.events()] == ["a", "b"]


def test_an_attached_message_goes_out_under_the_name_that_the_settings_say(
    tmp_path: Path, mta: Mta
) -> None:
    store = Store(
        QuarantineSettings(tmp_path / "q", release_port=mta.port, release_from="quarantine@mx.test")
    )
    store.put(new(data=PLAIN))
    release(store, "boss@mx.test", form="attached", note="asked for it")
    (taken,) = mta.taken
    assert taken.mail.startswith("MAIL FROM:<quarantine@mx.test>")
    assert Message(taken.data).get("From") == "Quarantine <quarantine@mx.test>"
    assert Message(taken.data).get("To") == "<boss@mx.test>"


@pytest.mark.parametrize("address", ["Ann <a@b.test>", "nobody", "a@b.test\r\nBcc: x@y.test"])
def test_the_name_must_be_a_plain_address(tmp_path: Path, address: str) -> None:
    with pytest.raises(ValueError, match=r"release_from: .* is not an address"):
        QuarantineSettings(tmp_path / "q", release_from=address)


def test_a_recipient_that_is_refused_leaves_a_mark_that_is_good_for_the_others(
    store: Store, mta: Mta, tmp_path: Path
) -> None:
    mta.answers["RCPT:sue@mx.test"] = "550 5.1.1 no such user"
    store.put(new(data=PLAIN))
    told = release(store, "joe@mx.test", "sue@mx.test")
    assert [(o.recipient, o.state) for o in told] == [
        ("joe@mx.test", "released"),
        ("sue@mx.test", "failed"),
    ]
    mail = mta.taken[-1].mail
    verify = marks.Verifier(marks.load_key(tmp_path / "q"), store.settings.release_clients)
    assert verify(_returned(mail, PLAIN)) is not None


def test_a_release_that_our_own_filter_holds_again_shows_as_such(store: Store, mta: Mta) -> None:
    """The daemon quarantines what it finds a virus in, and the MTA says 250 all the same."""
    store.put(new(data=PLAIN))
    mta.at_dot = lambda: store.note("held_again", "id1", "filterd", "id2 (virus)", ("joe@mx.test",))
    (told,) = release(store)
    assert (told.state, told.reply) == ("failed", "held again as id2 (virus)")
    assert state(store) == "failed"
    mta.at_dot = lambda: None
    (told,) = release(store)
    assert told.state == "released"
