"""What is added last is made of the message as it leaves, and a failure loses nothing."""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass, field

import pytest

from filterd.chain.chain import Chain
from filterd.chain.headers import LabelSettings
from filterd.chain.links import Link, LinkSettings, OnError
from filterd.chain.marks import Verifier, envelope_id
from filterd.chain.outgoing import Outgoing
from filterd.chain.pipeline import Pipeline, PipelineResult
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicySettings
from filterd.chain.verdict import (
    Action,
    AddField,
    ChangeField,
    Edit,
    Failure,
    FailureKind,
    RemovedPart,
    Reply,
    Splice,
    Symbol,
    Verdict,
)
from filterd.daemon.remembered import of_content
from filterd.message import Client, Envelope, Message, Recipient

DATA = (
    b"Received: by a\r\nX-Spam-Flag: NO\r\nSubject: hi\r\nX: one\r\nX-SPAM-flag: YES\r\n"
    b"x:  two\r\n folded\r\n\r\nhello\r\nworld\r\n"
)
HELLO = DATA.index(b"hello")


@dataclass
class Says:
    """A filter with one opinion."""

    verdict: Verdict
    name: str = "says"

    def examine(self, message: Message) -> Verdict:
        return self.verdict


@dataclass
class Seals:
    """Signs with its name, and remembers what it saw."""

    name: str = "seals"
    error: Exception | None = None
    saw: list[Outgoing] = field(default_factory=list)

    def sign(self, outgoing: Outgoing) -> Verdict:
        self.saw.append(outgoing)
        if self.error is not None:
            raise self.error
        return Verdict(
            symbols=(Symbol("SEALED", 0.0, self.name),), edits=(AddField("Seal", self.name),)
        )


def run(
    verdict: Verdict,
    *signers: Seals,
    on_error: OnError = "tempfail",
    dry_run: bool = False,
    keeping: bool = True,
) -> PipelineResult:
    links = [Link(Says(verdict))]
    settings = LinkSettings(on_error=on_error, dry_run=dry_run)
    links += [Link(one, settings, one.name) for one in signers]
    message = Message(DATA, Envelope("a@x.test", (Recipient("joe@mx.test"),)), "id7")
    pipeline = Pipeline(
        Chain(links),
        Policy(PolicySettings(subject_tag="[x] ")),
        LabelSettings(hostname="mx.test"),
        keep=(lambda *_arguments: None) if keeping else None,
    )
    return pipeline.process(message)


def scored(points: float) -> Verdict:
    return Verdict(symbols=(Symbol("TEST", points),))


def test_a_signer_sees_the_message_as_it_will_leave() -> None:
    first, second = Seals("first"), Seals("second")
    stripped = Verdict(
        edits=(Splice(HELLO, HELLO + 5, b"gone"), Splice(len(DATA), len(DATA), b"end\r\n")),
        removed=(RemovedPart("a.exe", "banned", HELLO, HELLO + 5),),
    )

    found = run(stripped | scored(6), first, second)

    assert [name for name, _ in first.saw[0].fields] == [
        *("X-Quarantine-ID", "X-Spam-Flag", "X-Spam-Status", "X-Spam-Score", "X-Spam-Level"),
        *("Received", "Subject", "X", "x"),
    ]
    values = dict(first.saw[0].fields)
    assert (values["Subject"], values["x"]) == (b" [x] hi", b"  two\r\n folded")
    assert first.saw[0].body == b"gone\r\nworld\r\nend\r\n"
    assert second.saw[0].fields == (("Seal", b" first"), *first.saw[0].fields)
    assert found.decision.edits[:3] == (
        AddField("Seal", "second"),
        AddField("Seal", "first"),
        AddField("X-Quarantine-ID", "id7"),
    )
    assert [s.name for s in found.report.symbols] == ["TEST", "SEALED", "SEALED"]
    assert {"first", "second"} <= found.report.milliseconds.keys()


def test_folded_values_of_edits_are_folded_with_crlf() -> None:
    edits = (AddField("A", "x\n y"), ChangeField("x", 2, "z\n z"), ChangeField("X", 1, None))
    fields = Outgoing(Message(DATA), Verdict(), edits).fields
    assert fields[0] == ("A", b" x\r\n y")
    assert [(n, v) for n, v in fields if n.lower() == "x"] == [("x", b" z\r\n z")]


@pytest.mark.parametrize(
    ("verdict", "keeping"),
    [
        (Verdict(Action.TEMPFAIL), True),
        (scored(99), True),
        (Verdict(Action.DISCARD), True),
        (Verdict(Action.QUARANTINE), True),
    ],
)
def test_what_does_not_leave_is_not_signed(verdict: Verdict, keeping: bool) -> None:
    seals = Seals()
    assert run(verdict, seals, keeping=keeping).decision.action is not Action.ACCEPT
    assert not seals.saw


@pytest.mark.parametrize(
    ("on_error", "action", "stored"),
    [
        ("tempfail", Action.TEMPFAIL, False),
        ("quarantine", Action.QUARANTINE, True),
        ("continue", Action.ACCEPT, False),
    ],
)
def test_a_signature_that_fails_means_what_on_error_says(
    on_error: OnError, action: Action, stored: bool
) -> None:
    found = run(scored(0), Seals(error=OSError(2, "no key")), Seals("other"), on_error=on_error)

    assert (found.decision.action, found.stored) == (action, stored)
    assert [str(failure) for failure in found.report.failures] == ["unavailable: [Errno 2] no key"]
    assert "SEALS_FAILED" in [symbol.name for symbol in found.report.symbols]
    if action is Action.ACCEPT:
        assert AddField("Seal", "other") in found.decision.edits


def test_a_filter_that_took_a_worker_down_is_not_tried_again() -> None:
    seals = Seals()
    crash = Failure("seals", FailureKind.CRASH, "SIGSEGV")
    pipeline = Pipeline(
        Chain([Link(seals, LinkSettings(on_error="quarantine"))]), Policy(PolicySettings())
    )
    found = pipeline.process(
        Message(DATA, Envelope("", (Recipient("joe@mx.test"),)), "id7"), [crash]
    )
    assert not seals.saw
    assert found.decision.action is Action.QUARANTINE
    assert found.report.failures == (crash,)


def test_a_filter_that_failed_on_the_message_is_not_asked_to_sign_it() -> None:
    class Breaks(Seals):
        def examine(self, message: Message) -> Verdict:
            raise OSError("away")

    breaks, other = Breaks(), Seals("other")
    found = run(scored(0), breaks, other, on_error="continue")

    assert not breaks.saw
    assert [failure.filter for failure in found.report.failures] == ["seals"]
    assert AddField("Seal", "other") in found.decision.edits


def test_a_signature_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sleeps(Seals):
        def sign(self, outgoing: Outgoing) -> Verdict:
            threading.Event().wait(20)
            raise AssertionError("it was waited for")

    monkeypatch.setattr("filterd.chain.chain.SIGNING_LIMIT", 0.05)
    found = run(scored(0), Sleeps())
    assert found.decision.action is Action.TEMPFAIL
    (failure,) = found.report.failures
    assert failure.kind is FailureKind.TIMEOUT
    # Of the machine, not of the content: the next copy is signed.
    assert not list(of_content([failure], ["seals"]))


@pytest.mark.parametrize(
    "edit",
    [
        AddField("X-A", "one\ntwo"),
        AddField("X-A", "one\r\n two"),
        AddField("X-A", "\udce9"),
        AddField("X A", "one"),
        AddField("X-A", "a" * 60_001),
        ChangeField("Subject", 1, "a\0b"),
        ChangeField("Subject", 0, "a"),
        ChangeField("Sub:ject", 1, None),
        Splice(0, 5, b""),
        Splice(HELLO, len(DATA) + 1, b""),
        Splice(HELLO + 1, HELLO, b""),
    ],
)
def test_an_edit_that_cannot_be_made_is_a_failure_of_its_filter(edit: Edit) -> None:
    """The worker's answer would be refused as a whole, and the mail deferred until it expires."""

    class Signs(Seals):
        def sign(self, outgoing: Outgoing) -> Verdict:
            return Verdict(edits=(edit,))

    signed = run(scored(0), Signs(), Seals("other"), on_error="continue")
    assert [failure.kind for failure in signed.report.failures] == [FailureKind.ERROR]
    assert signed.decision.action is Action.ACCEPT
    assert edit not in signed.decision.edits
    assert AddField("Seal", "other") in signed.decision.edits

    examined = run(Verdict(edits=(edit,)), Seals())
    assert [failure.filter for failure in examined.report.failures] == ["says"]
    assert examined.decision.action is Action.TEMPFAIL


def test_what_is_put_in_may_be_a_part_of_a_message_in_a_worker() -> None:
    """There the message is a bytearray."""
    replacement: bytes = bytearray(b"gone")  # type: ignore[assignment]
    found = run(Verdict(edits=(Splice(HELLO, HELLO + 5, replacement),)), Seals())
    assert not found.report.failures
    assert found.decision.action is Action.ACCEPT


@pytest.mark.parametrize(
    "reply",
    [
        Reply(250, "5.7.1", "fine"),
        Reply(550, "4.7.1", "later"),
        Reply(550, "5.7.1", "two\r\nlines"),
        Reply(550, "5.7.1", ""),
    ],
)
def test_a_reply_that_does_not_fit_is_a_failure_of_its_filter(reply: Reply) -> None:
    found = run(Verdict(Action.REJECT, reply=reply))
    assert [failure.filter for failure in found.report.failures] == ["says"]
    assert found.decision.action is Action.TEMPFAIL


def test_what_comes_after_a_signature_has_what_is_left_of_the_messages_time() -> None:
    """A disk that is slow to keep a message is not the worker's fault."""
    told: list[tuple[str, float]] = []
    chain = Chain([Link(Says(scored(0))), Link(Seals())], timeout=1000.0)
    chain.announce = lambda name, deadline: told.append((name, deadline))
    started = time.monotonic()
    Pipeline(chain, Policy(PolicySettings())).process(
        Message(DATA, Envelope("a@x.test", (Recipient("joe@mx.test"),)), "id7")
    )
    assert [name for name, _ in told] == ["says", "", "seals", ""]
    ends = [deadline for name, deadline in told if not name]
    assert ends[0] == ends[1] >= started + 1000


def test_a_dry_run_signs_nothing() -> None:
    found = run(scored(0), Seals(), dry_run=True)
    assert AddField("Seal", "seals") not in found.decision.edits
    assert "SEALED" in [symbol.name for symbol in found.report.symbols]


@pytest.mark.parametrize("outbound", [True, False])
def test_released_mail_is_outbound_if_its_mark_says_so(outbound: bool) -> None:
    key, seals = b"k" * 32, Seals(error=OSError("no key"))
    mark = envelope_id(key, "id1", DATA, ["joe@mx.test"], outbound=outbound)
    envelope = Envelope(
        "a@x.test",
        (Recipient("joe@mx.test"),),
        Client(address="127.0.0.1"),
        sender_parameters=(f"ENVID={mark}",),
    )
    chain = Chain([Link(Says(scored(50))), Link(seals)])
    chain.released = Verifier(key, ["127.0.0.0/8"])

    found = Pipeline(chain, Policy(PolicySettings())).process(Message(DATA, envelope, "id8"))

    # Nothing but a virus stops what a person released, not even this.
    assert found.decision.action is Action.ACCEPT
    (saw,) = seals.saw
    assert saw.verdict.outbound is outbound
    assert found.report.outbound is outbound


def test_a_mark_says_whether_the_message_was_outbound_and_nobody_can_change_that() -> None:
    key = b"k" * 32
    verify = Verifier(key, [])
    for viruses in (False, True):
        for outbound in (False, True):
            mark = envelope_id(
                key, "id1", DATA, ["joe@mx.test"], viruses=viruses, outbound=outbound
            )
            kind = mark.split(":")[2]
            for other in "cvow":
                words = mark.split(":")
                words[2] = other
                envelope = Envelope(
                    "",
                    (Recipient("joe@mx.test"),),
                    sender_parameters=("ENVID=" + ":".join(words),),
                )
                found = verify(Message(DATA, envelope))
                assert (found is not None) is (other == kind)
                if found is not None:
                    assert dataclasses.astuple(found) == ("id1", viruses, outbound)
