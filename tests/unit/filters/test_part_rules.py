"""Other treatments of attachments for some recipients and for one direction."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicySettings
from filterd.chain.verdict import Action, Verdict
from filterd.config.load import ConfigError, load
from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartRule, PartsSettings
from filterd.message import Client, Envelope, Message, Recipient
from tests.helpers import messages

SCRIPT = messages.multipart([("build.ps1", b"Write-Host hello")])
STRANGER = Client("mail.example", "192.0.2.7")
DEVELOPER, CLERK = "dev@code.example", "clerk@mx.example"


def envelope(
    *recipients: str, client: Client = STRANGER, login: str = "", sender: str = "a@x.example"
) -> Envelope:
    return Envelope(
        sender,
        tuple(map(Recipient, recipients)),
        client,
        macros={"{auth_authen}": login} if login else {},
    )


def judged(parts: Parts, to: Envelope, data: bytes = SCRIPT) -> Verdict:
    return parts.examine(Message(data, to, id="X1"))


def outcomes(verdict: Verdict, to: Envelope) -> dict[str, str]:
    decision = Policy(PolicySettings()).decide(verdict, to)
    return {o.recipient: f"{o.action.word}/{o.rule}" for o in decision.outcomes}


FREE = PartRule("developers", recipients=(".code.example",), action="score")
HELD = PartRule("clerks", recipients=(CLERK,), action="quarantine")
REFUSED = PartRule("clerks", recipients=(CLERK,), action="reject")


@pytest.mark.parametrize(
    ("rules", "to", "expected", "stripped"),
    [
        ((FREE,), (DEVELOPER,), {DEVELOPER: "accept/default"}, False),
        ((FREE,), (CLERK,), {CLERK: "accept/default"}, True),
        # All get the same body: the strictest decides what is in it.
        (
            (FREE,),
            (DEVELOPER, CLERK),
            {DEVELOPER: "accept/default", CLERK: "accept/default"},
            True,
        ),
        # Who gets no copy has no say in what is in the others'.
        (
            (FREE, HELD),
            (DEVELOPER, CLERK),
            {DEVELOPER: "accept/default", CLERK: "quarantine/parts/clerks"},
            False,
        ),
        ((HELD,), (CLERK,), {CLERK: "quarantine/default"}, False),
        ((REFUSED,), (CLERK,), {CLERK: "reject/default"}, False),
        # One answer for all: where only some refuse, their copy is held.
        (
            (FREE, REFUSED),
            (DEVELOPER, CLERK),
            {DEVELOPER: "accept/default", CLERK: "quarantine/parts/clerks"},
            False,
        ),
        (
            (HELD, PartRule("developers", (".code.example",), action="reject")),
            (DEVELOPER, CLERK),
            {DEVELOPER: "quarantine/parts/developers", CLERK: "quarantine/default"},
            False,
        ),
        # The first rule that matches counts.
        (
            (PartRule("all of us", (CLERK, DEVELOPER), action="score"), HELD),
            (CLERK,),
            {CLERK: "accept/default"},
            False,
        ),
    ],
)
def test_who_gets_what(
    rules: tuple[PartRule, ...], to: tuple[str, ...], expected: dict[str, str], stripped: bool
) -> None:
    to_whom = envelope(*to)
    verdict = judged(Parts(PartsSettings(rules=rules)), to_whom)
    assert [s.name for s in verdict.symbols] == ["BANNED_PART"]
    assert outcomes(verdict, to_whom) == expected
    assert bool(verdict.removed) == stripped
    assert bool(verdict.edits) == stripped


def test_all_who_refuse_are_refused_with_the_filters_own_words() -> None:
    to_whom = envelope(DEVELOPER, CLERK)
    rules = (REFUSED, PartRule("developers", (".code.example",), action="reject"))
    verdict = judged(Parts(PartsSettings(rules=rules)), to_whom)
    decision = Policy(PolicySettings()).decide(verdict, to_whom)
    assert decision.action is Action.REJECT
    assert decision.reply is not None
    assert decision.reply.text == "Message refused, an attachment's type is not accepted"


OUTBOUND = PartRule("our own", direction="outbound", action="reject", extensions=("key",))


@pytest.mark.parametrize(
    ("to", "refused"),
    [
        (envelope("a@far.example"), False),
        (envelope("a@far.example", login="ann"), True),
        (envelope("a@far.example", client=Client("localhost", "127.0.0.1")), True),
        (envelope("a@far.example", client=Client("pc1.mx.example", "10.1.2.3")), True),
        (envelope("a@far.example", client=Client("unknown", "no address")), False),
    ],
    ids=["stranger", "logged in", "this host", "own network", "nonsense"],
)
def test_what_own_people_send_is_outbound(to: Envelope, refused: bool) -> None:
    parts = Parts(PartsSettings(rules=(OUTBOUND,), own_clients=("10.0.0.0/8",)))
    verdict = judged(parts, to, messages.multipart([("private.key", b"x")]))
    assert (verdict.action is Action.REJECT) == refused
    assert bool(verdict.symbols) == refused


def test_a_list_of_a_rules_own_bans_for_its_recipients_only() -> None:
    """Both get the points; only the one whose list has the type loses the copy."""
    rules = (PartRule("clerks", (CLERK,), extensions=("txt",), action="quarantine"),)
    to_whom = envelope(DEVELOPER, CLERK)
    verdict = judged(
        Parts(PartsSettings(rules=rules)), to_whom, messages.multipart([("a.txt", b"x")])
    )
    assert outcomes(verdict, to_whom) == {
        DEVELOPER: "accept/default",
        CLERK: "quarantine/parts/clerks",
    }
    script = judged(Parts(PartsSettings(rules=rules)), to_whom)
    assert outcomes(script, to_whom) == {DEVELOPER: "accept/default", CLERK: "accept/default"}
    assert script.removed


def test_a_message_that_cannot_be_stripped_is_held_for_those_who_want_it_stripped() -> None:
    signed = SCRIPT.replace(b"multipart/mixed", b"multipart/signed")
    to_whom = envelope(DEVELOPER, CLERK)
    assert outcomes(judged(Parts(PartsSettings(rules=(FREE,))), to_whom, signed), to_whom) == {
        DEVELOPER: "accept/default",
        CLERK: "quarantine/parts/default",
    }


def test_other_groups_follow_rules_too() -> None:
    rules = (PartRule("clerks", (CLERK,), encrypted="reject", action="score"),)
    locked = messages.multipart([("a.pdf", b"%PDF-1.4\ntrailer<</Encrypt 5 0 R>>")])
    assert (
        judged(Parts(PartsSettings(rules=rules)), envelope(CLERK), locked).action is Action.REJECT
    )
    assert (
        judged(Parts(PartsSettings(rules=rules)), envelope(DEVELOPER), locked).action
        is Action.ACCEPT
    )


def test_rules_stand_in_the_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "filterd.toml"
    path.write_text(
        """\
[filters.parts]
own_clients = ["10.0.0.0/8"]

[[filters.parts.rules]]
name = "developers get scripts"
recipients = ["dev.mx.example"]
direction = "inbound"
extensions = ["exe", ".SCR"]
active = "quarantine"
"""
    )
    own = load(path).of_filter(PartsSettings)
    assert own.rules == (
        PartRule(
            "developers get scripts",
            ("dev.mx.example",),
            "inbound",
            ("exe", ".SCR"),
            active="quarantine",
        ),
    )
    to_whom = envelope("x@dev.mx.example")
    parts = Parts(own)
    assert not judged(parts, to_whom).symbols
    assert judged(parts, to_whom, messages.multipart([("a.scr", b"x")])).removed


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('direction = "sideways"', r"filterd\.toml:3: .*direction"),
        ('action = "drop"', r"filterd\.toml:3: .*action"),
        ('recipient = ["a@b"]', r"filterd\.toml:3: .*unknown key.*recipients"),
        ("extensions = 5", r"filterd\.toml:3: .*extensions"),
    ],
)
def test_what_is_wrong_in_a_rule_is_said_with_its_line(
    line: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "filterd.toml"
    path.write_text(f'[[filters.parts.rules]]\nname = "a"\n{line}\n')
    with pytest.raises(ConfigError, match=says):
        load(path)


def test_own_clients_are_networks(tmp_path: Path) -> None:
    path = tmp_path / "filterd.toml"
    path.write_text('[filters.parts]\nown_clients = ["our net"]\n')
    with pytest.raises(ConfigError, match=r"'our net' is not a network; expected"):
        load(path)
