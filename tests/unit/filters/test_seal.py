"""Which mail is sealed, with what, and that the seal is of the message as it leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dkim
import pytest

from filterd.auth.arc.verify import verify_arc
from filterd.auth.dkim.signing import SigningKey
from filterd.auth.results import written
from filterd.auth.statements import results_of
from filterd.chain.chain import Chain
from filterd.chain.headers import LabelSettings
from filterd.chain.links import Link
from filterd.chain.outgoing import Outgoing
from filterd.chain.pipeline import Pipeline, PipelineResult
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicySettings
from filterd.chain.verdict import Action, AddField, Splice, Symbol, Verdict
from filterd.filters.sign.filter import Sign
from filterd.filters.sign.keys import KeyRing, RingKey
from filterd.filters.sign.settings import KeySettings, SignSettings
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.authentication import (
    ArcCheck,
    Authentication,
    AuthResult,
    DmarcCheck,
    SpfCheck,
)
from filterd.resolver.answer import RecordType
from filterd.system.mistakes import SettingsError
from tests.helpers.arc import NOW, chain, list_key
from tests.helpers.dkim import mail, published, signing_key

HOST = "mx.example"
KEY = signing_key("rsa-sha256", HOST, "arc")
OTHER = signing_key("ed25519-sha256", HOST, "arc-ed")
STRANGER = Client("mail.isp.example", "203.0.113.9")
DIRECT = Authentication(
    SpfCheck(AuthResult.PASS, "bank.example"),
    dmarc=DmarcCheck(AuthResult.PASS, "bank.example", spf_aligned=True),
    arc=ArcCheck(AuthResult.NONE),
)
SETTINGS = SignSettings(
    (KeySettings(HOST, "arc", Path("unused")),), sign_headers=("from", "to"), arc_domain=HOST
)


def came(
    data: bytes,
    found: Authentication | None = DIRECT,
    *keys: SigningKey,
    more: Verdict | None = None,
    settings: SignSettings = SETTINGS,
    labels: LabelSettings | None = None,
    client: Client = STRANGER,
    macros: dict[str, str] | None = None,
) -> PipelineResult:
    """What becomes of a message of which a filter finds that."""

    class Finds:
        name = "finds"

        def examine(self, message: Message) -> Verdict:
            verdict = Verdict(authentication=found)
            if found is not None:
                value = written(results_of(found, HOST))
                verdict |= Verdict(edits=(AddField("Authentication-Results", value),))
            return verdict | (more if more is not None else Verdict())

    ring = KeyRing(
        RingKey(KeySettings(key.domain, key.selector, Path("unused")), key) for key in keys or [KEY]
    )
    labels = labels if labels is not None else LabelSettings(hostname=HOST)
    pipeline = Pipeline(
        Chain([Link(Finds()), Link(Sign(settings, ring, labels))]),
        Policy(PolicySettings(subject_tag="[x] ")),
        labels,
        keep=lambda *_arguments: None,
    )
    envelope = Envelope("a@bank.example", (Recipient("joe@mx.example"),), client, (), macros or {})
    return pipeline.process(Message(data, envelope, "id1"))


def left(data: bytes, result: PipelineResult) -> Message:
    """The message with the edits made, as the next host gets it."""
    outgoing = Outgoing(Message(data), Verdict(), result.decision.edits)
    head = b"".join(name.encode() + b":" + value + b"\r\n" for name, value in outgoing.fields)
    return Message(head + b"\r\n" + outgoing.body)


def detail(result: PipelineResult) -> str:
    """The symbol of sealing and what it says."""
    (symbol,) = [one for one in result.report.symbols if one.name.startswith("ARC_")]
    return f"{symbol.name}: {symbol.detail}"


ZONES = published(KEY, OTHER, *(list_key(number) for number in range(1, 4)))


def test_mail_of_a_stranger_is_sealed_with_what_was_found() -> None:
    data = mail()
    result = came(data)
    message = left(data, result)
    assert detail(result) == "ARC_SEALED: cv=none, with arc of mx.example"
    assert [field.name for field in message.header_fields][:3] == [
        "ARC-Seal",
        "ARC-Message-Signature",
        "ARC-Authentication-Results",
    ]
    found = verify_arc(message, ZONES)
    assert found.result is AuthResult.PASS, found.reason
    assert found.domains == ("mx.example",)
    assert found.results[0] == (
        "mx.example; spf=pass smtp.mailfrom=bank.example; dkim=none; "
        "dmarc=pass header.from=bank.example"
    )
    record = KEY.record.encode()
    assert dkim.arc_verify(message.data, dnsfunc=lambda *_a, **_k: record)[0] == b"pass"


def test_the_chain_of_others_goes_on() -> None:
    data = chain(2)
    arc = verify_arc(Message(data), ZONES, now=NOW)
    result = came(data, replace(DIRECT, arc=arc))
    assert detail(result) == "ARC_SEALED: cv=pass, with arc of mx.example"
    found = verify_arc(left(data, result), ZONES)
    assert found.domains == ("list1.example", "list2.example", "mx.example")
    assert (found.instance, found.oldest_pass) == (3, 0)
    assert "arc=pass header.oldest-pass=0" in found.results[1]


def test_what_was_verified_before_a_part_was_stripped_is_sealed_with_what_is_left() -> None:
    data = chain(1, mail(b"hello\r\nVIRUS\r\nbye\r\n"))
    arc = verify_arc(Message(data), ZONES, now=NOW)
    start = data.index(b"VIRUS")
    stripping = Verdict(edits=(Splice(start, start + 5, b"(removed)"),))
    result = came(data, replace(DIRECT, arc=arc), more=stripping)
    message = left(data, result)
    assert message.data.endswith(b"hello\r\n(removed)\r\nbye\r\n")
    found = verify_arc(message, ZONES)
    assert (found.result, found.oldest_pass) == (AuthResult.PASS, 2), found.reason
    assert "dmarc=pass header.from=bank.example" in found.results[1]


def test_a_tag_in_the_subject_is_sealed() -> None:
    data = mail()
    result = came(data, more=Verdict(symbols=(Symbol("SPAM", 6.0),)))
    assert result.decision.labelled
    message = left(data, result)
    assert message.get("Subject").startswith("[x]")
    assert verify_arc(message, ZONES).result is AuthResult.PASS


def test_forged_results_are_not_sealed() -> None:
    data = mail(
        b"x\r\n", b"Authentication-Results: mx.example; dmarc=pass header.from=evil.example"
    )
    found = verify_arc(left(data, came(data)), ZONES)
    assert "evil.example" not in found.results[0]


def test_results_of_an_earlier_milter_are_recorded_too() -> None:
    data = (
        b"Authentication-Results: mx.example; iprev=pass policy.iprev=203.0.113.9\r\n"
        b"Authentication-Results: mx.example; spf=fail\r\n" + mail()
    )
    labels = LabelSettings(hostname=HOST, trusted_results=1)
    found = verify_arc(left(data, came(data, labels=labels)), ZONES)
    assert "iprev=pass policy.iprev=203.0.113.9" in found.results[0]
    assert "spf=fail" not in found.results[0]


def test_a_chain_that_failed_is_sealed_as_failed() -> None:
    data = chain(1).replace(b"nothing", b"something")
    arc = verify_arc(Message(data), ZONES, now=NOW)
    result = came(data, replace(DIRECT, arc=arc))
    assert detail(result) == "ARC_SEALED: cv=fail, with arc of mx.example"
    found = verify_arc(left(data, result), ZONES)
    assert found.reason == "mx.example sealed it as failed (cv=fail)"


def test_what_sendmail_makes_of_addresses_is_sealed_and_the_message_left_alone() -> None:
    data = mail().replace(
        b"From: Ann <ann@bank.example>", b"From: John Q. Public < ann@bank.example >"
    )
    result = came(data, macros={"v": "8.17.1"})
    assert b"From: John Q. Public < ann@bank.example >" in left(data, result).data
    as_sendmail = left(data, result).data.replace(
        b"From: John Q. Public < ann@bank.example >", b'From: "John Q. Public" <ann@bank.example>'
    )
    assert verify_arc(Message(as_sendmail), ZONES).result is AuthResult.PASS
    result = came(data, macros={"v": "Postfix 3.7.11"})
    assert verify_arc(left(data, result), ZONES).result is AuthResult.PASS


def test_rsa_is_taken_where_there_are_both() -> None:
    data = mail()
    assert detail(came(data, DIRECT, OTHER, KEY)).endswith("with arc of mx.example")
    result = came(data, DIRECT, OTHER)
    assert detail(result).endswith("with arc-ed of mx.example")
    assert verify_arc(left(data, result), ZONES).result is AuthResult.PASS


SILENT = replace(DIRECT, arc=ArcCheck(AuthResult.TEMPERROR, 1, reason="no answer"))

NOT_SEALED: list[tuple[str, bytes, Authentication | None, str]] = [
    ("nobody checked it", mail(), None, "the filter auth did not check its chain"),
    ("no check of chains", mail(), Authentication(), "the filter auth did not check its chain"),
    ("a silent DNS", chain(1), SILENT, "the chain could not be checked: no answer"),
    (
        "the chain has ended",
        chain(1).replace(b"cv=none", b"cv=fail"),
        replace(DIRECT, arc=ArcCheck(AuthResult.FAIL, 1)),
        "the chain has ended: list1.example sealed it as failed (cv=fail)",
    ),
]


@pytest.mark.parametrize(
    ("data", "found", "why"), [row[1:] for row in NOT_SEALED], ids=[row[0] for row in NOT_SEALED]
)
def test_why_mail_is_not_sealed(data: bytes, found: Authentication | None, why: str) -> None:
    result = came(data, found)
    assert detail(result) == f"ARC_NOT_SEALED: {why}"
    assert result.decision.action is Action.ACCEPT
    assert left(data, result).data.count(b"ARC-Seal:") == data.count(b"ARC-Seal:")


def test_results_that_anybody_could_have_written_are_not_sealed() -> None:
    labels = LabelSettings(hostname=HOST, remove_forged=False)
    assert detail(came(mail(), labels=labels)) == (
        "ARC_NOT_SEALED: anybody could have written the results: labels.remove_forged is off"
    )


def test_a_key_that_signs_no_longer() -> None:
    other = signing_key("ed25519-sha256", "other.example", "arc")
    assert detail(came(mail(), DIRECT, other)) == (
        "ARC_NOT_SEALED: no key of mx.example signs today"
    )


@pytest.mark.parametrize(
    ("settings", "client"),
    [(replace(SETTINGS, arc_domain=""), STRANGER), (SETTINGS, Client())],
    ids=["not asked for", "our own"],
)
def test_mail_that_is_none_of_the_sealers_business(settings: SignSettings, client: Client) -> None:
    result = came(mail(), settings=settings, client=client)
    assert not any(one.name.startswith("ARC_") for one in result.report.symbols)
    assert b"ARC-Seal" not in left(mail(), result).data


@pytest.mark.parametrize(
    ("domain", "keys", "mistake"),
    [
        ("mx.example", ("mx.example",), ""),
        ("MX.Example.", ("mx.example",), ""),
        ("@mx.example", ("mx.example",), ""),
        ("mx.example", ("other.example",), "arc_domain: mx.example has no key"),
        ("mx.example", (), "arc_domain: mx.example has no key"),
        ("two words", ("mx.example",), "arc_domain: "),
    ],
)
def test_the_sealing_domain_has_a_key(domain: str, keys: tuple[str, ...], mistake: str) -> None:
    own = tuple(KeySettings(key, "arc", Path("unused")) for key in keys)
    if not mistake:
        SignSettings(own, arc_domain=domain)
        return
    with pytest.raises(SettingsError) as error:
        SignSettings(own, arc_domain=domain)
    assert mistake in str(error.value)


def test_a_key_for_subdomains_may_seal_for_one() -> None:
    own = (KeySettings("example", "arc", Path("unused"), subdomains=True),)
    assert SignSettings(own, arc_domain="mx.example").arc_domain == "mx.example"
    assert ZONES.answer("arc._domainkey.mx.example", RecordType.TXT).records
