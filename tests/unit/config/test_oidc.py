"""Settings `[oidc]`: what would let nobody in, or send secrets in the clear, is a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.load import ConfigError, load

GOOD = {"issuer": '"https://login.mx.example"', "client_id": '"filterd"', "others": '"user"'}
ROLE = '[[oidc.roles]]\ngroup = "postmasters"\n'


def loaded(folder: Path, changes: dict[str, str], more: str = "") -> object:
    lines = [f"{name} = {value}" for name, value in {**GOOD, **changes}.items() if value]
    file = folder / "filterd.toml"
    file.write_text("[oidc]\n" + "\n".join(lines) + "\n" + more)
    return load(file).oidc


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, ""),
        ({"issuer": '"https://login.mx.example:8443/realms/mx"'}, ""),
        ({"issuer": '"http://127.0.0.1:5556"'}, ""),
        ({"issuer": '"http://localhost"'}, ""),
        ({"scopes": "[]", "label": '"Anmelden bei Müller & Co"'}, ""),
        ({"others": ""}, ROLE + 'role = "admin"\n'),
        ({"others": ""}, ROLE + 'role = "reviewer"\ndomains = ["mx.example"]\n'),
    ],
)
def test_good(tmp_path: Path, changes: dict[str, str], more: str) -> None:
    loaded(tmp_path, changes, more)


@pytest.mark.parametrize(
    ("changes", "more", "words"),
    [
        ({"issuer": '"login.mx.example"'}, "", "is not of the form"),
        ({"issuer": '"https://"'}, "", "is not of the form"),
        ({"issuer": '"https://[x"'}, "", "is not of the form"),
        ({"issuer": '"https://a:99999"'}, "", "is not of the form"),
        ({"issuer": '"https://joe:secret@a.example"'}, "", "is not of the form"),
        ({"issuer": '"https://a.example?x=1"'}, "", "is not of the form"),
        ({"issuer": '"http://login.mx.example"'}, "", "in the clear"),
        ({"client_id": ""}, "", "oidc.client_id"),
        ({"scopes": '["a b"]'}, "", "is not a scope"),
        ({"name_claim": '""'}, "", "oidc.name_claim"),
        ({"others": ""}, "", "nobody could log in"),
        ({}, '[[oidc.roles]]\ngroup = ""\nrole = "admin"\n', "expected the name of a group"),
        ({}, ROLE + 'role = "emperor"\n', "role"),
        ({}, ROLE + 'role = "reviewer"\n', "expected its domains"),
        ({}, ROLE + 'role = "admin"\ndomains = ["mx.example"]\n', "limits are for"),
    ],
)
def test_mistakes(tmp_path: Path, changes: dict[str, str], more: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, changes, more)
    assert words in str(caught.value)


def test_off_by_default(tmp_path: Path) -> None:
    (tmp_path / "filterd.toml").write_text("")
    assert not load(tmp_path / "filterd.toml").oidc.issuer
