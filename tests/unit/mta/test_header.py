"""Header changes, sendmail's way and Postfix's."""

from __future__ import annotations

import pytest

from filterd.mta.mail.header import HeaderSection, split_message, take_return_path
from filterd.mta.postfix.header import PostfixHeader
from filterd.mta.sendmail.header import SendmailHeader

MESSAGE = [(b"From", b" a@x"), (b"X-A", b" a1"), (b"X-B", b" b1"), (b"X-A", b" a2")]


def sendmail(**defaults: bytes) -> HeaderSection:
    own = {b"Received": b" us", b"Date": b" now", b"Message-Id": b" <our@mx>"}
    return SendmailHeader(list(MESSAGE), own | {k.encode(): v for k, v in defaults.items()})


def postfix() -> HeaderSection:
    header = PostfixHeader(list(MESSAGE))
    header.set_own(b"Received", b" us")
    return header


def names(header: HeaderSection) -> str:
    """The values in order, our own ones in brackets."""
    own = {b" us": "(R)", b" now": "(D)", b" <our@mx>": "(M)"}
    return " ".join(
        own.get(value, value.decode().strip())
        for value in (line.partition(b":")[2] for line in header.encode().splitlines())
    )


def test_a_header_is_split_from_its_body() -> None:
    fields, body = split_message(b"A: one\n two\nB:x\n\nbody\n")
    assert fields == [(b"A", b" one\n two"), (b"B", b"x")]
    assert body == b"body\n"


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"", b""),
        (b"\nbody", b"body"),
        (b"no field\n\nx", b"no field\n\nx"),
        (b"A: b", b""),
        (b"A: b\nnot a field\n", b"not a field\n"),
    ],
)
def test_where_the_header_ends(data: bytes, body: bytes) -> None:
    assert split_message(data)[1] == body


def test_a_nul_in_a_header_is_dropped() -> None:
    assert split_message(b"A: a\0b\n\n")[0] == [(b"A", b" ab")]


def test_filters_see_the_message_without_our_fields_and_one_blank() -> None:
    for header in (sendmail(), postfix()):
        assert next(iter(header.for_filter(verbatim=False))) == (b"From", b"a@x")
        assert next(iter(header.for_filter(verbatim=True))) == (b"From", b" a@x")
        assert len(list(header.for_filter(verbatim=False))) == len(MESSAGE)


def test_adding() -> None:
    header = sendmail()
    header.add(b"X-A", b"a3", verbatim=False)
    header.add(b"X-N", b"n", verbatim=False)
    assert names(header) == "(R) (D) (M) a@x a3 a1 b1 a2 n"
    header = postfix()
    header.add(b"X-A", b"a3", verbatim=False)
    assert names(header) == "(R) a@x a1 b1 a2 a3"


def test_adding_what_sendmail_would_add_itself_replaces_it() -> None:
    header = sendmail()
    header.add(b"message-id", b"<theirs@x>", verbatim=False)
    assert names(header) == "(R) (D) <theirs@x> a@x a1 b1 a2"


@pytest.mark.parametrize(
    ("index", "as_sendmail", "as_postfix"),
    [
        (0, "v (R) (D) (M) a@x a1 b1 a2", "v (R) a@x a1 b1 a2"),
        (1, "(R) v (D) (M) a@x a1 b1 a2", "(R) v a@x a1 b1 a2"),
        (2, "(R) v (D) (M) a@x a1 b1 a2", "(R) a@x v a1 b1 a2"),
        (9, "(R) (D) (M) a@x v a1 b1 a2", "(R) a@x a1 b1 a2 v"),
        (99, "(R) (D) (M) a@x a1 b1 a2 v", "(R) a@x a1 b1 a2 v"),
    ],
)
def test_inserting(index: int, as_sendmail: str, as_postfix: str) -> None:
    for header, wanted in ((sendmail(), as_sendmail), (postfix(), as_postfix)):
        header.insert(index, b"X-I", b"v", verbatim=False)
        assert names(header) == wanted


def test_two_inserts_at_the_top_come_out_reversed() -> None:
    header = sendmail()
    header.insert(0, b"X-I", b"v1", verbatim=False)
    header.insert(0, b"X-I", b"v2", verbatim=False)
    assert names(header).startswith("v2 v1 (R)")


@pytest.mark.parametrize(
    ("index", "value", "as_sendmail", "as_postfix"),
    [
        (1, b"new", "new b1 a2", "new b1 a2"),
        (2, b"new", "a1 b1 new", "a1 b1 new"),
        (0, b"new", "new b1 a2", "new b1 a2"),
        (3, b"new", "new a1 b1 a2", "a1 b1 a2 new"),
        (1, b"", "b1 a2", "b1 a2"),
        (3, b"", "a1 b1 a2", "a1 b1 a2"),
    ],
)
def test_changing(index: int, value: bytes, as_sendmail: str, as_postfix: str) -> None:
    for header, wanted in ((sendmail(), as_sendmail), (postfix(), as_postfix)):
        header.change(index, b"x-a", value, verbatim=False)
        assert names(header).endswith("a@x " + wanted)


def test_our_received_cannot_be_changed_and_bcc_does_not_leave() -> None:
    message = [(b"Bcc", b" z@x"), (b"To", b" y@x"), (b"A", b" a")]
    header = SendmailHeader(message, {b"Received": b" us"})
    header.change(1, b"Received", b"", verbatim=False)
    assert names(header) == "(R) y@x a"
    # Without anybody to name, an empty field stays: a message should have one.
    assert SendmailHeader([(b"Bcc", b" z@x")], {}).encode() == b"Bcc:\n"
    header.change(1, b"Received", b"mine", verbatim=False)
    assert names(header) == "mine (R) y@x a"
    assert list(header.for_filter(verbatim=False))[-1] == (b"A", b"a")


def test_resent_fields_come_together() -> None:
    defaults = {b"Resent-Date": b" now", b"Resent-Message-Id": b" <our@mx>"}
    plain = SendmailHeader([(b"From", b" a@x")], defaults)
    assert names(plain) == "a@x"
    resent = SendmailHeader([(b"Resent-From", b" r@x"), (b"From", b" a@x")], defaults)
    assert names(resent) == "(D) (M) r@x a@x"


def test_sendmail_eats_an_mbox_separator() -> None:
    data = b"From ann Mon\nA: b\n\nbody\n"
    assert split_message(data, eats_from=True) == ([(b"A", b" b")], b"body\n")
    assert split_message(data) == ([], data)


def test_deleting_the_first_twice_deletes_one_for_sendmail_and_two_for_postfix() -> None:
    for header, wanted in ((sendmail(), "a@x b1 a2"), (postfix(), "a@x b1")):
        header.change(1, b"X-A", b"", verbatim=False)
        header.change(1, b"X-A", b"", verbatim=False)
        assert names(header).endswith(wanted)


def test_a_filters_value_cannot_begin_a_field_of_its_own() -> None:
    for header, fold in ((sendmail(), b" "), (postfix(), b"\t")):
        header.add(b"X-N", b"v\nX-Evil: 1\r\n\tfolded", verbatim=False)
        assert header.encode().endswith(b"X-N: v\n" + fold + b"X-Evil: 1\n\tfolded\n")


def test_verbatim_values_get_no_blank() -> None:
    header = sendmail()
    header.add(b"X-N", b"v", verbatim=True)
    assert header.encode().endswith(b"X-N:v\n")


def test_an_edit_without_a_name_is_no_edit() -> None:
    header = sendmail()
    before = header.encode()
    header.add(b"", b"v", verbatim=False)
    header.insert(0, b"", b"v", verbatim=False)
    header.change(1, b"", b"v", verbatim=False)
    assert header.encode() == before


def test_return_path_is_the_mailers_until_a_filter_has_it() -> None:
    header = SendmailHeader([(b"Subject", b" s")], {})
    assert take_return_path(header.encode()) == (None, b"Subject: s\n")
    header.change(1, b"return-path", b"<x>", verbatim=False)
    assert take_return_path(header.encode()) == (b"Return-Path: <x>\n", b"Subject: s\n")
    assert (b"Return-Path", b"<x>") in list(header.for_filter(verbatim=False))
    header.change(1, b"Return-Path", b"", verbatim=False)
    assert take_return_path(header.encode()) == (b"", b"Subject: s\n")


def test_a_line_break_can_start_no_field_however_it_is_stored() -> None:
    header = SendmailHeader([(b"Subject", b" s")], {})
    header.add(b"X-A", b"one\nX-B: two\r\nX-C: three", verbatim=False)
    assert (b"X-A", b"one\nX-B: two\r\nX-C: three") in list(header.for_filter(verbatim=False))
    assert header.encode() == b"Subject: s\nX-A: one\n X-B: two\n X-C: three\n"


def test_an_own_field_counts_once_a_filter_has_set_it() -> None:
    header = SendmailHeader([(b"Subject", b" s")], {b"Date": b" now"})
    assert [name for name, _ in header.for_filter(verbatim=False)] == [b"Subject"]
    header.add(b"Date", b"then", verbatim=False)
    header.add(b"Date", b"later", verbatim=False)
    assert list(header.for_filter(verbatim=False)) == [
        (b"Date", b"later"),
        (b"Date", b"then"),
        (b"Subject", b"s"),
    ]
    header.change(2, b"Date", b"", verbatim=False)
    assert header.encode() == b"Date: later\nSubject: s\n"


@pytest.mark.parametrize("index", [0xFFFFFFFF, 0x80000000])
def test_a_place_beyond_the_signed_range_is_the_top(index: int) -> None:
    header = SendmailHeader([(b"X", b" 1"), (b"X", b" 2")], {b"Received": b" r"})
    header.insert(index, b"Y", b"v", verbatim=False)
    header.change(index, b"X", b"v", verbatim=False)
    assert header.encode() == b"Y: v\nReceived: r\nX: v\nX: 2\n"


def test_a_colon_ends_a_name_in_postfix() -> None:
    header = PostfixHeader([])
    header.add(b"X:Y", b"v", verbatim=False)
    assert list(header.for_filter(verbatim=True)) == [(b"X", b"Y: v")]
