"""Settings `[ldap]`: what would let nobody in, or send passwords in the clear, is a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.load import ConfigError, load

GOOD = {
    "url": '"ldaps://ldap.mx.example"',
    "base": '"ou=people,dc=mx,dc=example"',
    "others": '"user"',
}


def loaded(folder: Path, changes: dict[str, str], more: str = "") -> object:
    lines = [f"{name} = {value}" for name, value in {**GOOD, **changes}.items() if value]
    file = folder / "filterd.toml"
    file.write_text("[ldap]\n" + "\n".join(lines) + "\n" + more)
    return load(file).ldap


ROLE = '[[ldap.roles]]\ngroup = "cn=a,dc=b"\n'


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, ""),
        ({"url": '"ldap://ldap.mx.example:1389"'}, ""),
        ({"url": '"ldap://127.0.0.1"', "starttls": "false"}, ""),
        ({"url": '"ldap://localhost"', "starttls": "false"}, ""),
        ({"url": '"ldap://[::1]:389"', "starttls": "false"}, ""),
        ({"bind_dn": '"cn=a"', "password_file": '"/x"'}, ""),
        ({"others": ""}, ROLE + 'role = "admin"\n'),
        ({"others": ""}, ROLE + 'role = "reviewer"\ndomains = ["mx.example"]\n'),
        ({"filter": '"(&(uid={name})(objectClass=person))"'}, ""),
    ],
)
def test_good(tmp_path: Path, changes: dict[str, str], more: str) -> None:
    loaded(tmp_path, changes, more)


@pytest.mark.parametrize(
    ("changes", "more", "words"),
    [
        ({"url": '"http://ldap.mx.example"'}, "", "ldap.url"),
        ({"url": '"ldaps://"'}, "", "is not a server"),
        ({"url": '"ldaps://[x"'}, "", "is not a server"),
        ({"url": '"ldaps://a:99999"'}, "", "is not a server"),
        ({"url": '"ldaps://joe:secret@ldap.mx.example"'}, "", "is not a server"),
        ({"url": '"ldaps://ldap.mx.example/dc=mx"'}, "", "is not a server"),
        ({"url": '"ldap://ldap.mx.example"', "starttls": "false"}, "", "in the clear"),
        ({"base": ""}, "", "ldap.base"),
        ({"filter": '"(uid=joe)"'}, "", "ldap.filter"),
        ({"filter": '"(uid={name}"'}, "", "ldap.filter"),
        ({"filter": '"(uid={name})(x={y})"'}, "", "ldap.filter"),
        ({"group_filter": '"member={dn}"'}, "", "ldap.group_filter"),
        ({"bind_dn": '"cn=a"'}, "", "expected both bind_dn and password_file"),
        ({"others": ""}, "", "nobody could log in"),
        ({}, '[[ldap.roles]]\ngroup = "postmasters"\nrole = "admin"\n', "is not a DN"),
        ({}, ROLE + 'role = "emperor"\n', "role"),
        ({}, ROLE + 'role = "reviewer"\n', "expected its domains"),
        ({}, ROLE + 'role = "admin"\ndomains = ["mx.example"]\n', "limits are for"),
        ({}, ROLE + 'role = "helpdesk"\ndomains = ["a b"]\n', "ldap.roles"),
    ],
)
def test_mistakes(tmp_path: Path, changes: dict[str, str], more: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, changes, more)
    assert words in str(caught.value)


def test_off_by_default(tmp_path: Path) -> None:
    (tmp_path / "filterd.toml").write_text("")
    assert not load(tmp_path / "filterd.toml").ldap.url
