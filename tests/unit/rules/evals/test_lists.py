"""Lists of addresses and hosts, free mailers, and names that are addresses."""

from __future__ import annotations

import pytest

from filterd.message.message import Message
from filterd.rules.conf.rule import Option, Origin
from filterd.rules.evals import freemail, from_name_spoof, wlbl_eval
from filterd.rules.view.view import View

TESTS = wlbl_eval.PLUGIN.tests | freemail.PLUGIN.tests | from_name_spoof.PLUGIN.tests


def view(message: str, **lines: str | tuple[str, ...]) -> View:
    options = {
        name: tuple(
            Option(name, value, Origin("local.cf", 1))
            for value in ((values,) if isinstance(values, str) else values)
        )
        for name, values in lines.items()
    }
    return View(Message(message.replace("\n", "\r\n").encode()), options)


RELAYED = (
    "Received: from x.example ({} [{}]) by mx.example (Postfix) with SMTP id 4F00\n"
    "From: Ann <ann@a.example>\nTo: bob@b.example\nReply-To: r@c.example\n\nText\n"
)
PLAIN = RELAYED.format("mail.a.example", "192.0.2.7")

UTF_8 = "From: Ann <marilù@università.example>\nReply-To: Ü@à.example\n\nText\n"


@pytest.mark.parametrize(
    ("call", "lines"),
    [
        (("check_from_in_blocklist",), {"blocklist_from": "marilù@università.example"}),
        (("check_from_in_blocklist",), {"blocklist_from": "x@b.example *@università.example"}),
        (("check_replyto_in_list", "L"), {"enlist_addrlist": "(L) a@b.example Ü@à.example"}),
        (("check_freemail_from",), {"freemail_domains": "b.example università.example"}),
    ],
)
def test_octets_of_utf_8_are_no_blanks(call: tuple[str, ...], lines: dict[str, str]) -> None:
    octets = {name: value.encode().decode("latin-1") for name, value in lines.items()}
    name, *arguments = call
    assert TESTS[name](view(UTF_8, **octets), *arguments)


# A test, its options with a hit, and without one.
LISTED = {
    "unwanted": (("check_from_in_blocklist",), {"blocklist_from": "*@A.example"}, {}),
    "unwanted by address": (
        ("check_from_in_blocklist",),
        {"blocklist_from": "a?n@a.example"},
        {"blocklist_from": "a?n@a.examples"},
    ),
    "recipient": (("check_to_in_all_spam",), {"all_spam_to": "bob@*"}, {"all_spam_to": "ann@*"}),
    "wanted": (("check_from_in_welcomelist",), {"welcomelist_from": "ann@*.example"}, {}),
    "wanted by relay": (
        ("check_from_in_welcomelist",),
        {"welcomelist_from_rcvd": "*@a.example a.example"},
        {"welcomelist_from_rcvd": "*@a.example b.example"},
    ),
    "wanted by address of the relay": (
        ("check_from_in_welcomelist",),
        {"welcomelist_from_rcvd": "*@a.example [192.0.2.0/24]"},
        {"welcomelist_from_rcvd": "*@a.example [192.0.3]"},
    ),
    "wanted, but forged": (
        ("check_forged_in_welcomelist",),
        {"welcomelist_from_rcvd": "*@a.example b.example"},
        {
            "welcomelist_from_rcvd": "*@a.example b.example",
            "welcomelist_allows_relays": "ann@a.example",
        },
    ),
    "by default": (
        ("check_from_in_default_welcomelist",),
        {"def_welcomelist_from_rcvd": "*@a.example a.example"},
        {},
    ),
    "by name of the list": (
        ("check_from_in_list", "BANKS"),
        {"enlist_addrlist": ("(BANKS) x@y.example", "(BANKS) *@a.example")},
        {"enlist_addrlist": "(OTHER) *@a.example"},
    ),
    "answers": (
        ("check_replyto_in_list", "BANKS"),
        {"enlist_addrlist": "(BANKS) *@c.example"},
        {"enlist_addrlist": "(BANKS) *@a.example"},
    ),
}


@pytest.mark.parametrize(("call", "hit", "miss"), LISTED.values(), ids=LISTED)
def test_lists(
    call: tuple[str, ...], hit: dict[str, str | tuple[str, ...]], miss: dict[str, str]
) -> None:
    name, *arguments = call
    assert TESTS[name](view(PLAIN, **hit), *arguments)
    assert not TESTS[name](view(PLAIN, **miss), *arguments)


def test_the_sender_and_its_relay() -> None:
    sender = "Return-Path: <ann@a.example>\n"
    assert TESTS["check_mailfrom_matches_rcvd"](view(sender + PLAIN))
    other = RELAYED.format("mail.z.test", "192.0.2.7")
    assert not TESTS["check_mailfrom_matches_rcvd"](view(sender + other))


def test_hosts_of_links() -> None:
    message = "Subject: x\n\nhttp://www.bad.example.com/page\n"
    check = TESTS["check_uri_host_listed"]
    assert check(view(message, enlist_uri_host="(BAD) example.com"), "BAD")
    assert not check(view(message, enlist_uri_host="(BAD) example.com !bad.example.com"), "BAD")
    assert not check(view(message, enlist_uri_host="(BAD) example.com"), "GOOD")
    assert TESTS["check_uri_host_in_blocklist"](
        view(message, enlist_uri_host="(BLOCK) www.bad.example.com")
    )


FREE = {"freemail_domains": "free.com free*.net", "util_rb_tld": "com net"}


def mail(author: str, answers: str = "", text: str = "Hello") -> str:
    reply_to = f"Reply-To: {answers}\n" if answers else ""
    return f"From: {author}\n{reply_to}Subject: x\n\n{text}\n"


def test_a_sender_at_a_free_mailer() -> None:
    check = TESTS["check_freemail_from"]
    assert check(view(mail("ann@free.com"), **FREE))
    assert check(view(mail("ann@freebie.net"), **FREE))
    assert check(view(mail("ann1@free.com"), **FREE), r"\d@")
    assert not check(view(mail("ann@free.com"), **FREE), r"\d@")
    assert not check(view(mail("ann@paid.com"), **FREE))
    assert not check(view(mail("abuse@free.com"), **FREE))
    assert not check(view(mail("ann@free.com"), **FREE, freemail_welcomelist="ann@free.com"))
    assert not check(view(mail("ann@free.com")))
    assert TESTS["check_freemail_header"](view(mail("x@y.com", "a@free.com"), **FREE), "Reply-To")


def test_addresses_in_the_text() -> None:
    check = TESTS["check_freemail_body"]
    assert check(view(mail("x@y.com", text="write to joe@free.com now"), **FREE))
    for text in ("<joe@free.com>", "joe@free.com wrote:", "http://x.com/?a=joe@free.com"):
        assert not check(view(mail("x@y.com", text=text), **FREE)), text
    many = " ".join(f"{name}@free.com" for name in "abcdefg")
    assert not check(view(mail("x@y.com", text=many), **FREE))


def test_answers_that_go_to_another_free_mailer() -> None:
    check = TESTS["check_freemail_replyto"]
    assert check(view(mail("ann@free.com", "eve@free.com"), **FREE))
    assert not check(view(mail("ann@free.com", "ann@free.com"), **FREE))
    assert check(view(mail("x@y.com", "eve@free.com", "or joe@free.com "), **FREE))
    assert not check(view(mail("ann@free.com", text="or joe@free.com "), **FREE))
    assert check(view(mail("ann@free.com", text="or joe@free.com "), **FREE), "reply")
    bulk = "Return-Path: <list-bounces@y.com>\n" + mail("ann@free.com", "eve@free.com")
    assert not check(view(bulk, **FREE))


SPOOFED = 'From: "boss@bank.com" <eve@evil.net>\nTo: boss@bank.com\nReply-To: boss@bank.com\n\n'


def test_a_name_that_is_an_address() -> None:
    one = view(SPOOFED, util_rb_tld="com net")
    for name in ("spoof", "different", "domain_differ", "contains_email", "owners_differ"):
        assert TESTS[f"check_fromname_{name}"](one), name
    assert TESTS["check_fromname_equals_to"](one)
    assert TESTS["check_fromname_equals_replyto"](one)


def test_a_name_that_is_the_same_address_or_owner() -> None:
    same = view("From: boss@bank.com <boss@bank.com>\n\n", util_rb_tld="com net")
    assert TESTS["check_fromname_contains_email"](same)
    assert not TESTS["check_fromname_spoof"](same)
    lines = {"util_rb_tld": "com net", "fns_add_addrlist": "(US) *@bank.com *@evil.net"}
    assert not TESTS["check_fromname_spoof"](view(SPOOFED, **lines))
    assert TESTS["check_fromname_spoof"](view(SPOOFED, **lines), "2")
    ignored = view(SPOOFED, util_rb_tld="com net", fns_ignore_headers="Reply-To")
    assert not TESTS["check_fromname_spoof"](ignored)
