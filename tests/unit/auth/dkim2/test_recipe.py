"""Recipes: what a host says of the message before it changed it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim2.recipe import (
    Budget,
    Copy,
    Literal,
    Recipe,
    body_before,
    fields_before,
)
from filterd.auth.dkim2.verify import verify_dkim2
from filterd.message.authentication import AuthResult
from tests.helpers.dkim import mail, published
from tests.helpers.dkim2 import BOB, BOUNCES, NOW, UNDO, came, first, instance, key, listed, sign2

INVALID: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"steps", "it is not JSON"),
    "no UTF-8": (b'{"b":[{"d":["\xff"]}]}', "it is not JSON"),
    "UTF-16": ('{"b":[]}'.encode("utf-16"), "it is not JSON"),
    "not a number": (b'{"b":[{"c":[1,NaN]}]}', "it is not JSON"),
    "a nest": (b'{"b":' + b"[" * 100_000, "it is not JSON"),
    "a number of 5000 digits": (b'{"b":[{"c":[1,' + b"9" * 5000 + b"]}]}", "it is not JSON"),
    "a name twice": (b'{"b":[],"b":[]}', "it is not JSON"),
    "a list": (b"[]", 'neither "h" nor "b"'),
    "nothing": (b"{}", 'neither "h" nor "b"'),
    "something else": (b'{"x":1}', 'neither "h" nor "b"'),
    "no fields": (b'{"h":{}}', '"h" has no names'),
    "fields that cannot be made": (b'{"h":null}', '"h" has no names'),
    "a list of fields": (b'{"h":[]}', '"h" has no names'),
    "a capital letter": (b'{"h":{"Subject":[]}}', "in lower case"),
    "a name with a colon": (b'{"h":{"a:b":[]}}', "in lower case"),
    "an empty name": (b'{"h":{"":[]}}', "in lower case"),
    "a name with a blank": (b'{"h":{"a b":[]}}', "in lower case"),
    "a letter beyond ASCII": ('{"h":{"caf\xe9":[]}}'.encode(), "in lower case"),
    "steps are a table": (b'{"b":{}}', "steps are a list"),
    "false": (b'{"b":false}', "steps are a list"),
    "a step is a list": (b'{"b":[[1,2]]}', "a step has one key"),
    "an empty step": (b'{"b":[{}]}', "a step has one key"),
    "two keys": (b'{"b":[{"c":[1,1],"d":["x"]}]}', "a step has one key"),
    "another key": (b'{"b":[{"z":[true]}]}', "a step has one key"),
    "a step without a list": (b'{"b":[{"d":"x"}]}', "a step has a list"),
    "a copy of nothing": (b'{"b":[{"c":[]}]}', '"c" is not where to start'),
    "one number": (b'{"b":[{"c":[1]}]}', '"c" is not where to start'),
    "three numbers": (b'{"b":[{"c":[1,2,3]}]}', '"c" is not where to start'),
    "from 0": (b'{"b":[{"c":[0,1]}]}', '"c" is not where to start'),
    "backwards": (b'{"b":[{"c":[2,1]}]}', '"c" is not where to start'),
    "fractions": (b'{"b":[{"c":[1.0,2]}]}', '"c" is not where to start'),
    "true": (b'{"b":[{"c":[true,2]}]}', '"c" is not where to start'),
    "the same twice": (b'{"b":[{"c":[1,2]},{"c":[2,3]}]}', "in ascending order"),
    "from below": (b'{"b":[{"c":[3,4]},{"c":[1,2]}]}', "in ascending order"),
    "no text": (b'{"b":[{"d":[]}]}', '"d" is not a list of texts'),
    "a number": (b'{"b":[{"d":["x",1]}]}', '"d" is not a list of texts'),
    "a CR": (b'{"b":[{"d":["a\\rb"]}]}', '"d" has a line end'),
    "an LF": (b'{"h":{"to":[{"d":["a\\nb"]}]}}', '"d" has a line end'),
    "half a letter": (b'{"b":[{"d":["\\ud800"]}]}', '"d" has half a letter'),
}


@pytest.mark.parametrize(("text", "reason"), INVALID.values(), ids=INVALID)
def test_what_is_no_recipe(text: bytes, reason: str) -> None:
    with pytest.raises(DkimError, match="contains invalid JSON: ") as error:
        Recipe.parse(text)
    assert reason in error.value.reason
    data = listed(recipe=text)
    found = verify_dkim2(came(data, BOUNCES, BOB), published(key(), key(1)), now=NOW)
    assert found.result is AuthResult.PERMERROR
    assert found.reason.startswith("Message-Instance m=2: contains invalid JSON")


def test_a_recipe() -> None:
    text = b'{"h":{"to":[{"c":[1,1]},{"d":["x",""]},{"c":[2,3]}]},"b":null,"later":{"c":[]}}'
    assert Recipe.parse(text) == Recipe(
        {"to": (Copy(1, 1), Literal((b"x", b"")), Copy(2, 3))}, None, lost=True
    )
    assert Recipe.parse(b'{"b":[]}') == Recipe({}, ())


NOW_FIELDS = {"a": [b"a:1", b"a:2", b"a:3"], "b": [b"b:x"]}


@pytest.mark.parametrize(
    ("recipe", "before"),
    [
        ({"a": []}, {"a": [], "b": [b"b:x"]}),
        ({"a": [{"c": [2, 3]}]}, {"a": [b"a:2", b"a:3"], "b": [b"b:x"]}),
        (
            {"b": [{"d": ["new  value "]}, {"c": [1, 1]}, {"d": [""]}]},
            {"a": NOW_FIELDS["a"], "b": [b"b:new value", b"b:x", b"b:"]},
        ),
        ({"c": [{"d": ["z"]}]}, {**NOW_FIELDS, "c": [b"c:z"]}),
    ],
)
def test_fields_are_counted_from_below(recipe: Any, before: Any) -> None:
    found = fields_before(Recipe.parse(json.dumps({"h": recipe}).encode()), NOW_FIELDS)
    assert {name: list(values) for name, values in found.items()} == before


def test_steps_for_fields_that_nobody_signs_do_nothing() -> None:
    names = ("received", "x-mine", "received-spf", "authentication-results", "dkim2-signature")
    recipe = {name: [{"c": [1, 5]}, {"d": ["x"]}] for name in names}
    found = fields_before(Recipe.parse(json.dumps({"h": recipe}).encode()), NOW_FIELDS)
    assert found == NOW_FIELDS
    data = listed(recipe={**UNDO, "h": {**UNDO["h"], **recipe}})
    check = verify_dkim2(came(data, BOUNCES, BOB), published(key(), key(1)), now=NOW)
    assert check.result is AuthResult.PASS


@pytest.mark.parametrize("steps", [[{"c": [1, 4]}], [{"c": [4, 4]}], [{"c": [1, 2**60]}]])
def test_fields_that_are_not_there(steps: Any) -> None:
    recipe = Recipe.parse(json.dumps({"h": {"a": steps}}).encode())
    with pytest.raises(DkimError, match="copies fields that are not there"):
        fields_before(recipe, NOW_FIELDS)


def steps_of(steps: Sequence[object]) -> Any:
    return Recipe.parse(json.dumps({"b": steps}).encode()).body


@pytest.mark.parametrize(
    ("body", "steps", "before"),
    [
        (b"1\r\n2\r\n3\r\n", [], b""),
        (b"1\r\n2\r\n3\r\n", [{"c": [1, 3]}], b"1\r\n2\r\n3\r\n"),
        (b"1\r\n2\r\n3\r\n", [{"c": [2, 2]}], b"2\r\n"),
        (
            b"1\r\n2\r\n3\r\n",
            [{"c": [1, 1]}, {"d": ["x", ""]}, {"c": [3, 3]}],
            b"1\r\nx\r\n\r\n3\r\n",
        ),
        (b"1\r\n2", [{"c": [2, 2]}], b"2\r\n"),
        (b"1\r\n2", [{"c": [1, 2]}, {"d": ["\xe9"]}], b"1\r\n2\r\n\xc3\xa9\r\n"),
        (b"1\n2\n3\n", [{"c": [2, 3]}], b"2\r\n3\r\n"),
        (b"a\rb\r\n", [{"c": [1, 1]}], b"a\rb\r\n"),
        (b"", [{"d": ["x"]}], b"x\r\n"),
    ],
)
def test_lines_are_counted_from_the_top(body: bytes, steps: Any, before: bytes) -> None:
    assert body_before(steps_of(steps), body, Budget()) == before


@pytest.mark.parametrize(
    ("body", "start", "end"), [(b"", 1, 1), (b"1\r\n", 1, 2), (b"1\r\n2", 3, 3), (b"1", 2, 9)]
)
def test_lines_that_are_not_there(body: bytes, start: int, end: int) -> None:
    with pytest.raises(DkimError, match="copies lines that are not there"):
        body_before((Copy(start, end),), body, Budget())


def test_a_body_that_cannot_be_made() -> None:
    data = listed(recipe={"b": None})
    found = verify_dkim2(came(data, BOUNCES, BOB), published(key(), key(1)), now=NOW)
    assert found.result is AuthResult.PERMERROR
    assert found.reason == ("Message-Instance m=2: the body as it was before cannot be recreated")


def test_what_was_changed_before_the_first_signature_is_nobodys() -> None:
    data = sign2(instance(mail(), recipe={"b": None}), key())
    assert verify_dkim2(came(data), published(key()), now=NOW).result is AuthResult.PASS


@pytest.mark.parametrize(
    "recipe",
    [
        {"b": UNDO["b"]},
        {"h": UNDO["h"]},
        {**UNDO, "b": [{"c": [1, 2]}]},
        {**UNDO, "b": [{"c": [1, 5]}]},
        {**UNDO, "h": {"subject": [{"d": ["Your account"]}]}},
        {**UNDO, "h": {**UNDO["h"], "to": []}},
        {**UNDO, "h": {**UNDO["h"], "cc": [{"d": [""]}]}},
    ],
)
def test_a_recipe_that_does_not_say_the_truth(recipe: Any) -> None:
    data = listed(recipe=recipe)
    found = verify_dkim2(came(data, BOUNCES, BOB), published(key(), key(1)), now=NOW)
    assert found.result is AuthResult.FAIL
    assert found.reason.startswith("Message-Instance m=1")


LINES = st.lists(st.sampled_from([b"", b"one", b"two words", b"\t", b"caf\xc3\xa9"]), max_size=12)


@given(LINES, LINES)
def test_any_change_can_be_taken_back(old: list[bytes], new: list[bytes]) -> None:
    """With a recipe that copies what both have at the same place."""
    steps: list[object] = []
    for place, line in enumerate(old):
        same = place < len(new) and new[place] == line
        steps.append({"c": [place + 1] * 2} if same else {"d": [line.decode()]})
    before, after = (b"".join(line + b"\r\n" for line in lines) for lines in (old, new))
    assert body_before(steps_of(steps), after, Budget()) == before
    head = mail(b"")
    data = first(head + before)
    left = data.removesuffix(before) + after
    data = sign2(
        instance(left, 2, {"b": steps}), key(1), 2, sender=BOUNCES, recipients=(BOB,), of=2
    )
    found = verify_dkim2(came(data, BOUNCES, BOB), published(key(), key(1)), now=NOW)
    assert found.result is AuthResult.PASS, found.reason
