"""The file of accounts and tokens: one format for both, older ones, and files that are wrong."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.review.accounts import Accounts
from filterd.review.principals import Kind, Principal, PrincipalError, decode, encode
from filterd.review.tokens import TokenFile

pytestmark = pytest.mark.slow

QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
SECRET = "filterd_PaRJ7dW6vJ3qXl0S8hYk1cU4zT9mB2nE5gF7wQiOaDs"
DIGEST = "2a1ca8b0d24a4bf1d9d8d0a7c6d75fbb6b7f0c1b3b0b5f6a7c9d1e2f3a4b5c6d"


def written(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value, indent=1) + "\n")
    path.chmod(0o600)
    return path


def old_accounts(path: Path, **bob: object) -> Path:
    """A file of format 1, as it was written before there was format 2."""
    ann = {"name": "ann", "role": "admin", "password": QUICK.hash(PASSWORD)}
    accounts = [
        {**ann, "domains": [], "recipients": []},
        {
            "name": "bob",
            "role": "reviewer",
            "password": QUICK.hash(PASSWORD),
            "domains": ["mx.example", "müller.example"],
            "recipients": ["joe@other.example"],
            **bob,
        },
    ]
    return written(path, {"format": 1, "accounts": accounts})


def old_tokens(path: Path, digest: str, **more: object) -> Path:
    token = {
        "name": "robot",
        "role": "reviewer",
        "digest": digest,
        "made": "2026-11-01T10:00:00+00:00",
        "domains": ["mx.example"],
        "recipients": [],
        **more,
    }
    return written(path, {"format": 1, "tokens": [token]})


def test_accounts_of_format_1_keep_working_and_become_format_2(tmp_path: Path) -> None:
    accounts = Accounts(old_accounts(tmp_path / "accounts.json"), QUICK)
    before = accounts.all()
    bob = accounts.verify("bob", PASSWORD)
    assert bob is not None
    assert bob.reviewer.visible == ("@mx.example", "@müller.example", "joe@other.example")
    accounts.set_password("ann", "another password")
    value = json.loads(accounts.path.read_text())
    assert (value["format"], value["kind"]) == (2, "account")
    assert accounts.path.stat().st_mode & 0o777 == 0o600
    again = Accounts(accounts.path, QUICK)
    assert again.verify("bob", PASSWORD) == bob == before[1]
    assert again.verify("ann", PASSWORD) is None
    assert again.verify("ann", "another password")


def test_tokens_of_format_1_keep_working_and_become_format_2(tmp_path: Path) -> None:
    made = TokenFile(tmp_path / "new.json")
    secret = made.add("robot", "admin")
    digest = made.all()[0].secret
    tokens = TokenFile(old_tokens(tmp_path / "tokens.json", digest))
    robot = tokens.find(secret)
    assert robot is not None
    assert (robot.made, robot.domains) == ("2026-11-01T10:00:00+00:00", ("mx.example",))
    tokens.add("other", "admin")
    assert json.loads(tokens.path.read_text())["kind"] == "token"
    assert TokenFile(tokens.path).find(secret) == robot


def test_a_limit_of_format_1_that_fits_nobody_locks_nobody_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Versions before took `--domain a,b` for a token, and it saw nothing."""
    path = old_tokens(tmp_path / "tokens.json", DIGEST, domains=["a.example,b.example"])
    with caplog.at_level(logging.WARNING):
        (robot,) = TokenFile(path).all()
    assert robot.domains == ()
    assert not robot.reviewer.may_see(["joe@a.example"])
    (said,) = caplog.messages
    assert said.startswith(f"{path}: token 1 ('robot'): domains: 'a.example,b.example' has several")
    assert "expected a domain such as mx.example" in said
    TokenFile(path).add("other", "admin")
    assert [one.name for one in TokenFile(path).all()] == ["other", "robot"]


GOOD: dict[str, Any] = {
    "name": "bob",
    "role": "reviewer",
    "secret": DIGEST,
    "made": "",
    "domains": ["mx.example"],
    "recipients": [],
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": 5}, "token 2: name is 5; expected a text"),
        ({"name": "a b"}, "token 2 ('a b'): name is 'a b'; expected up to 64 letters"),
        (
            {"role": "king"},
            "token 2 ('bob'): role is 'king'; expected admin, reviewer, helpdesk, auditor or user",
        ),
        ({"secret": None}, "token 2 ('bob'): secret is None; expected a text"),
        ({"secret": "é" * 64}, "token 2 ('bob'): secret is not a SHA-256; expected 64 hex digits"),
        ({"made": 1.5}, "token 2 ('bob'): made is 1.5; expected a text"),
        ({"domains": "mx.example"}, "domains is 'mx.example'; expected a list of texts"),
        ({"domains": [["x"]]}, "domains is [['x']]; expected a list of texts"),
        ({"domains": ["a,b"]}, "domains: 'a,b' has several addresses; expected a domain such as"),
        ({"recipients": ["mx.example"]}, "recipients: 'mx.example' is not an address; expected"),
        ({"role": "admin"}, "an admin has limits; expected none, or role reviewer"),
        ({"name": "ann"}, "token 2 ('ann'): the name is there twice; expected each name once"),
    ],
)
def test_what_is_wrong_in_an_entry_is_named(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    entries = [{**GOOD, "name": "ann"}, {**GOOD, **change}]
    value = {"format": 2, "kind": "token", "principals": entries}
    path = written(tmp_path / "tokens.json", value)
    with pytest.raises(PrincipalError) as caught:
        TokenFile(path).all()
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("key", list(GOOD))
def test_what_is_missing_is_named(tmp_path: Path, key: str) -> None:
    entry = {name: value for name, value in GOOD.items() if name != key}
    value = {"format": 2, "kind": "token", "principals": [entry]}
    with pytest.raises(PrincipalError, match=f"token 1.*: {key} is "):
        TokenFile(written(tmp_path / "t.json", value)).all()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "expected an object with a format, 1 or 2"),
        ({"format": "2"}, "expected an object with a format, 1 or 2"),
        ({"format": 3}, "format 3; expected 1 or 2"),
        ({"format": 0}, "format 0; expected 1 or 2"),
        ({"format": 1, "accounts": []}, "expected 'tokens' with a list"),
        ({"format": 2, "kind": "account", "principals": []}, "kind is 'account'; expected 'token'"),
        ({"format": 2, "kind": "token", "principals": {}}, "expected 'principals' with a list"),
        ({"format": 2, "kind": "token", "principals": [1]}, "token 1: is 1; expected an object"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, value: object, said: str) -> None:
    path = written(tmp_path / "tokens.json", value)
    with pytest.raises(PrincipalError) as caught:
        TokenFile(path).all()
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_bytes(b" " * ((4 << 20) + 1))
    path.chmod(0o600)
    with pytest.raises(PrincipalError, match="is larger than 4 MB"):
        TokenFile(path).all()


names = st.from_regex(r"[A-Za-z0-9._@+-]{1,64}", fullmatch=True)
reviewers = st.builds(
    Principal,
    names,
    st.just("reviewer"),
    st.just(DIGEST),
    st.sampled_from([(), ("mx.example",), ("müller.example", "[192.0.2.1]")]),
    st.sampled_from([(), ("joe+x@mx.example", '"a b"@mx.example')]),
    st.text(max_size=30),
)
admins = st.builds(Principal, names, st.just("admin"), st.just(DIGEST), made=st.text(max_size=30))


@given(
    st.sampled_from(["account", "token"]),
    st.lists(reviewers | admins, max_size=4, unique_by=lambda one: one.name),
)
def test_what_is_written_is_read(kind: Kind, principals: list[Principal]) -> None:
    assert decode(encode(kind, principals), kind, Path("x")) == principals


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from([*GOOD, "format", "kind", "principals"]), inner)
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_or_refused_in_words(value: object) -> None:
    for text in (value, {"format": 2, "kind": "token", "principals": value}):
        try:
            decode(json.dumps(text).encode(), "token", Path("x"))
        except PrincipalError as error:
            assert "expected" in str(error)
