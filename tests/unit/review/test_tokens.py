"""Tokens: made once, shown once, refused when the file is not as it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.review.principals import PrincipalError
from filterd.review.tokens import PREFIX, TokenFile


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json")


def test_a_secret_is_not_in_the_file(tokens: TokenFile) -> None:
    secret = tokens.add("robot", "admin")
    assert secret.startswith(PREFIX)
    assert secret not in tokens.path.read_text()
    assert tokens.path.stat().st_mode & 0o777 == 0o600
    found = tokens.find(secret)
    assert found is not None
    assert (found.name, found.reviewer.is_admin) == ("robot", True)


@pytest.mark.parametrize("other", ["", "x", PREFIX, PREFIX + "a" * 43, "\ud800", "a" * 10_000])
def test_other_secrets_are_nobodys(tokens: TokenFile, other: str) -> None:
    tokens.add("robot", "admin")
    assert tokens.find(other) is None


def test_a_removed_token_is_nobodys_at_once(tokens: TokenFile) -> None:
    secret = tokens.add("robot", "admin")
    other = TokenFile(tokens.path)
    assert other.find(secret) is not None
    tokens.remove("robot")
    assert other.find(secret) is None
    with pytest.raises(PrincipalError, match="no token 'robot'"):
        tokens.remove("robot")


def test_limits_are_those_of_a_reviewer(tokens: TokenFile) -> None:
    found = tokens.find(tokens.add("h", "reviewer", ["@MX.example"], ["Joe@other.example"]))
    assert found is not None
    assert found.reviewer.visible == ("@mx.example", "joe@other.example")


@pytest.mark.parametrize(
    ("name", "role", "domains", "text"),
    [
        ("a b", "admin", [], "is not a name"),
        ("", "admin", [], "is not a name"),
        ("x", "reviewer", [], "needs a domain or a recipient"),
        ("x", "admin", ["mx.example"], "sees everything"),
    ],
)
def test_what_makes_no_sense_is_said(
    tokens: TokenFile, name: str, role: str, domains: list[str], text: str
) -> None:
    with pytest.raises(PrincipalError, match=text):
        tokens.add(name, role, domains)  # type: ignore[arg-type]


def test_a_name_is_given_once(tokens: TokenFile) -> None:
    tokens.add("robot", "admin")
    with pytest.raises(PrincipalError, match="already"):
        tokens.add("robot", "admin")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": 1}',
        b'{"format": 1, "tokens": [{"name": "x"}]}',
        b'{"format": 1, "tokens": [{"name": "x", "role": "king", "digest": "", "made": "", '
        b'"domains": [], "recipients": []}]}',
        b'{"format": 2, "tokens": []}',
        b"\xff",
    ],
)
def test_a_damaged_file_is_told_and_lets_nobody_in(tokens: TokenFile, content: bytes) -> None:
    tokens.path.write_bytes(content)
    tokens.path.chmod(0o600)
    with pytest.raises(PrincipalError, match=r"tokens\.json"):
        tokens.find("x")


def test_a_file_that_others_may_read_is_refused(tokens: TokenFile) -> None:
    secret = tokens.add("robot", "admin")
    tokens.path.chmod(0o644)
    with pytest.raises(PrincipalError, match="chmod 600"):
        tokens.find(secret)
