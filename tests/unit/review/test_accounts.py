"""The file of accounts: what is kept, who gets in, what is refused."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import argon2
import pytest

from filterd.review.accounts import Accounts
from filterd.review.principals import PrincipalError
from filterd.review.tokens import TokenFile

QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(tmp_path / "web" / "accounts.json", QUICK)


def test_the_right_password_and_the_wrong_ones(accounts: Accounts) -> None:
    accounts.add("ann", PASSWORD, "admin")
    found = accounts.verify("ann", PASSWORD)
    assert found is not None
    assert found.reviewer.is_admin
    assert accounts.verify("ann", PASSWORD + "x") is None
    assert accounts.verify("ann", "") is None
    assert accounts.verify("bob", PASSWORD) is None


def test_an_unknown_name_costs_a_hash_as_well(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.add("ann", PASSWORD, "admin")
    checked: list[str] = []

    class Counting(argon2.PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            checked.append(str(password))
            return QUICK.verify(hash, password)

    counting = Accounts(accounts.path, Counting(time_cost=1, memory_cost=8, parallelism=1))
    assert counting.verify("ann", "wrong") is None
    assert counting.verify("nobody", "wrong") is None
    assert checked == ["wrong", "wrong"]


def test_only_hashes_are_on_disk_and_only_the_owner_reads_them(accounts: Accounts) -> None:
    accounts.add("ann", PASSWORD, "admin")
    assert stat.S_IMODE(accounts.path.stat().st_mode) == 0o600
    text = accounts.path.read_text()
    assert PASSWORD not in text
    assert "$argon2id$" in text


def test_a_reviewer_has_its_limits_in_lower_case(accounts: Accounts) -> None:
    accounts.add("bob", PASSWORD, "reviewer", ["@MX.example"], ["Joe@Other.example"])
    (bob,) = Accounts(accounts.path, QUICK).all()
    assert bob.reviewer.domains == {"mx.example"}
    assert bob.reviewer.recipients == {"joe@other.example"}


@pytest.mark.parametrize(
    ("name", "password", "role", "domains", "said"),
    [
        ("ann", PASSWORD, "admin", [], "already"),
        ("", PASSWORD, "admin", [], "is not a name"),
        ("x" * 65, PASSWORD, "admin", [], "is not a name"),
        ("a\nb", PASSWORD, "admin", [], "is not a name"),
        ("bob", "short", "admin", [], "5 characters"),
        ("bob", "x" * 2000, "admin", [], "2000 characters"),
        ("bob", PASSWORD, "reviewer", [], "sees nothing"),
        ("bob", PASSWORD, "reviewer", ["a@b"], "is not a domain"),
        ("bob", PASSWORD, "reviewer", ["a,b"], "several addresses; expected a domain such as mx"),
        ("bob", PASSWORD, "reviewer", ["a.b;c.d"], "'a.b;c.d' has several addresses; expected"),
        ("bob", PASSWORD, "admin", ["mx.example"], "sees everything"),
    ],
)
def test_what_cannot_be(
    accounts: Accounts, name: str, password: str, role: str, domains: list[str], said: str
) -> None:
    accounts.add("ann", PASSWORD, "admin")
    with pytest.raises(PrincipalError, match=said):
        accounts.add(name, password, role, domains)  # type: ignore[arg-type]
    assert [one.name for one in accounts.all()] == ["ann"]


def test_what_another_process_changes_counts_at_once(accounts: Accounts) -> None:
    accounts.add("ann", PASSWORD, "admin")
    other = Accounts(accounts.path, QUICK)
    assert other.verify("ann", PASSWORD)
    accounts.set_password("ann", "another password")
    assert other.verify("ann", PASSWORD) is None
    assert other.verify("ann", "another password")
    accounts.remove("ann")
    assert other.get("ann") is None
    with pytest.raises(PrincipalError, match="no account 'ann'"):
        accounts.remove("ann")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"format": 1}', "is damaged"),
        (json.dumps({"format": 9, "accounts": []}), "format 9"),
        (
            '{"format": 1, "accounts": [{"name": "x", "role": "god"}]}',
            "account 1 \\('x'\\): role is 'god'; expected admin or reviewer",
        ),
    ],
)
def test_a_damaged_file_lets_nobody_in_and_is_named(
    accounts: Accounts, content: str, said: str
) -> None:
    accounts.path.parent.mkdir()
    accounts.path.write_text(content)
    accounts.path.chmod(0o600)
    with pytest.raises(PrincipalError, match=said) as caught:
        accounts.verify("x", PASSWORD)
    assert str(accounts.path) in str(caught.value)


def test_a_file_that_others_may_read_is_refused(accounts: Accounts) -> None:
    accounts.add("ann", PASSWORD, "admin")
    accounts.path.chmod(0o644)
    with pytest.raises(PrincipalError, match="chmod 600"):
        Accounts(accounts.path, QUICK).verify("ann", PASSWORD)


WRONG_LIMITS = [
    (["a,b"], []),
    ([""], []),
    (["@"], []),
    (["a.example b.example"], []),
    (["*"], []),
    (["ann@mx.example"], []),
    ([".mx.example"], []),
    (["mx.example\n"], []),
    (["192.0.2.1"], []),
    (["mx..example"], []),
    ([], ["mx.example"]),
    ([], ["a@mx.example,b@mx.example"]),
    ([], ["Ann <ann@mx.example>"]),
    ([], ["@mx.example"]),
    ([], ["ann@"]),
    ([], [""]),
    ([], ["*@mx.example"]),
    (["mx.example", "a;b"], []),
]


@pytest.mark.parametrize(("domains", "recipients"), WRONG_LIMITS)
def test_limits_that_fit_nobody_are_refused_alike(
    accounts: Accounts, tmp_path: Path, domains: list[str], recipients: list[str]
) -> None:
    tokens = TokenFile(tmp_path / "tokens.json")
    said = []
    for add in (
        lambda: accounts.add("bob", PASSWORD, "reviewer", domains, recipients),
        lambda: tokens.add("bob", "reviewer", domains, recipients),
    ):
        with pytest.raises(PrincipalError, match=r"expected .*(mx|ann@mx)\.example") as caught:
            add()
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert accounts.all() == ()
    assert tokens.all() == ()


def test_limits_have_one_spelling(accounts: Accounts, tmp_path: Path) -> None:
    limits = ["@MX.Example", "xn--mller-kva.example"], ['"Ann"@MX.example', "joe+x@b.example"]
    bob = accounts.add("bob", PASSWORD, "reviewer", *limits)
    assert bob.domains == ("mx.example", "müller.example")
    assert bob.recipients == ("ann@mx.example", "joe+x@b.example")
    tokens = TokenFile(tmp_path / "tokens.json")
    tokens.add("bob", "reviewer", *limits)
    assert (tokens.all()[0].domains, tokens.all()[0].recipients) == (bob.domains, bob.recipients)
