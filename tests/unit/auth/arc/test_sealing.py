"""What this host adds to a chain, and when it adds nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.auth.arc.chain import chain_of
from filterd.auth.arc.fields import SETS_LIMIT
from filterd.auth.arc.sealing import SealError, combined, seal_arc
from filterd.auth.arc.verify import verify_arc
from filterd.auth.dkim.header import CanonicalHeader
from filterd.auth.dkim.signing import SigningKey
from filterd.auth.dkim.tags import TagList
from filterd.auth.results import parse, written
from filterd.message import Message
from filterd.message.authentication import ArcCheck, AuthResult
from filterd.resolver.answer import RecordType
from tests.helpers.arc import NOW, RESULTS, chain, hop, list_key
from tests.helpers.dkim import mail, published, signed, signing_key

KEY = list_key()


def names(data: bytes) -> list[str]:
    return [field.name for field in Message(data).header_fields]


def tags(data: bytes, name: str) -> dict[str, str]:
    """Those of the topmost field of that name."""
    text = Message(data).get(name)
    pairs = (tag.partition("=") for tag in text.split(";"))
    return {key.strip(): "".join(value.split()) for key, _, value in pairs}


def test_the_first_set() -> None:
    data = hop(mail(), KEY)
    assert names(data)[:4] == [
        "ARC-Seal",
        "ARC-Message-Signature",
        "ARC-Authentication-Results",
        "From",
    ]
    seal = tags(data, "ARC-Seal")
    assert list(seal) == ["i", "a", "cv", "d", "s", "t", "b"]
    assert (seal["i"], seal["cv"], seal["t"]) == ("1", "none", "1600000000")
    assert (seal["d"], seal["s"]) == ("list1.example", "arc")
    signature = tags(data, "ARC-Message-Signature")
    assert list(signature) == ["i", "a", "c", "d", "s", "t", "h", "bh", "b"]
    assert signature["c"] == "relaxed/relaxed"
    assert Message(data).get("ARC-Authentication-Results") == "i=1; " + " ".join(RESULTS.split())
    assert all(len(line) <= 78 for line in data.split(b"\r\n"))


def test_which_fields_are_signed() -> None:
    more = b"Authentication-Results: mx.list.example; none", b"Received: from a by b"
    data = hop(signed(mail(b"x\r\n", *more), signing_key("ed25519-sha256")), KEY)
    signed_names = tags(hop(data, KEY), "ARC-Message-Signature")["h"].split(":")
    assert {"from", "to", "subject", "date", "message-id", "dkim-signature"} <= {*signed_names}
    assert signed_names.count("from") == 2, "no second one can be added"
    assert not {"authentication-results", "received"} & {*signed_names}
    assert not any(name.startswith("arc-") for name in signed_names)


def test_which_fields_nobody_may_add_is_the_callers_choice() -> None:
    message = Message(mail())
    pairs = [(field.name, field.raw_value) for field in message.header_fields]
    check, results = ArcCheck(AuthResult.NONE), parse("mx.list.example; none")
    (_seal, (_name, value), _results) = seal_arc(
        pairs, b"x\r\n", check, results, KEY, oversigned=["subject"], now=NOW
    )
    names = TagList(value).words("h") or ()
    assert (names.count("from"), names.count("subject")) == (1, 2)


def test_a_chain_that_failed_is_sealed_as_failed_and_ends() -> None:
    def changed(data: bytes) -> bytes:
        return data.replace(b"nothing", b"something")

    data = hop(changed(chain(2)), *(list_key(number) for number in (1, 2, 3)))
    seal = tags(data, "ARC-Seal")
    assert (seal["i"], seal["cv"]) == ("3", "fail")
    zones = published(list_key(3))
    found = verify_arc(Message(data), zones, now=NOW)
    assert found.reason == "list3.example sealed it as failed (cv=fail)"
    with pytest.raises(SealError, match=r"the chain has ended: list3\.example sealed it as failed"):
        hop(data, list_key(4))


def test_the_seal_of_a_failed_chain_covers_its_own_set_only() -> None:
    """Whatever else is there, it is the same (RFC 8617 §5.1.2)."""
    failed = ArcCheck(AuthResult.FAIL, 1)
    data = chain(1)
    other = data.replace(b"spf=pass", b"spf=fail")
    top = [Message(hop(one, KEY, check=failed)).get("ARC-Seal") for one in (data, other)]
    assert top[0] == top[1]


def test_a_broken_structure_is_sealed_as_failed() -> None:
    data = hop(b"ARC-Seal: broken\r\n" + mail(), KEY)
    seal = tags(data, "ARC-Seal")
    assert (seal["i"], seal["cv"]) == ("1", "fail")


def reason_not_to(data: bytes, check: ArcCheck | None = None) -> str:
    with pytest.raises(SealError) as error:
        hop(data, KEY, check=check)
    return str(error.value)


def test_a_chain_that_could_not_be_checked_is_left_alone() -> None:
    silent = ArcCheck(AuthResult.TEMPERROR, 1, reason="the DNS did not give the key: timeout")
    assert reason_not_to(chain(1), silent) == (
        "the chain could not be checked: the DNS did not give the key: timeout"
    )


@pytest.mark.slow
def test_a_chain_that_is_full() -> None:
    data = mail()
    for _ in range(SETS_LIMIT):
        data = hop(data, KEY)
    assert reason_not_to(data) == "the chain is full: more than 50 sets are not allowed"
    assert reason_not_to(b"ARC-Seal: i=51\r\n" + data) == (
        "the chain is full: more than 50 sets are not allowed"
    )


@pytest.mark.parametrize(
    ("sets", "check"),
    [
        (1, ArcCheck(AuthResult.NONE)),
        (0, ArcCheck(AuthResult.PASS, 1)),
        (1, ArcCheck(AuthResult.PASS, 2)),
    ],
)
def test_a_result_of_another_chain_is_not_sealed(sets: int, check: ArcCheck) -> None:
    data = chain(sets)
    assert reason_not_to(data, check) == "the ARC fields are not those that were checked"


HOST = "mx.list.example"

MERGED = [
    (
        "one field",
        [f"{HOST}; spf=pass smtp.mailfrom=a.example"],
        "spf=pass smtp.mailfrom=a.example",
    ),
    (
        "several, in order, without comments",
        [
            f"{HOST}; arc=none; spf=pass (ok)",
            f"{HOST}; dkim=pass header.d=a.example",
            f"{HOST}; dmarc=pass",
        ],
        "arc=none; spf=pass; dkim=pass header.d=a.example; dmarc=pass",
    ),
    ("another host's", ["mx.other.example; spf=pass", f"{HOST}; spf=fail"], "spf=fail"),
    ("a name that only begins so", [f"{HOST}.evil.example; spf=pass"], "none"),
    ("in capitals", ["MX.List.EXAMPLE; spf=pass"], "spf=pass"),
    ("the same twice", [f"{HOST}; spf=pass", f"{HOST}; spf=pass"], "spf=pass"),
    (
        "two that differ",
        [f"{HOST}; dkim=pass header.d=a.example; dkim=fail header.d=b.example"],
        "dkim=pass header.d=a.example; dkim=fail header.d=b.example",
    ),
    ("nothing", [], "none"),
    ("none", [f"{HOST}; none"], "none"),
    (
        "a field that cannot be read",
        [f"{HOST}; =", f"{HOST} 2; spf=pass", f"{HOST}; spf=fail"],
        "spf=fail",
    ),
    ("a version", [f"{HOST} 1; spf=pass"], "spf=pass"),
    (
        "a reason",
        [f'{HOST}; spf=pass reason="ip4: (a) \\"b\\""'],
        "spf=pass reason=\"ip4: a 'b'\"",
    ),
    (
        "folded, with blanks around",
        [f"{HOST};\r\n\tspf = pass\r\n\tsmtp . mailfrom = a.example"],
        "spf=pass smtp.mailfrom=a.example",
    ),
]


@pytest.mark.parametrize(
    ("fields", "expected"), [row[1:] for row in MERGED], ids=[row[0] for row in MERGED]
)
def test_what_the_host_found_is_put_together(fields: list[str], expected: str) -> None:
    header = CanonicalHeader(("Authentication-Results", b" " + field.encode()) for field in fields)
    text = " ".join(written(combined(header, HOST)).split())
    assert text == f"{HOST}; {expected}"


# dkimpy, too.


def answers(*keys: SigningKey) -> Callable[..., bytes]:
    zones = published(*keys)

    def lookup(name: bytes, timeout: int = 5) -> bytes:
        answer = zones.answer(name.decode().rstrip("."), RecordType.TXT)
        return b"".join(one for one in answer.records if isinstance(one, bytes))

    return lookup


@pytest.mark.parametrize("sets", [1, 2, 5])
def test_dkimpy_takes_our_chains(sets: int) -> None:
    """Those with RSA: it knows no Ed25519 in ARC."""
    keys = [list_key(number, "rsa-sha256") for number in range(1, sets + 1)]
    data = mail()
    for number in range(1, sets + 1):
        data = hop(data, *keys[:number])
    result, details, reason = dkim.arc_verify(data, dnsfunc=answers(*keys))
    assert (result, reason) == (b"pass", "success")
    assert len(details) == sets
    broken = data.replace(b"nothing", b"something")
    assert dkim.arc_verify(broken, dnsfunc=answers(*keys))[0] == b"fail"


class FieldOfResults:
    """What dkimpy asks of the package authres, which filterd has no other use for."""

    def __init__(self, text: str) -> None:
        self.authserv_id, *results = text.partition(":")[2].strip().split("; ")
        self.results = [Result(one) for one in results]

    @classmethod
    def parse(cls, text: str) -> FieldOfResults:
        return cls(text)


class Result(str):
    """One result: its method and its word, too."""

    @property
    def method(self) -> str:
        return self.partition("=")[0]

    @property
    def result(self) -> str:
        return self.partition("=")[2].split()[0]


def test_chains_that_dkimpy_and_we_make_together(monkeypatch: pytest.MonkeyPatch) -> None:
    package = SimpleNamespace(
        AuthenticationResultsHeader=FieldOfResults, core=SimpleNamespace(SyntaxError=ValueError)
    )
    monkeypatch.setattr(dkim, "authres", package, raising=False)
    keys = [list_key(number, "rsa-sha256") for number in (1, 2)]
    zones = published(*keys)

    def by_dkimpy(data: bytes, results: str) -> bytes:
        field = f"Authentication-Results: list1.example; {results}\r\n".encode()
        added = dkim.arc_sign(
            field + data,
            b"arc",
            b"list1.example",
            keys[0].pem,
            b"list1.example",
            timestamp=int(NOW),
        )
        return b"".join(added) + data

    data = by_dkimpy(mail(), "arc=none; spf=pass smtp.mailfrom=bank.example")
    found = verify_arc(Message(data), zones, now=NOW)
    assert found.result is AuthResult.PASS, found.reason
    assert found.results[0] == "list1.example; arc=none; spf=pass smtp.mailfrom=bank.example"
    data = by_dkimpy(hop(data, *keys), "arc=pass; spf=fail")
    found = verify_arc(Message(data), zones, now=NOW)
    assert (found.result, found.instance) == (AuthResult.PASS, 3), found.reason
    assert found.domains == ("list1.example", "list2.example", "list1.example")
    assert dkim.arc_verify(data, dnsfunc=answers(*keys))[0] == b"pass"


# Anything.

LINE = st.text(st.characters(codec="ascii", exclude_characters="\r\n\0"), max_size=90)
TOKEN = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20)
BODY = st.lists(LINE, max_size=20).map(
    lambda lines: "".join(f"{one}\r\n" for one in lines).encode()
)
"""As SMTP has it: each line with its end. dkimpy leaves blanks at the end of one without."""


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(st.tuples(TOKEN, LINE), max_size=10), BODY, st.integers(1, 3), st.data())
def test_whatever_is_sealed_here_verifies(
    fields: list[tuple[str, str]], body: bytes, sets: int, data: st.DataObject
) -> None:
    taken = ("from", "arc-seal", "arc-message-signature", "arc-authentication-results")
    head = [f"{name}: {value}".encode() for name, value in fields if name not in taken]
    message = mail(body, *head)
    keys: list[SigningKey] = []
    for number in range(1, sets + 1):
        keys.append(list_key(number, "rsa-sha256"))
        footer = data.draw(BODY)
        message = hop(message, *keys, change=lambda left, footer=footer: left + footer)  # type: ignore[misc]
    found = verify_arc(Message(message), published(*keys), now=NOW)
    assert (found.result, found.instance) == (AuthResult.PASS, sets), found.reason
    assert dkim.arc_verify(message, dnsfunc=answers(*keys))[0] == b"pass"


def test_what_is_sealed_has_the_structure_of_a_chain() -> None:
    data = Message(chain(3))
    found = chain_of(CanonicalHeader.of(data))
    assert [one.instance for one in found.sets] == [1, 2, 3]
    assert (found.fault, found.highest, found.ended) == ("", 3, False)


def test_the_same_key_signs_again() -> None:
    """The results stand in ASCII, whatever was found."""
    odd = parse('mx.list.example; spf=fail reason="näh\r\n x" smtp.mailfrom=müller.example')
    message = Message(mail())
    pairs = [(field.name, field.raw_value) for field in message.header_fields]
    check = ArcCheck(AuthResult.NONE)
    (_seal, _signature, (name, value)) = seal_arc(pairs, b"x\r\n", check, odd, KEY, now=NOW)
    assert name == "ARC-Authentication-Results"
    assert value.isascii()
    assert b"\n" not in value.replace(b"\r\n\t", b"")
