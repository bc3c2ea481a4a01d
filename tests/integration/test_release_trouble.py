"""Releases to a real MTA that is full, refuses, is silent, or dies between DATA and its 250.

A filter of ours in the MTA decides what happens after the final dot, where it matters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from filterd.message import Envelope, Recipient
from filterd.mta.milters.scripted import Respond, ScriptedFilter, Step, Wait
from filterd.quarantine import QuarantineSettings, Store
from filterd.quarantine.release import (
    FIRST_PAUSE,
    ReleaseError,
    ReleaseOutcome,
    Releaser,
    ReleaseRequest,
)
from tests.helpers.entries import new
from tests.helpers.process import folder
from tests.helpers.reports import revised
from tests.helpers.servers.own_mta import OwnMta

JOE = "joe@mx.example.test"

BODY = (
    b"Gr\xfc\xdfe \x80\xff\r\n" + b"long " * 40_000 + b"\r\n"
    b".\r\n..\r\n.leading\r\n\r\n.\r\nno line end"
)


@dataclasses.dataclass
class Site:
    """A store with one held message, and an MTA with a filter that follows a plan."""

    mta: OwnMta
    filter_path: Path
    store: Store

    def release(self, *steps: Step, **options: bool) -> ReleaseOutcome:
        """Release it while the filter does this at the end of the message."""
        with ScriptedFilter(self.filter_path, {"E": steps} if steps else {}):
            (outcome,) = Releaser(self.store).release(ReleaseRequest("id1", "test", **options))  # type: ignore[arg-type]
        return outcome

    def retry(self) -> ReleaseOutcome:
        """Try again what is due, a first pause later, with a healthy filter."""
        later = Store(self.store.settings, lambda: self.store.clock() + FIRST_PAUSE + 1)
        with ScriptedFilter(self.filter_path):
            ((_, outcome),) = Releaser(later).retry()
        return outcome

    def arrived(self) -> bytes:
        """The body of the only message that came."""
        (mail,) = self.mta.mail()
        self.mta.settled()
        assert self.mta.mailboxes == {}
        return mail.body


@pytest.fixture
def site() -> Iterator[Site]:
    with folder("trouble") as path:
        filter_path = path / "filter.sock"
        mta = OwnMta(path, [f"f1, S=unix:{filter_path}, F=T, T=C:30s;S:10s;R:60s;E:5m"])
        mta.start()
        settings = QuarantineSettings(path / "q", release_port=mta.port, release_timeout=2.0)
        store = Store(settings)
        store.put(
            revised(
                new("id1", b"Subject: x\r\n\r\n" + BODY),
                envelope=Envelope("ann@client.example", (Recipient(JOE),)),
                held_for=(JOE,),
            )
        )
        yield Site(mta, filter_path, store)
        store.close()
        mta.stop()


def reply(text: str) -> Sequence[Step]:
    """The filter's own reply."""
    return (Respond(b"y", text.encode() + b"\0"),)


WHOLE = (BODY + b"\r\n").replace(b"\r\n", b"\n")


def test_octet_by_octet(site: Site) -> None:
    assert site.release().state == "released"
    assert site.arrived() == WHOLE


@pytest.mark.parametrize("text", ["452 4.3.1 no room", "451 4.7.1 later"])
def test_put_off_after_the_dot_and_taken_the_next_time(site: Site, text: str) -> None:
    outcome = site.release(*reply(text))
    assert (outcome.state, outcome.reply[:3]) == ("failed", text[:3])
    assert outcome.again_at > 0
    assert site.mta.mailboxes == {}
    assert site.retry().state == "released"
    assert site.arrived() == WHOLE


@pytest.mark.parametrize("text", ["550 5.7.1 not wanted", "554 5.7.0 no"])
def test_refused_for_good_until_a_person_tries_again(site: Site, text: str) -> None:
    outcome = site.release(*reply(text))
    assert (outcome.state, outcome.reply[:3], outcome.again_at) == ("failed", text[:3], 0.0)
    assert Releaser(Store(site.store.settings, lambda: site.store.clock() + 1e6)).retry() == ()
    assert site.release().state == "released"
    assert site.arrived() == WHOLE


def test_silence_after_the_dot_is_never_tried_again_by_itself(site: Site) -> None:
    outcome = site.release(Wait(4.0), Respond(b"c"))
    assert (outcome.state, outcome.again_at) == ("failed", 0.0)
    assert outcome.reply.startswith("unknown: no answer after the final dot")
    with pytest.raises(ReleaseError, match="may have reached"):
        site.release()


def test_an_mta_that_dies_between_data_and_250(site: Site) -> None:
    killed: list[int] = []

    class Kill(tuple[Step, ...]):
        """Steps that the filter comes to when it has the whole message."""

        def __iter__(self) -> Iterator[Step]:
            killed.append(site.mta.process.pid)
            site.mta.process.kill()
            return iter(())

    with ScriptedFilter(site.filter_path, {"E": Kill()}):
        (outcome,) = Releaser(site.store).release(ReleaseRequest("id1", "test"))
    assert killed
    assert outcome.reply.startswith("unknown: no answer after the final dot")
    assert site.store.delivery_state("id1").state == "failed"
    # It had not taken the message; that nobody could know, and the message is still kept.
    site.mta.start()
    site.mta.settled()
    assert site.mta.mailboxes == {}
    with pytest.raises(ReleaseError, match="release it again"):
        site.release()
    assert site.release(again=True).state == "released"
    assert site.arrived() == WHOLE
    events = [event.what for event in site.store.journal.events("id1")]
    assert events == ["releasing", "failed", "releasing", "released"]
