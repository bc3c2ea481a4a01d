"""Mail that was made to cost time, or to break whoever verifies it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim2 import content as content_module
from filterd.auth.dkim2 import recipe as recipe_module
from filterd.auth.dkim2.fields import Dkim2Signature
from filterd.auth.dkim2.limits import INSTANCE_SIZE_LIMIT, KEYS_LIMIT, RECREATED_LINES_LIMIT
from filterd.auth.dkim2.recipe import Budget, Copy, Recipe, body_before, fields_before
from filterd.auth.dkim2.verify import begin_dkim2, verify_dkim2
from filterd.message import Envelope, Message, Recipient
from filterd.message.authentication import AuthResult
from tests.helpers.dkim import mail, published
from tests.helpers.dkim2 import (
    BOB,
    BOUNCES,
    NOW,
    b64,
    came,
    first,
    instance,
    key,
    listed,
    sign2,
)

ALGORITHMS = ("rsa-sha256", "ed25519-sha256")
ZONES = published(key(), key(1))
DATA = listed()


def reason(message: Message) -> str:
    begin_dkim2(message, ZONES, now=NOW)
    found = verify_dkim2(message, ZONES, now=NOW)
    assert found.result in {"permerror", "fail"}
    assert found.reason.isascii() and found.reason.isprintable()
    return found.reason


def test_a_thousand_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    parse = Dkim2Signature.parse

    def counted(value: bytes) -> Dkim2Signature:
        parsed.append(value)
        return parse(value)

    monkeypatch.setattr(Dkim2Signature, "parse", staticmethod(counted))
    field = DATA[: DATA.index(b"Message-Instance")]
    assert reason(came(field * 999 + DATA)) == "more than 32 fields DKIM2-Signature"
    own = instance(b"\r\n")[:-2]
    assert reason(came(own * 999 + DATA)) == "more than 32 fields Message-Instance"
    assert parsed == []


def test_a_field_too_large() -> None:
    signature = first(tags=f"x={'y' * 20_000};")
    assert "more than 16384 octets of tags" in reason(came(signature))
    text = instance(mail(), more=f" x={'y' * INSTANCE_SIZE_LIMIT};")
    assert f"more than {INSTANCE_SIZE_LIMIT} octets of tags" in reason(came(sign2(text, key())))


def test_too_many_octets_in_all() -> None:
    own = instance(b"\r\n", more=f" x={'y' * 200_000};")[:-2]
    assert reason(came(own * 6 + DATA)) == "more than 1048576 octets of DKIM2 fields"


def test_too_many_keys() -> None:
    keys = [key(0, algorithm, f"{algorithm[0]}{n}") for algorithm in ALGORITHMS for n in range(2)]
    zones, address = published(*keys), "x@bank.example"

    def signed(times: int) -> Message:
        data = instance(mail())
        for number in range(1, times + 1):
            data = sign2(
                data, keys[0], number, more_keys=keys[1:], sender=address, recipients=(address,)
            )
        return came(data, address, address)

    most = KEYS_LIMIT // len(keys)
    assert verify_dkim2(signed(most), zones, now=NOW).result is AuthResult.PASS
    assert reason(signed(most + 1)) == f"more than {KEYS_LIMIT} signatures to verify"


def test_recipes_read_a_body_at_most_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_module, "RECREATED_SIZE_LIMIT", 10_000)
    monkeypatch.setattr(recipe_module, "RECREATED_LINES_LIMIT", 10_000)
    data = instance(mail(b"x\r\n" * 1000))
    for number in range(2, 6):
        data = instance(data, number, {"b": [{"c": [1, 1000]}]})
    found = reason(came(sign2(data, key(), of=5)))
    assert found == "Message-Instance m=2: more than 10000 octets of bodies to recreate"
    monkeypatch.setattr(recipe_module, "RECREATED_SIZE_LIMIT", 1_000_000)
    monkeypatch.setattr(recipe_module, "RECREATED_LINES_LIMIT", 3999)
    found = reason(came(sign2(data, key(), of=5)))
    assert found == "Message-Instance m=2: more than 3999 lines of bodies to recreate"
    monkeypatch.setattr(recipe_module, "RECREATED_LINES_LIMIT", 4000)
    message = came(sign2(data, key(), of=5))
    assert verify_dkim2(message, ZONES, now=NOW).result is AuthResult.PASS


def test_the_octets_that_may_be_recreated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_module, "RECREATED_SIZE_LIMIT", 6)
    budget = Budget()
    assert body_before((Copy(1, 1),), b"x\r\n", budget) == b"x\r\n"
    assert body_before((Copy(1, 1),), b"y\r\n", budget) == b"y\r\n"
    with pytest.raises(DkimError, match="more than 6 octets"):
        body_before((), b"z", budget)


def test_the_fields_that_may_be_recreated() -> None:
    fields = {"a": [b"a:"] * 2500, "b": [b"b:"] * 2500}
    same = {"a": [{"c": [1, 2500]}], "b": [{"d": ["x"] * 2500}]}
    assert sum(map(len, fields_before(recipe_of(same), fields).values())) == 5000
    with pytest.raises(DkimError, match="more than 5000 header fields"):
        fields_before(recipe_of({"a": [{"c": [1, 2500]}, {"d": [""]}]}), fields)


def recipe_of(fields: object) -> Recipe:
    return Recipe.parse(json.dumps({"h": fields}).encode())


def test_a_large_body_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_module, "RECREATED_SIZE_LIMIT", 100)
    data = instance(instance(mail(b"x" * 101)), 2, {"b": [{"c": [1, 1]}]})
    found = reason(came(sign2(data, key(), of=2)))
    assert found == "Message-Instance m=2: more than 100 octets of bodies to recreate"


def test_a_step_over_more_lines_than_there_can_be() -> None:
    with pytest.raises(DkimError, match=f"more than {RECREATED_LINES_LIMIT} lines"):
        body_before((Copy(2**62, 2**63),), b"x\r\n", Budget())


def test_a_nest_in_a_field() -> None:
    text = instance(mail(), 1, b'{"b":' + b"[" * 150_000)
    assert "contains invalid JSON" in reason(came(sign2(text, key())))


def test_a_long_name_of_many_fields() -> None:
    """Some hundred kilobytes that would become gigabytes."""
    text = json.dumps({"h": {"x" * 90_000: [{"d": [""] * 20_000}]}})
    found = reason(came(sign2(instance(instance(mail()), 2, text.encode()), key(), of=2)))
    assert found.endswith('"h" has a name that is not one of a field in lower case')
    text = json.dumps({"h": {"x" * 256: [{"d": [""] * 5000}]}})
    found = reason(came(sign2(instance(instance(mail()), 2, text.encode()), key(), of=2)))
    assert found == "Message-Instance m=2: more than 5000 header fields to recreate"


def test_a_header_of_too_many_fields() -> None:
    data = b"A:\r\n" * 4990 + first()
    assert reason(came(data)) == "Message-Instance m=1 header hash sha256 mismatch"
    assert reason(came(b"A:\r\n" * 10 + data)) == "more than 5000 header fields"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers(-1, 6), min_size=2, max_size=2),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["h", "b", "c", "d", "subject", "to", "From", "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
STEPS = st.lists(
    st.fixed_dictionaries({"c": st.tuples(st.integers(1, 9), st.integers(1, 9))})
    | st.fixed_dictionaries({"d": st.lists(st.text(max_size=6), min_size=1, max_size=3)})
    | JSON,
    max_size=5,
)
RECIPES = JSON | st.fixed_dictionaries(
    {}, optional={"b": STEPS, "h": st.dictionaries(st.text(max_size=4), STEPS, max_size=3)}
)


@pytest.mark.slow
@given(RECIPES, st.lists(st.sampled_from([b"a", b"", b"b\r"])))
def test_recipes_never_raise_and_never_grow(made: object, lines: list[bytes]) -> None:
    text = json.dumps(made).encode()
    body = b"\r\n".join(lines)
    fields = {"to": [b"to:a", b"to:b"], "subject": [b"subject:c"]}
    try:
        recipe = Recipe.parse(text)
        before = fields_before(recipe, fields)
        octets = sum(len(one) for values in before.values() for one in values)
        count = sum(map(len, before.values()))
        assert octets <= len(b"to:ato:bsubject:c") + len(text) + 5 * count
        if recipe.body is not None:
            assert len(body_before(recipe.body, body, Budget())) <= len(body) + 2 + len(text)
    except DkimError as error:
        assert error.reason.isascii() and error.reason.isprintable()
    left = instance(first(), 2, text)
    data = sign2(left, key(1), 2, sender=BOUNCES, recipients=(BOB,), of=2)
    verify_dkim2(came(data, BOUNCES, BOB), ZONES, now=NOW)


@given(st.binary(max_size=200), st.integers(0, 3))
def test_any_octets_in_a_field(octets: bytes, place: int) -> None:
    noise = octets.replace(b"\r", b"").replace(b"\n", b"\r\n ")
    parts = DATA.split(b"; ")
    parts.insert(1 + place, noise)
    for data in (
        b"DKIM2-Signature:" + noise + b"\r\n" + DATA,
        b"Message-Instance:" + noise + b"\r\n" + DATA,
        b"; ".join(parts),
    ):
        message = came(data, BOUNCES, BOB)
        begin_dkim2(message, ZONES, now=NOW)
        found = verify_dkim2(message, ZONES, now=NOW)
        assert found.result is not AuthResult.PASS or not noise.strip()
        assert found.reason.isascii() and found.reason.isprintable()


@given(st.integers(0, len(DATA) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_any_change_of_a_message(place: int, octets: bytes, gone: int) -> None:
    data = DATA[:place] + octets + DATA[place + gone :]
    message = came(data, BOUNCES, BOB)
    found = verify_dkim2(message, ZONES, now=NOW)
    assert found.reason.isascii() and found.reason.isprintable()


@pytest.mark.slow
@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=3))
def test_any_envelope(sender: str, recipients: list[str]) -> None:
    envelope = Envelope(sender, tuple(map(Recipient, recipients)))
    found = verify_dkim2(Message(first(), envelope), ZONES, now=NOW)
    assert found.result is AuthResult.PERMERROR
    assert found.reason.isascii() and found.reason.isprintable()


@given(st.binary(max_size=40))
def test_any_path(octets: bytes) -> None:
    data = first(route=f"mf={b64(octets)}; rt={b64(octets)};")
    found = verify_dkim2(came(data), ZONES, now=NOW)
    assert found.result is AuthResult.PERMERROR
    assert found.reason.isascii() and found.reason.isprintable()
