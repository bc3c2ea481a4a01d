"""The header fields of delivered mail: what is added, what is taken away, exactly as written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from filterd.chain.headers import LabelSettings, final_reply, header_edits, points, status
from filterd.chain.policy import Decision
from filterd.chain.verdict import Action, AddField, ChangeField, Edit, Reply, Symbol, Verdict
from filterd.message import Client, Envelope, Message

HERE = LabelSettings(hostname="mx.test")


def message(*header: str) -> Message:
    return Message("".join(f"{line}\r\n" for line in (*header, "")).encode("latin-1"), id="id7")


def scored(**symbols: float) -> Verdict:
    return Verdict(symbols=tuple(Symbol(name, score) for name, score in symbols.items()))


def added(edits: tuple[Edit, ...]) -> list[str]:
    return [f"{edit.name}: {edit.value}" for edit in edits if isinstance(edit, AddField)]


def changed(edits: tuple[Edit, ...]) -> list[tuple[str, int, str | None]]:
    return [(e.name, e.index, e.value) for e in edits if isinstance(e, ChangeField)]


def test_spam_is_labelled() -> None:
    edits = header_edits(
        message("Subject: x"),
        replace(scored(A=5, B=2.9), scanner="ClamAV 1.4.3"),
        Decision(Action.ACCEPT, labelled=True),
        HERE,
    )
    assert added(edits) == [
        "X-Spam-Flag: YES",
        "X-Spam-Status: Yes, score=7.9 required=5.0 tests=A,B",
        "X-Spam-Score: 7.9",
        "X-Spam-Level: *******",
        "X-Virus-Scanned: ClamAV 1.4.3 at mx.test",
        "X-Virus-Status: Clean",
    ]


def test_ham_gets_a_status_and_no_flag() -> None:
    edits = header_edits(
        message("Subject: x"), scored(BAYES_00=-1.9), Decision(Action.ACCEPT), HERE
    )
    assert added(edits) == [
        "X-Spam-Status: No, score=-1.9 required=5.0 tests=BAYES_00",
        "X-Spam-Score: -1.9",
    ]


def test_fields_for_spam_only() -> None:
    quiet = LabelSettings("mx.test", spam_fields=False)
    assert header_edits(message(), scored(A=1), Decision(Action.ACCEPT), quiet) == ()


def test_a_stripped_message_names_its_original() -> None:
    edits = header_edits(message(), scored(), Decision(Action.ACCEPT), HERE, stored=True)
    assert added(edits)[0] == "X-Quarantine-ID: id7"


def test_the_level_has_a_limit() -> None:
    edits = header_edits(
        message(), scored(GTUBE=1000), Decision(Action.ACCEPT, labelled=True), HERE
    )
    assert f"X-Spam-Level: {'*' * 50}" in added(edits)


@pytest.mark.parametrize(
    ("value", "text"), [(7.9, "7.9"), (5, "5.0"), (0.25, "0.25"), (-1.9, "-1.9"), (1000, "1000.0")]
)
def test_points(value: float, text: str) -> None:
    assert points(value) == text


def test_many_symbols_are_folded_and_each_stands_once() -> None:
    verdict = Verdict(symbols=tuple(Symbol(f"SYMBOL_{n % 20:02}", 0.1) for n in range(40)))
    value = status(verdict, Decision(Action.ACCEPT))
    assert all(len(line) <= 78 for line in value.split("\n"))
    assert all(line.startswith("\t") for line in value.split("\n")[1:])
    assert value.replace("\n\t", "").count("SYMBOL_07") == 1


def test_a_symbol_cannot_inject_a_field() -> None:
    verdict = Verdict(symbols=(Symbol("A\r\nX-Evil: yes"),))
    assert status(verdict, Decision(Action.ACCEPT)).endswith("tests=A_X-Evil_yes")


def test_forged_fields_are_removed_from_the_last_to_the_first() -> None:
    """Postfix counts anew after each deletion, sendmail does not: from the end both agree."""
    mail = message(
        "X-Spam-Flag: NO",
        "Subject: x",
        "x-spam-flag: NO",
        "X-Virus-Status: Clean",
        "X-Spam-Level:",
        "X-Spammy: stays",
        "X-SPAM-FLAG: NO",
    )
    assert changed(header_edits(mail, scored(), Decision(Action.ACCEPT), HERE)) == [
        ("X-SPAM-FLAG", 3, None),
        ("X-Spam-Level", 1, None),
        ("X-Virus-Status", 1, None),
        ("x-spam-flag", 2, None),
        ("X-Spam-Flag", 1, None),
    ]


@pytest.mark.parametrize(
    ("value", "removed"),
    [
        ("mx.test; spf=pass", True),
        ("MX.TEST 1; spf=pass", True),
        ("(comment) mx.test; none", True),
        ("mx.test", True),
        # Spellings that one reader or another takes for our name.
        ("mx.test.; spf=pass", True),
        ("mx.test/1; spf=pass", True),
        ("mx.test=1; spf=pass", True),
        ('"mx.te\\st"; spf=pass', True),
        ('" mx.test"; spf=pass', True),
        ("mx(c).test; spf=pass", True),
        ("mx . test; spf=pass", True),
        ("<mx.test>; spf=pass", True),
        ("mx.test\xa0; spf=pass", True),
        ("other.test; spf=pass", False),
        ("mx.test.other.test; spf=pass", False),
        ("not-mx.test; spf=pass", False),
        ("", False),
    ],
)
def test_only_results_in_our_own_name_are_forgeries(value: str, removed: bool) -> None:
    mail = message(f"Authentication-Results: {value}")
    assert bool(changed(header_edits(mail, scored(), Decision(Action.ACCEPT), HERE))) is removed


def test_the_host_is_the_mtas_own_name_where_none_is_set() -> None:
    mail = Message(b"\r\n", Envelope(macros={"j": "relay.test"}), "id7")
    edits = header_edits(mail, Verdict(scanner="S"), Decision(Action.ACCEPT), LabelSettings())
    assert "X-Virus-Scanned: S at relay.test" in added(edits)


@pytest.mark.parametrize(
    ("header", "edit"),
    [
        ("Subject: win big", ChangeField("Subject", 1, "***SPAM*** win big")),
        ("SUBJECT: win\r\n big", ChangeField("SUBJECT", 1, "***SPAM*** win\n big")),
        ("To: nobody", AddField("Subject", "***SPAM***")),
        (
            "Subject: caf\xe9",
            ChangeField("Subject", 1, "***SPAM*** =?iso-8859-1?q?caf=E9?="),
        ),
    ],
)
def test_the_subject_tag(header: str, edit: Edit) -> None:
    decision = Decision(Action.ACCEPT, labelled=True, subject_tag="***SPAM*** ")
    assert header_edits(message(header), scored(A=6), decision, HERE)[-1] == edit


def test_a_tag_that_is_there_already_changes_nothing() -> None:
    decision = Decision(Action.ACCEPT, labelled=True, subject_tag="***SPAM*** ")
    edits = header_edits(message("Subject: ***SPAM*** again"), scored(A=6), decision, HERE)
    assert changed(edits) == []


OURS = "Authentication-Results: mx.test; dkim=pass"


@pytest.mark.parametrize(
    ("trusted", "header", "removed"),
    [
        # Without such a filter every field in our name is the client's.
        (0, [OURS, "From: a"], [1]),
        (1, [OURS, "From: a"], []),
        (1, [OURS, OURS, "From: a"], [2]),
        (1, ["X-Filter: y", OURS, "DKIM-Filter: x", OURS, "Received: z", OURS], [3, 2]),
        (2, ["X-Filter: y", OURS, "DKIM-Filter: x", OURS, "Received: z", OURS], [3]),
        # Nothing was added on top: what the client sent below its own fields is no better for it.
        (1, ["Received: from x by y id 4711", OURS, "From: a"], [1]),
        (1, ["From: a", OURS], [1]),
        (2, ["Subject: a", OURS, "From: a", OURS], [2, 1]),
        # The MTA's own Received field stands below what this host's filters have inserted.
        (0, [OURS, "Received: from x by mx.test with ESMTP id 4Fxyz; Mon", OURS], [2]),
        (0, [OURS, OURS, "Received: from x by mx.test\r\n\tid 4Fxyz\r\n\tfor <j>; Mon"], []),
        (0, [OURS, "Received: from x by mx.test id 4Fxyzz; Mon"], [1]),
    ],
)
def test_results_of_this_hosts_own_filters_stay(
    trusted: int, header: list[str], removed: list[int]
) -> None:
    raw = "".join(f"{line}\r\n" for line in (*header, "")).encode()
    mail = Message(raw, Envelope(macros={"i": "4Fxyz"}), "id7")
    settings = LabelSettings("mx.test", trusted_results=trusted)
    edits = header_edits(mail, scored(), Decision(Action.ACCEPT), settings)
    assert [index for _name, index, _value in changed(edits)] == removed


@pytest.mark.parametrize(
    ("client", "login", "settings", "labelled"),
    [
        ("192.0.2.7", "", {}, True),
        ("127.0.0.1", "", {}, True),
        ("192.0.2.7", "ann", {}, False),
        ("192.0.2.7", "ann", {"label_outbound": True}, True),
        ("192.0.2.7", "", {"outbound_clients": ("192.0.2.0/24",)}, False),
        ("::ffff:192.0.2.7", "", {"outbound_clients": ("192.0.2.0/24",)}, False),
        ("127.0.0.1", "", {"outbound_clients": ("local",)}, False),
        ("", "", {"outbound_clients": ("local",)}, False),
        ("198.51.100.1", "", {"outbound_clients": ("local", "192.0.2.0/24")}, True),
    ],
)
def test_outbound_mail_does_not_tell_the_world_its_score(
    client: str, login: str, settings: dict[str, Any], labelled: bool
) -> None:
    envelope = Envelope(client=Client("c", client), macros={"{auth_authen}": login})
    mail = Message(b"Subject: x\r\nX-Spam-Flag: NO\r\n\r\n", envelope, "id7")
    decision = Decision(Action.ACCEPT, labelled=True, subject_tag="[spam] ")
    edits = header_edits(
        mail,
        replace(scored(A=6), scanner="S"),
        decision,
        LabelSettings("mx.test", **settings),
        stored=True,
    )
    assert bool(added(edits)) is labelled
    assert (("Subject", 1, "[spam] x") in changed(edits)) is labelled
    assert ("X-Spam-Flag", 1, None) in changed(edits), "what it claims itself goes in any case"


def test_every_reply_names_the_message() -> None:
    reply = final_reply(Reply(550, "5.7.1", "Message refused as spam"), "id7")
    assert reply == Reply(550, "5.7.1", "Message refused as spam (id=id7)")
