"""Recipients and senders as filters change them, in both MTAs' ways."""

from __future__ import annotations

import pytest

from filterd.mta.mail.draft import Draft, EnvelopePath, RecipientList
from filterd.mta.milters.envelope_edits import EnvelopeEdits
from filterd.mta.postfix.envelope_edits import PostfixEnvelope
from filterd.mta.postfix.header import PostfixHeader
from filterd.mta.sendmail.envelope_edits import SendmailEnvelope

HOST = "@mx.example.test"


def draft(*recipients: str) -> Draft:
    people = RecipientList(EnvelopePath(one, f"<{one}>") for one in recipients)
    made = Draft("ID", EnvelopePath("ann@x.test", "<ann@x.test>"), people, PostfixHeader([]), b"")
    # As a router sees it: the own host is nothing, case does not count.
    made.identity = lambda address: address.lower().removesuffix(HOST)
    return made


def addresses(one: Draft) -> list[str]:
    return [path.address for path in one.recipients]


@pytest.mark.parametrize(
    ("added", "wanted"),
    [
        (b"sue@mx.example.test", ["joe@mx.example.test", "sue@mx.example.test"]),
        (b"<sue>, max", ["joe@mx.example.test", "sue", "max"]),
        (b"Sue (from work) <sue>", ["joe@mx.example.test", "sue"]),
        (b'"a, b" <sue>', ["joe@mx.example.test", "sue"]),
        (b"<sue", ["joe@mx.example.test", "sue"]),
        (b"sue>", ["joe@mx.example.test", "sue"]),
        (b"two words@x.test", ["joe@mx.example.test", "two.words@x.test"]),
        (b"JOE", ["joe@mx.example.test"]),
        (b"", ["joe@mx.example.test"]),
        (b"<>", ["joe@mx.example.test"]),
    ],
)
def test_sendmail_adds_what_it_can_read(added: bytes, wanted: list[str]) -> None:
    one = draft(f"joe{HOST}")
    SendmailEnvelope().add(one, added, b"")
    assert addresses(one) == wanted


def test_sendmail_adds_nobody_with_a_bad_argument() -> None:
    one = draft("joe")
    assert "bad argument" in SendmailEnvelope().add(one, b"sue", b"NOTIFY=NEVER,SUCCESS")
    assert "bad argument" in SendmailEnvelope().add(one, b"sue", b"FOO=1")
    assert addresses(one) == ["joe"]
    SendmailEnvelope().add(one, b"sue", b"NOTIFY=NEVER ORCPT=rfc822;a@b")
    assert list(one.recipients)[-1].parameters == ("NOTIFY=NEVER", "ORCPT=rfc822;a@b")


@pytest.mark.parametrize(
    ("added", "wanted"),
    [
        (b"joe@mx.example.test", ["joe@mx.example.test"] * 2),
        (b"Sue <sue>, max", ["joe@mx.example.test", "sue"]),
        (b"<sue", ["joe@mx.example.test"]),
        (b"two words@x.test", ["joe@mx.example.test"]),
        (b"<>", ["joe@mx.example.test"]),
    ],
)
def test_postfix_adds_the_first_even_if_it_is_there(added: bytes, wanted: list[str]) -> None:
    one = draft(f"joe{HOST}")
    for _ in range(2):
        PostfixEnvelope().add(one, added, b"")
    assert addresses(one) == wanted


@pytest.mark.parametrize(
    ("deleted", "sendmail", "postfix"),
    [
        (b"joe@mx.example.test", 0, 0),
        (b"Joe <joe@mx.example.test>", 0, 0),
        (b"JOE@mx.example.test", 0, 1),
        (b"joe@MX.example.test", 0, 1),
        (b"joe", 0, 1),
        (b"sue", 1, 1),
        (b"sue, joe", 0, 1),
    ],
)
def test_who_is_deleted(deleted: bytes, sendmail: int, postfix: int) -> None:
    ways: list[tuple[EnvelopeEdits, int]] = [
        (SendmailEnvelope(), sendmail),
        (PostfixEnvelope(), postfix),
    ]
    for way, left in ways:
        one = draft(f"joe{HOST}")
        way.delete(one, deleted)
        assert len(one.recipients) == left, way


@pytest.mark.parametrize(
    ("given", "sendmail", "postfix"),
    [
        (b"<new@x.test>", "new@x.test", "new@x.test"),
        (b"New <new@x.test>", "new@x.test", "new@x.test"),
        (b"<>", "", ""),
        (b"", "ann@x.test", ""),
        (b"<new", "new", "ann@x.test"),
        (b"one, two", "", "one"),
    ],
)
def test_who_the_sender_is(given: bytes, sendmail: str, postfix: str) -> None:
    ways: list[tuple[EnvelopeEdits, str]] = [
        (SendmailEnvelope(), sendmail),
        (PostfixEnvelope(), postfix),
    ]
    for way, wanted in ways:
        one = draft("joe")
        way.change_sender(one, given, b"")
        assert one.sender.address == wanted, way


@pytest.mark.parametrize("edits", [SendmailEnvelope(), PostfixEnvelope()])
def test_many_edits_look_at_each_recipient_once(edits: EnvelopeEdits) -> None:
    """A filter takes half of them off and adds as many. Counted: how often an address is asked for
    what it is; were all compared with all, that would be a million times."""
    count, asked = 1000, 0
    one = draft(*(f"user{number}@x.test" for number in range(count)))

    class Counted(EnvelopePath):
        __slots__ = ()

        def __getattribute__(self, name: str) -> object:
            nonlocal asked
            asked += name == "address"
            return super().__getattribute__(name)

    one.recipients = RecipientList(Counted(path.address, path.text) for path in one.recipients)
    for number in range(0, count, 2):
        edits.delete(one, b"<user%d@x.test>" % number)
        edits.add(one, b"<new%d@x.test>" % number, b"")
    assert asked <= 3 * count
    assert len(one.recipients) == count
    left = [f"user{number}@x.test" for number in range(1, count, 2)]
    new = [f"new{number}@x.test" for number in range(0, count, 2)]
    assert addresses(one) == left + new
