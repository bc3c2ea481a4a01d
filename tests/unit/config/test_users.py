"""Settings `[users]`: what cannot work is told, with what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.load import ConfigError, load


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('deliver = ["virus"]', r"users\.deliver.*\"virus\" is never shown"),
        ('request = ["bannd"]', r"users\.request.*did you mean banned"),
        ('request = ["spam"]', r"\"spam\" is in deliver as well"),
        ('language = "German"', r"users\.language.*expected \"en\" or \"de\""),
        ('imap_host = "imap.mx.example"', r"nobody could log in; expected imap_domains"),
        (
            'imap_host = "imap.mx.example"\nimap_domains = ["mx.example"]\nimap_tls = "none"',
            r"in the clear; expected \"implicit\"",
        ),
        ('imap_domains = ["MX.example"]', r"expected \"mx\.example\""),
        ("actions_per_hour = 0", r"users\.actions_per_hour"),
    ],
)
def test_what_cannot_work(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(f"[users]\n{text}\n")
    with pytest.raises(ConfigError, match=expected):
        load(file)


def test_a_notice_of_requests_needs_requests(tmp_path: Path) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(
        '[notices]\nsender = "p@mx.example"\nadmins = ["a@mx.example"]\nrequest = ["admin"]\n'
    )
    with pytest.raises(ConfigError, match=r"nobody can ask for anything"):
        load(file)


def test_no_tls_to_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(
        '[users]\nimap_host = "127.0.0.1"\nimap_tls = "none"\nimap_domains = ["mx.example"]\n'
    )
    assert load(file).users.imap_tls == "none"
