"""Settings `[web]`: closed by default."""

from __future__ import annotations

import pytest

from filterd.config.web import WebSettings


def test_only_loopback_without_a_word() -> None:
    assert WebSettings().listen == "127.0.0.1"
    assert WebSettings().is_local


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"listen": "0.0.0.0"}, "can be reached from outside"),
        ({"listen": "192.0.2.1"}, "expose = true"),
        ({"listen": "::"}, "can be reached from outside"),
        ({"listen": "localhost"}, "is not an IP address"),
        ({"trusted_proxies": ("proxy.example",)}, "is not a network"),
        ({"url": "mail.example"}, "is not of the form"),
        ({"url": "https://mail.example/filterd"}, "without a path"),
        ({"url": "javascript:alert(1)"}, "is not of the form"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        WebSettings(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "base", "is_local"),
    [
        ({}, "http://127.0.0.1:8025", True),
        ({"listen": "::1", "port": 80}, "http://[::1]:80", True),
        ({"url": "https://mail.example/"}, "https://mail.example", False),
        ({"listen": "192.0.2.1", "expose": True}, "http://192.0.2.1:8025", False),
    ],
)
def test_where_the_pages_are(given: dict[str, object], base: str, is_local: bool) -> None:
    settings = WebSettings(**given)  # type: ignore[arg-type]
    assert settings.base == base
    assert settings.is_local is is_local
