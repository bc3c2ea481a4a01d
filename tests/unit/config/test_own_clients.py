"""Whose mail is the site's own, where three settings say that."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.config.own_clients import own_client_warnings
from tests.helpers.commands import filterd

KEY = '[[filters.sign.keys]]\ndomain = "mx.example"\nselector = "s1"\nfile = "k"\n'
NOT_SIGNED = (
    "filters.sign.clients does not have {} of labels.outbound_clients: that mail is outbound, and "
    "is not signed"
)


@pytest.mark.parametrize(
    ("chain", "outbound", "more", "told"),
    [
        ('"sign"', "", KEY, []),
        ("", "", "", []),
        (
            "",
            "",
            KEY,
            ['filters.sign.keys: nothing is signed, since "sign" is not in [chain] filters'],
        ),
        ('"sign"', '"local"', KEY, []),
        ('"sign"', '"127.0.0.0/8", "::1"', KEY, []),
        ('"sign"', '"192.0.2.0/24"', KEY, [NOT_SIGNED.format("192.0.2.0/24")]),
        ('"sign"', '"192.0.2.0/24"', '[filters.sign]\nclients = ["192.0.0.0/16"]\n', []),
        ('"sign"', '"::ffff:192.0.2.1"', '[filters.sign]\nclients = ["192.0.2.1"]\n', []),
        (
            '"sign"',
            '"192.0.0.0/16", "local", "2001:db8::1"',
            '[filters.sign]\nclients = ["192.0.2.0/24"]\n',
            [NOT_SIGNED.format("192.0.0.0/16, local, 2001:db8::1")],
        ),
        (
            '"known"',
            '"192.0.2.1"',
            "",
            [
                "filters.known.clients does not have 192.0.2.1 of labels.outbound_clients: that "
                "mail is outbound, and makes nobody known"
            ],
        ),
    ],
)
def test_what_the_settings_do_not_agree_on(
    tmp_path: Path, chain: str, outbound: str, more: str, told: list[str]
) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(
        f"[chain]\nfilters = [{chain}]\n[labels]\noutbound_clients = [{outbound}]\n{more}"
    )
    assert list(own_client_warnings(load(file))) == told


def test_the_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(
        '[chain]\nfilters = ["sign"]\n[labels]\noutbound_clients = ["192.0.2.1"]\n'
        f'[quarantine]\nfolder = "{tmp_path}/q"\n'
    )
    status, _, error = filterd(monkeypatch, capsys, "check", "-c", file)
    assert (status, f"warning: {NOT_SIGNED.format('192.0.2.1')}\n" in error) == (0, True)
