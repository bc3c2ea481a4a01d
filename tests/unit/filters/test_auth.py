"""Who sent a message: what is checked, what it means, and what becomes of mail that fails DMARC."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from filterd.chain.headers import LabelSettings
from filterd.chain.replies import DELAY
from filterd.chain.services import Services
from filterd.chain.verdict import NO_OPINION, Action, Reason
from filterd.config.load import ConfigError, load
from filterd.filters.auth.settings import AuthSettings
from filterd.filters.auth.symbols import POINTS, findings
from filterd.message import Message
from filterd.message.authentication import (
    Authentication,
    AuthResult,
    Dkim2Check,
    DmarcPolicy,
)
from filterd.resolver.settings import ResolverSettings
from filterd.system.mistakes import SettingsError
from tests.helpers import dkim2
from tests.helpers.arc import hop, list_key
from tests.helpers.authentication import (
    LINES,
    OTHER,
    OWN,
    auth,
    field,
    key_line,
    mail,
    points,
    verdict,
)
from tests.helpers.dkim import partly_signed, signed, signing_key
from tests.helpers.name_server import Question, name_server, zone

pytestmark = pytest.mark.server

KEY = signing_key("ed25519-sha256", "bank.example", "mail")
LIST_KEY = signing_key("ed25519-sha256", "list.example", "l")


def with_signature(message: Message, *keys: Any) -> Message:
    return Message(signed(bytes(message.data), *keys), message.envelope, message.id)


def test_mail_of_the_domains_own_host_passes() -> None:
    with name_server(zone(*LINES)) as server, auth(server.address) as checks:
        told = verdict(checks, mail(sender="ann@bank.example", client=OWN))
        assert points(told) == {"SPF_PASS": 0.0, "SPF_HELO_NONE": 0.0, "DMARC_PASS": -0.1}
        assert told.authentication is not None
        assert told.authentication.line == "passes as bank.example"
        assert told.action is Action.ACCEPT
        assert field(told, "Authentication-Results") == (
            "mx.example; spf=pass smtp.mailfrom=bank.example; dkim=none; "
            "dmarc=pass header.from=bank.example"
        )
        assert field(told, "Received-SPF") == ""


def test_a_name_that_is_no_domain_is_told_once() -> None:
    with name_server(zone(*LINES)) as server, auth(server.address) as checks:
        told = verdict(checks, mail(helo="[192.0.2.9]"))
        details = {symbol.name: symbol.detail for symbol in told.symbols}
        assert details["SPF_HELO_NONE"] == "no domain that the DNS could hold"


def test_a_signature_stands_for_its_domain_wherever_the_mail_comes_from() -> None:
    with name_server(zone(*LINES, key_line(KEY))) as server, auth(server.address) as checks:
        told = verdict(checks, with_signature(mail(), KEY))
        assert points(told) == {
            "SPF_NONE": 0.0,
            "SPF_HELO_NONE": 0.0,
            "DKIM_VALID": -0.1,
            "DKIM_VALID_AU": -0.1,
            "DMARC_PASS": -0.1,
        }
        changed = with_signature(mail(), KEY)
        data = bytes(changed.data).replace(b"hello", b"howdy")
        told = verdict(checks, Message(data, changed.envelope))
        assert points(told) == {
            "SPF_NONE": 0.0,
            "SPF_HELO_NONE": 0.0,
            "DKIM_INVALID": 0.1,
            "DMARC_REJECT": 4.0,
            "DMARC_OVERRIDE": 0.0,
        }


@pytest.mark.parametrize(
    ("author", "settings", "action", "symbol", "override", "labelled"),
    [
        ("bank", {}, Action.QUARANTINE, "DMARC_REJECT", "local_policy", True),
        ("bank", {"dmarc_reject": "reject"}, Action.REJECT, "DMARC_REJECT", "", False),
        ("bank", {"dmarc_reject": "label"}, Action.ACCEPT, "DMARC_REJECT", "local_policy", True),
        ("bank", {"dmarc_reject": "ignore"}, Action.ACCEPT, "DMARC_REJECT", "local_policy", False),
        # Below a domain with a record: the same, by the tree walk.
        ("a.b.bank", {}, Action.QUARANTINE, "DMARC_REJECT", "local_policy", True),
        ("shop", {}, Action.QUARANTINE, "DMARC_QUAR", "", True),
        ("shop", {"dmarc_reject": "reject"}, Action.QUARANTINE, "DMARC_QUAR", "", True),
        ("shop", {"dmarc_quarantine": "label"}, Action.ACCEPT, "DMARC_QUAR", "local_policy", True),
        ("none", {}, Action.ACCEPT, "DMARC_NONE", "", False),
        ("unknown", {}, Action.ACCEPT, "DMARC_MISSING", "", False),
        # t=y asks for the next weaker.
        ("test", {}, Action.QUARANTINE, "DMARC_QUAR", "policy_test_mode", True),
        (
            "test",
            {"dmarc_reject": "reject"},
            Action.QUARANTINE,
            "DMARC_QUAR",
            "policy_test_mode",
            True,
        ),
        ("trial", {}, Action.ACCEPT, "DMARC_NONE", "policy_test_mode", False),
        # By domain, whatever its owner asks.
        ("bank", {"domains": {"bank.example": "reject"}}, Action.REJECT, "DMARC_REJECT", "", False),
        (
            "bank",
            {"domains": {"bank.example": "ignore"}, "dmarc_reject": "reject"},
            Action.ACCEPT,
            "DMARC_REJECT",
            "local_policy",
            False,
        ),
        (
            "none",
            {"domains": {".none.example": "quarantine"}},
            Action.QUARANTINE,
            "DMARC_NONE",
            "local_policy",
            True,
        ),
        (
            "unknown",
            {"domains": {"unknown.example": "reject"}},
            Action.REJECT,
            "DMARC_MISSING",
            "local_policy",
            False,
        ),
        # The closest entry counts.
        (
            "a.bank",
            {"domains": {".bank.example": "reject", "a.bank.example": "label"}},
            Action.ACCEPT,
            "DMARC_REJECT",
            "local_policy",
            True,
        ),
    ],
)
def test_what_becomes_of_mail_that_fails(
    author: str,
    settings: dict[str, Any],
    action: Action,
    symbol: str,
    override: str,
    labelled: bool,
) -> None:
    with name_server(zone(*LINES)) as server, auth(server.address, **settings) as checks:
        told = verdict(checks, mail(f"Ann <ann@{author}.example>"))
        assert symbol in points(told)
        assert (told.action, told.labelled) == (action, labelled)
        assert told.authentication is not None
        assert told.authentication.override == override
        held = action is not Action.ACCEPT
        assert told.reason == (Reason.DMARC if held else None)
        if override:
            assert f'reason="{override.replace("_", " ")}"' in field(told, "Authentication-Results")
            assert "DMARC_OVERRIDE" in points(told)


@pytest.mark.parametrize(
    ("settings", "action"),
    [
        ({}, Action.QUARANTINE),
        ({"dmarc_quarantine": "reject"}, Action.REJECT),
        ({"dmarc_quarantine": "ignore"}, Action.ACCEPT),
        ({"domains": {"own.example": "ignore"}}, Action.QUARANTINE),
        ({"forwarders": [OTHER]}, Action.ACCEPT),
    ],
)
def test_a_bank_does_not_hide_behind_four_domains_that_pass(
    settings: dict[str, Any], action: Action
) -> None:
    own = [f"{name}@{name}.own.example" for name in "abcd"]
    lines = [f'{name}.own.example 60 TXT "v=spf1 +all"' for name in "abcd"]
    author = ", ".join([*own, "ceo@bank.example"])
    with name_server(zone(*LINES, *lines)) as server, auth(server.address, **settings) as checks:
        told = verdict(checks, mail(author, client=OTHER))
        assert points(told)["FROM_EXCESSIVE"] == 3.0
        assert told.action is action
        assert "dmarc=permerror" in field(told, "Authentication-Results")
        if told.reply is not None:
            assert "DMARC of ," not in told.reply.text


@pytest.mark.parametrize("unseen", ["\x01", "\x7f", "\u200e", "\u2069"])
def test_characters_that_nobody_sees_make_no_other_domain(unseen: str) -> None:
    with name_server(zone(*LINES)) as server, auth(server.address) as checks:
        told = verdict(checks, mail(f"ceo@bank.example{unseen}"))
        assert told.action is Action.QUARANTINE, told.symbols


def test_the_client_is_told_which_domain() -> None:
    with (
        name_server(zone(*LINES)) as server,
        auth(server.address, dmarc_reject="reject") as checks,
    ):
        told = verdict(checks, mail())
        assert told.reply is not None
        assert (told.reply.code, told.reply.xcode, told.reply.text) == (
            550,
            "5.7.26",
            "Message refused by DMARC of bank.example: it is not proven to come from that domain",
        )


def test_what_a_relay_of_ours_has_taken_is_held_and_not_refused() -> None:
    relayed = (
        "Received: from host.other.example (host.other.example [198.51.100.7])\r\n"
        "\tby relay.example with ESMTP id 1; Sat, 28 Nov 2026 10:00:00 +0000\r\n"
    )
    with (
        name_server(zone(*LINES)) as server,
        auth(server.address, trusted=["203.0.113.0/24"], dmarc_reject="reject") as checks,
    ):
        told = verdict(checks, mail(client="203.0.113.9", fields=relayed))
        assert (told.action, told.reason) == (Action.QUARANTINE, Reason.DMARC)


def test_spf_is_asked_about_the_host_before_our_relays() -> None:
    relayed = (
        f"Received: from host.bank.example (host.bank.example [{OWN}])\r\n"
        "\tby relay.example with ESMTP id 1; Sat, 28 Nov 2026 10:00:00 +0000\r\n"
    )
    with name_server(zone(*LINES)) as server:
        message = mail(sender="ann@bank.example", client="203.0.113.9", fields=relayed)
        with auth(server.address, trusted=["203.0.113.0/24"], received_spf=True) as checks:
            told = verdict(checks, message)
            assert "SPF_PASS" in points(told)
            assert field(told, "Received-SPF").startswith(
                f"pass identity=mailfrom; client-ip={OWN}; "
            )
            assert told.authentication is not None
            assert told.authentication.client == OWN
        with auth(server.address) as checks:
            assert "SPF_FAIL" in points(verdict(checks, message))


@pytest.mark.parametrize(
    ("message", "trusted", "settings", "labels"),
    [
        (mail(login="ann"), [], {}, {}),
        (mail(client="127.0.0.1"), [], {}, {}),
        (mail(client="::1"), [], {}, {}),
        (mail(client=""), [], {}, {}),
        (mail(), [], {"exempt_networks": ("198.51.100.0/24",)}, {}),
        (mail(), [], {}, {"outbound_clients": ("198.51.100.0/24",)}),
        # A relay that does not say whose mail it is.
        (mail(), ["198.51.100.0/24"], {}, {}),
        (mail(fields="Received: by relay.example; now\r\n"), ["198.51.100.0/24"], {}, {}),
    ],
)
def test_our_own_mail_is_not_checked(
    message: Message, trusted: list[str], settings: dict[str, Any], labels: dict[str, Any]
) -> None:
    said = LabelSettings("mx.example", **labels)
    with (
        name_server(zone(*LINES)) as server,
        auth(server.address, trusted=trusted, labels=said, **settings) as checks,
    ):
        assert verdict(checks, message) is NO_OPINION
        assert not server.asked


def test_without_a_name_server_nothing_is_said() -> None:
    services = Services(ResolverSettings(enabled=False))
    filter = AuthSettings(tempfail=True).build_with(services)
    assert filter.examine(mail()) is NO_OPINION  # type: ignore[union-attr]


def test_what_is_switched_off_is_not_asked() -> None:
    off = {"spf": False, "dkim": False, "dmarc": False, "arc": False}
    with name_server(zone(*LINES, key_line(KEY))) as server, auth(server.address, **off) as checks:
        told = verdict(checks, with_signature(mail(), KEY))
        assert not told.symbols
        assert not server.asked


def test_dkim2_is_verified_where_the_settings_say_so() -> None:
    key = dkim2.key()
    message = mail()
    own = replace(message.envelope, sender="bounces@bank.example")
    data = dkim2.first(
        bytes(message.data), at=time.time(), sender=own.sender, recipients=("joe@mx.example",)
    )
    with name_server(zone(*LINES, key_line(key))) as server:
        with auth(server.address) as checks:
            told = verdict(checks, Message(data, own))
            assert told.authentication is not None
            assert told.authentication.dkim2 is None
            assert not any(name.startswith("DKIM2") for name in points(told))
            assert not any(name.startswith("d2.") for name in server.asked)
        with auth(server.address, dkim2=True) as checks:
            told = verdict(checks, Message(data, own))
            assert points(told)["DKIM2_VALID"] == 0.0
            assert told.authentication is not None
            assert told.authentication.dkim2 == Dkim2Check(AuthResult.PASS, 1, ("bank.example",))
            # No method of that name is registered.
            assert "dkim2" not in field(told, "Authentication-Results")
            [symbol] = [one for one in told.symbols if one.name == "DKIM2_VALID"]
            assert symbol.detail == "signed by bank.example"
            told = verdict(checks, Message(data, message.envelope))
            assert points(told)["DKIM2_INVALID"] == 0.0
            [symbol] = [one for one in told.symbols if one.name == "DKIM2_INVALID"]
            assert symbol.detail == "permerror: DKIM2-Signature i=1 MAIL FROM did not match"
            told = verdict(checks, message)
            assert not any(name.startswith("DKIM2") for name in points(told))


def test_what_dkim2_tells_of_a_list() -> None:
    one, other = "bank.example", "list.example"
    found = Dkim2Check(AuthResult.PASS, 7, (one, *[other] * 6), (other, other))
    assert list(findings(Authentication(dkim2=found))) == [
        (
            "DKIM2_VALID",
            "signed by bank.example then list.example then list.example then list.example "
            "then list.example and 2 more; changed by list.example",
        )
    ]


@pytest.mark.parametrize(
    ("settings", "fields", "override"),
    [
        ({}, "", "local_policy"),
        ({"forwarders": ("198.51.100.0/24",)}, "", "trusted_forwarder"),
        ({"forwarders": ("203.0.113.0/24",)}, "", "local_policy"),
        ({"forwarder_domains": ("list.example",)}, "", "trusted_forwarder"),
        ({"forwarder_domains": ("other.example",)}, "", "local_policy"),
        ({"mailing_lists": (".example",)}, "List-Id: <l.list.example>\r\n", "mailing_list"),
        # Without the fields of a list it may be anything that goes out there.
        ({"mailing_lists": ("list.example",)}, "", "local_policy"),
    ],
)
@pytest.mark.parametrize("by", ["spf", "dkim"])
def test_forwarders_and_lists(
    settings: dict[str, Any], fields: str, override: str, by: str
) -> None:
    with (
        name_server(zone(*LINES, key_line(LIST_KEY))) as server,
        auth(server.address, **settings) as checks,
    ):
        sender = "l-bounces@list.example" if by == "spf" else "x@other.example"
        message = mail(sender=sender, fields=fields)
        told = verdict(checks, message if by == "spf" else with_signature(message, LIST_KEY))
        assert told.authentication is not None
        assert told.authentication.override == override
        passes = override != "local_policy"
        assert told.action is (Action.ACCEPT if passes else Action.QUARANTINE)
        assert points(told)["DMARC_REJECT"] == (0.0 if passes else 4.0)


def test_a_list_that_proves_nothing_is_no_list() -> None:
    with (
        name_server(zone(*LINES)) as server,
        auth(server.address, mailing_lists=("list.example",)) as checks,
    ):
        forged = mail(
            sender="l@list.example", client="203.0.113.9", fields="List-Id: <l.list.example>\r\n"
        )
        assert verdict(checks, forged).action is Action.QUARANTINE


@pytest.mark.parametrize(
    ("sealers", "author", "action"),
    [
        ((), "bank.example", Action.QUARANTINE),
        (("list1.example",), "bank.example", Action.ACCEPT),
        ((".example",), "bank.example", Action.ACCEPT),
        (("other.example",), "bank.example", Action.QUARANTINE),
        # What passed there was another domain.
        (("list1.example",), "shop.example", Action.QUARANTINE),
    ],
)
def test_who_seals_is_believed_if_the_settings_say_so(
    sealers: tuple[str, ...], author: str, action: Action
) -> None:
    key = list_key(1)
    with (
        name_server(zone(*LINES, key_line(key))) as server,
        auth(server.address, arc_sealers=sealers) as checks,
    ):
        message = mail(f"ann@{author}")
        told = verdict(checks, Message(hop(bytes(message.data), key), message.envelope))
        assert "ARC_VALID" in points(told)
        assert told.action is action
        assert "arc=pass header.oldest-pass=0" in field(told, "Authentication-Results")


@pytest.mark.parametrize(
    ("author", "action"),
    [
        ("ann@bank.example", Action.ACCEPT),
        ("ann@bank.example, joe@bank.example", Action.ACCEPT),
        # A sealer that looked at the first address only.
        ("ann@bank.example, ceo@second.example", Action.QUARANTINE),
        ("ann@bank.example, x@none.example", Action.QUARANTINE),
    ],
)
def test_a_sealer_is_believed_of_the_domains_that_it_names(author: str, action: Action) -> None:
    key = list_key(1)
    zones = zone(*LINES, key_line(key), '_dmarc.second.example 60 TXT "v=DMARC1; p=reject"')
    with (
        name_server(zones) as server,
        auth(server.address, arc_sealers=("list1.example",)) as checks,
    ):
        message = mail(author)
        told = verdict(checks, Message(hop(bytes(message.data), key), message.envelope))
        assert "ARC_VALID" in points(told)
        assert told.action is action


def test_a_chain_with_a_stranger_in_it_is_not_believed() -> None:
    keys = [list_key(1), list_key(2)]
    with (
        name_server(zone(*LINES, *map(key_line, keys))) as server,
        auth(server.address, arc_sealers=("list1.example",)) as checks,
    ):
        message = mail()
        data = hop(hop(bytes(message.data), keys[0]), *keys)
        told = verdict(checks, Message(data, message.envelope))
        assert "ARC_VALID" in points(told)
        assert told.action is Action.QUARANTINE


def test_results_of_earlier_filters_are_believed_where_the_settings_say_so() -> None:
    fields = (
        "Authentication-Results: mx.example; dmarc=pass header.from=bank.example\r\n"
        "Authentication-Results: mx.example; spf=pass smtp.mailfrom=ann@bank.example\r\n"
    )
    labels = LabelSettings("mx.example", trusted_results=2)
    with name_server(zone(*LINES)) as server:
        with auth(server.address, labels=labels, use_results=True) as checks:
            told = verdict(checks, mail(fields=fields))
            assert points(told) == {"SPF_PASS": 0.0, "DMARC_PASS": -0.1}
            assert not server.asked
        # More than were put on by filters before are the client's.
        one = LabelSettings("mx.example", trusted_results=1)
        with auth(server.address, labels=one, use_results=True) as checks:
            told = verdict(checks, mail(fields=fields))
            assert points(told)["DMARC_PASS"] == -0.1
            assert "SPF_NONE" in points(told)
        with auth(server.address, labels=labels) as checks:
            assert "DMARC_REJECT" in points(verdict(checks, mail(fields=fields)))


@pytest.mark.parametrize(
    "author",
    [
        "a@friend.example, ceo@bank.example",
        "ceo@bank.example, a@friend.example",
        "a@friend.example\r\nFrom: ceo@bank.example",
        "ceo@bank.example",
    ],
)
def test_a_pass_that_others_found_is_for_the_domain_that_they_name(author: str) -> None:
    """Some look at the first address only."""
    labels = LabelSettings("mx.example", trusted_results=1)
    fields = "Authentication-Results: mx.example; dmarc=pass header.from=friend.example\r\n"
    with (
        name_server(zone(*LINES)) as server,
        auth(server.address, labels=labels, use_results=True) as checks,
    ):
        assert verdict(checks, mail(author, fields=fields)).action is Action.QUARANTINE


def test_what_others_do_not_say_is_checked() -> None:
    """Theirs says that it failed, and not what the domain asks for."""
    labels = LabelSettings("mx.example", trusted_results=1)
    fields = (
        "Authentication-Results: mx.example; dkim=fail header.d=bank.example; "
        "dmarc=fail (p=reject dis=none) header.from=bank.example\r\n"
    )
    with (
        name_server(zone(*LINES)) as server,
        auth(server.address, labels=labels, use_results=True) as checks,
    ):
        told = verdict(checks, mail(fields=fields))
        assert told.authentication is not None
        assert told.authentication.dmarc is not None
        assert told.authentication.dmarc.policy is DmarcPolicy.REJECT
        assert points(told)["DKIM_INVALID"] == 0.1
        assert told.action is Action.QUARANTINE


@pytest.mark.parametrize("tempfail", [False, True])
def test_a_name_server_that_fails_proves_nothing_and_breaks_nothing(tempfail: bool) -> None:
    def fails(question: Question) -> bytes:
        return question.answer(rcode="SERVFAIL")

    with name_server(fails) as server, auth(server.address, tempfail=tempfail) as checks:
        told = verdict(checks, with_signature(mail(), KEY))
        assert points(told) == {
            "SPF_TEMPERROR": 0.0,
            "SPF_HELO_TEMPERROR": 0.0,
            "DKIM_TEMPERROR": 0.0,
            "DMARC_TEMPERROR": 0.0,
        }
        assert told.action is (Action.TEMPFAIL if tempfail else Action.ACCEPT)
        assert told.reply == (DELAY if tempfail else None)
        assert ("DMARC policy of" in told.because) is tempfail


def test_a_senders_own_records_do_not_use_up_what_finds_him_out() -> None:
    """SPF of many questions, none of which is answered; keys that are never answered."""
    slow = signing_key("ed25519-sha256", "slow.example", "s")
    known = zone(
        *LINES, 'evil.example 60 TXT "v=spf1 mx a:a.slow.example include:b.slow.example -all"'
    )

    def says(question: Question) -> bytes | None:
        silent = question.name.endswith("slow.example") or question.type == "MX"
        return None if silent else known(question)

    with name_server(says) as server, auth(server.address, wait=3.0) as checks:
        told = verdict(checks, with_signature(mail(sender="x@evil.example"), slow))
        assert "SPF_TEMPERROR" in points(told)
        assert "DKIM_TEMPERROR" in points(told)
        assert "DMARC_REJECT" in points(told)
        assert told.action is Action.QUARANTINE


@pytest.mark.parametrize(
    "author",
    [
        "ann@bank.example\r\n\tX: y",
        "=?utf-8?q?a=0D=0Ab?= <ann@b\x01ank.example>",
        "ann@bänk.example",
        "a@x.example, b@bank.example",
        "undisclosed:;",
        "<>",
        "a" * 5000,
    ],
)
def test_nothing_hostile_reaches_a_header_field(author: str) -> None:
    with name_server(zone(*LINES)) as server, auth(server.address, received_spf=True) as checks:
        message = mail(author, sender='"a\r\nb"@x\r\ny', helo='h"\r\n\x00é')
        told = verdict(checks, message)
        for edit in told.edits:
            assert re.fullmatch(r"[ -~]*(?:\n\t[ -~]+)*", getattr(edit, "value", ""))
        assert all(symbol.detail.isprintable() for symbol in told.symbols)


def test_a_message_that_was_not_asked_ahead_is_examined_all_the_same() -> None:
    with name_server(zone(*LINES)) as server, auth(server.address) as checks:
        checks.ask(mail("ann@other.example"))
        assert "DMARC_REJECT" in points(checks.examine(mail()))


def test_of_many_signatures_some_are_verified() -> None:
    with (
        name_server(zone(*LINES, key_line(KEY))) as server,
        auth(server.address, signatures_limit=2) as checks,
    ):
        told = verdict(checks, with_signature(mail(), *[KEY] * 5))
        assert told.authentication is not None
        results = [one.result for one in told.authentication.dkim]
        assert results == [AuthResult.PASS, AuthResult.PASS, AuthResult.POLICY]


@pytest.mark.parametrize("result", [AuthResult.POLICY, AuthResult.PASS])
def test_a_body_that_is_partly_signed(result: AuthResult) -> None:
    data = partly_signed(bytes(mail().data), 3, KEY)
    with (
        name_server(zone(*LINES, key_line(KEY))) as server,
        auth(server.address, partly_signed=result.value) as checks,
    ):
        told = verdict(checks, Message(data, mail().envelope, "id1"))
        assert told.authentication is not None
        [one] = told.authentication.dkim
        assert (one.result, one.unsigned) == (result, 4)
        assert ("DKIM_VALID" in points(told)) is (result is AuthResult.PASS)
        assert ("DMARC_REJECT" in points(told)) is (result is AuthResult.POLICY)


def test_points_may_be_set() -> None:
    with (
        name_server(zone(*LINES)) as server,
        auth(server.address, scores={"DMARC_REJECT": 7.5}) as checks,
    ):
        assert points(verdict(checks, mail()))["DMARC_REJECT"] == 7.5


@pytest.mark.parametrize(
    ("toml", "why"),
    [
        ("scores = { DMARC_REJCT = 1 }", "'DMARC_REJCT' is not a symbol of this filter"),
        ('domains = { "ann@bank.example" = "reject" }', 'expected "bank.example"'),
        ('domains = { "*.bank.example" = "reject" }', "there are no wildcards"),
        ('domains = { "bank.example" = "hold" }', "hold"),
        ('mailing_lists = ["ann@list.example"]', 'expected "bank.example"'),
        ('arc_sealers = ["192.0.2.1"]', "is an IP address"),
        ('forwarders = ["list.example"]', "is not a network"),
        ('dmarc_reject = "hold"', "hold"),
        ("wait = 0", "wait"),
    ],
)
def test_mistakes_in_settings(tmp_path: Any, toml: str, why: str) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(f"[filters.auth]\n{toml}\n")
    with pytest.raises((ConfigError, SettingsError), match=re.escape(why)):
        load(file)


def test_the_page_has_every_symbol() -> None:
    page = (Path(__file__).parents[3] / "docs" / "filters" / "auth.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| (-?[0-9.]+) \|", page, re.MULTILINE))
    assert {name: float(points) for name, points in rows.items()} == dict(POINTS)


@pytest.mark.parametrize(
    "author",
    [
        "a@slow.example, ceo@bank.example",
        "ceo@bank.example, a@slow.example, b@slow2.example",
        # More domains than are checked, of which some never answer: what is behind them is unknown.
        "a@slow.example, b@b.example, c@c.example, d@d.example, ceo@bank.example",
        # A spammer's own domain fails as mildly as he likes.
        "a@none.example, ceo@bank.example",
        "a@trial.example, ceo@shop.example",
        "a@none.example, b@b.example, c@c.example, d@d.example, ceo@bank.example",
        "a@trial.example, b@b.example, c@c.example, d@d.example, ceo@bank.example",
        # Whether the name exists is asked in time, too.
        "a@slow.example, ceo@not.there.example",
    ],
)
def test_nobody_hides_behind_a_domain_that_never_answers(author: str) -> None:
    known = zone(*LINES, '_dmarc.there.example 60 TXT "v=DMARC1; p=reject; sp=none; np=reject"')

    def says(question: Question) -> bytes | None:
        return None if "slow" in question.name else known(question)

    with name_server(says) as server, auth(server.address, wait=3.0) as checks:
        told = verdict(checks, mail(author))
        assert told.action is Action.QUARANTINE, told.symbols


@pytest.mark.parametrize(
    ("author", "action"),
    [
        ("a@none.example, joe@mx.example", Action.REJECT),
        ("joe@mx.example, a@none.example", Action.REJECT),
        # What is let pass for one is not for another one.
        ("a@friend.example, ceo@bank.example", Action.QUARANTINE),
        ("a@friend.example, x@none.example", Action.ACCEPT),
        ("a@strict.friend.example", Action.ACCEPT),
        ("a@strict.friend.example, b@friend.example", Action.ACCEPT),
        ("a@strict.friend.example, ceo@bank.example", Action.QUARANTINE),
        ("ceo@bank.example, a@strict.friend.example", Action.QUARANTINE),
        ("a@strict.friend.example, ceo@shop.example", Action.QUARANTINE),
        (
            ", ".join(
                [*(f"a@{name}.strict.friend.example" for name in "abcd"), "ceo@bank.example"]
            ),
            Action.QUARANTINE,
        ),
        ("a@list.example, joe@mx.example", Action.REJECT),
        ("joe@mx.example, a@list.example", Action.REJECT),
        # Proven, with a record that nobody can use; and one that never answers.
        ("a@damaged.list.example, joe@mx.example", Action.REJECT),
        ("a@slow.example, joe@mx.example", Action.REJECT),
        ("a@slow.example, x@none.example", Action.ACCEPT),
        # Proven, beside one that is not.
        ("a@list.example, x@none.example", Action.ACCEPT),
    ],
)
def test_of_several_domains_the_strictest_setting_counts(author: str, action: Action) -> None:
    domains = {"mx.example": "reject", ".friend.example": "ignore", "list.example": "reject"}
    known = zone(
        *LINES,
        f'damaged.list.example 60 TXT "v=spf1 ip4:{OTHER} -all"',
        '_dmarc.damaged.list.example 60 TXT "v=DMARC1; p=all"',
        '_dmarc.strict.friend.example 60 TXT "v=DMARC1; p=reject"',
    )

    def says(question: Question) -> bytes | None:
        return None if "slow" in question.name else known(question)

    damaged = "damaged." if "damaged" in author else ""
    with name_server(says) as server, auth(server.address, domains=domains, wait=3.0) as checks:
        assert verdict(checks, mail(author, sender=f"l@{damaged}list.example")).action is action


@pytest.mark.parametrize("by", ["spf", "dkim"])
def test_a_proof_that_could_not_be_looked_at_is_not_a_missing_one(by: str) -> None:
    """A domain without a DMARC record, which is refused here unless it is proven."""
    key = signing_key("ed25519-sha256", "list.example", "slow")
    known = zone(*LINES, 'part.example 60 TXT "v=spf1 include:slow.example -all"')

    def says(question: Question) -> bytes | None:
        return question.answer(rcode="SERVFAIL") if "slow" in question.name else known(question)

    domains = {"list.example": "reject", "part.example": "reject"}
    with name_server(says) as server, auth(server.address, domains=domains) as checks:
        message = (
            mail("ann@part.example", sender="ann@part.example")
            if by == "spf"
            else with_signature(mail("ann@list.example"), key)
        )
        assert verdict(checks, message).action is Action.ACCEPT
