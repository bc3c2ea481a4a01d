"""What reaches the filters is what was sent, octet for octet; what is delivered is that, labelled.

The quarantine shows what the filters got: every message here is held, and its file compared. The
exceptions are the MTAs' own doing and are written out.
"""

from __future__ import annotations

import pytest

from tests.helpers import messages
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mta import Mta
from tests.helpers.servers.own_mta import OwnMta
from tests.helpers.servers.postfix import Postfix
from tests.helpers.servers.sendmail import Sendmail
from tests.helpers.smtp import send

HOLD = b"X-Obey: score=9"
PASS = b"X-Obey: score=0.5"

FIELDS = {
    "8-bit": (b"Subject: Gr\xc3\xbc\xc3\x9fe", b"X-Latin: Gr\xfc\xdfe", b"X-Bits: \x80\xfe\xff"),
    "undecodable": (b"Subject: =?utf-8?B?////?=", b"Subject: =?no-such?Q?=FF=ZZ?=", b"X-E: =?=?="),
    "folded": (
        b"X-Folded: one\r\n two\r\n\tthree\r\n    four",
        b"X-Early:\r\n value on the second line",
    ),
    "duplicate": (b"Subject: a second one", b"X-Same: 1", b"x-same: 2", b"X-SAME: 1"),
    "empty": (b"X-Empty:", b"X-Blank: ", b"X-Blanks:    "),
    "spacing": (b"X-None:value", b"X-Two:  value", b"X-Tab:\tvalue", b"X-Trailing: value   "),
    "odd names": (b"X: 1", b"X-_.!#$%&'*+^`|~9: 2"),
    "controls": (b"X-Controls: a\x01b\x08c\x0bd\x0ce\x1bf\x7fg",),
    "long": (b"X-Long: " + b"\r\n ".join([b"0123456789" * 7] * 100),),
}

BODIES = {
    "8-bit": b"Gr\xfc\xdfe \x00\x80\xff\xfe\r\n",
    "dots": b".\r\n..\r\n.leading\r\n\r\n.\r\n",
    "empty lines": b"\r\n\r\n\r\nlast\r\n\r\n\r\n",
    "nothing": b"",
    "no MIME": b"--=_part\r\nContent-Type: text/plain\r\n\r\nno such boundary\r\n",
    "long line": b"x" * 900 + b"\r\n",
    "over a chunk": b"0123456789abcde\r\n" * 8000,
}


def held(mta: Mta, filterd: Filterd, data: bytes) -> bytes:
    """Send a message that is held; what the quarantine then has."""
    before = filterd.stored
    assert send(mta.port, data, parameters=" BODY=8BITMIME").final.code == 250
    (id,) = filterd.stored - before
    return filterd.original(id)


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_header_fields_reach_the_chain(
    mta: Mta, filterd: Filterd, fields: tuple[bytes, ...]
) -> None:
    data = messages.message(messages.CLEAN_BODY, HOLD, *fields)

    assert held(mta, filterd, data) == data


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_bodies_reach_the_chain(mta: Mta, filterd: Filterd, body: bytes) -> None:
    data = messages.message(body, HOLD)

    assert held(mta, filterd, data) == data


def test_a_nul_in_a_field_is_what_the_mta_makes_of_it(mta: Mta, filterd: Filterd) -> None:
    """The milter protocol cannot carry it: sendmail takes it out, Postfix cuts the field there."""
    data = messages.message(messages.CLEAN_BODY, HOLD, b"X-Nul: before\0after", b"X-Next: here")

    value = {Sendmail: b"beforeafter", OwnMta: b"beforeafter", Postfix: b"before"}[type(mta)]
    assert held(mta, filterd, data) == data.replace(b"before\0after", value)


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_delivered_with_our_fields_and_no_other_change(
    mta: Mta, filterd: Filterd, fields: tuple[bytes, ...]
) -> None:
    data = messages.message(b"\x80\xff no more\r\n", PASS, *fields)

    assert send(mta.port, data, parameters=" BODY=8BITMIME").final.code == 250

    (mail,) = mta.mail()
    assert mail.value("X-Spam-Status").startswith("No, score=0.5 ")
    kept = list(mail.fields)[mail.names.index("From") :]
    assert mail.body == b"\x80\xff no more\n"
    sent = data.partition(b"\r\n\r\n")[0].replace(b"\r\n", b"\n")
    assert [name for name, _ in kept] == [
        line.partition(b":")[0]
        for line in sent.replace(b"\n ", b" ").replace(b"\n\t", b" ").split(b"\n")
    ]
    assert b"\n".join(name + b": " + value for name, value in kept) == _one_blank(sent)


def _one_blank(head: bytes) -> bytes:
    """The header as `Delivered` shows it: one blank after each colon is not part of the value."""
    lines = []
    for line in head.split(b"\n"):
        if line.startswith((b" ", b"\t")):
            lines.append(line)
        else:
            name, _, value = line.partition(b":")
            lines.append(name + b": " + value.removeprefix(b" "))
    return b"\n".join(lines)


def test_a_list_of_recipients_over_64_kib(mta: Mta, filterd: Filterd) -> None:
    """sendmail takes no header of that size (MaxHeadersLength), Postfix shows 60 KiB of a field."""
    people = b",\r\n ".join(b"Someone Else <someone.%04d@mx.example>" % n for n in range(2000))
    data = messages.message(messages.CLEAN_BODY, HOLD, b"X-People: " + people)

    match mta:
        case Sendmail():
            assert send(mta.port, data).final.code == 552
        case Postfix():
            header, _, body = held(mta, filterd, data).partition(b"\r\n\r\n")
            assert len(header) > 60_000
            assert data.startswith(header)
            assert data.endswith(b"\r\n\r\n" + body)
        case _:
            assert held(mta, filterd, data) == data
