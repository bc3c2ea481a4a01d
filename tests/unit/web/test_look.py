"""Theme and density are chosen without a script, and the page comes as chosen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from filterd.web import look
from filterd.web.look import Look
from tests.helpers.site import Site

STYLE = Path(look.__file__).parent / "static" / "style.css"


def root(text: str) -> str:
    found = re.search(r"<html[^>]*>", text)
    assert found
    return found[0]


def test_a_browser_keeps_what_was_chosen(ann: Site) -> None:
    assert "data-theme" not in root(ann.get("/scan").text)
    sent = ann.browser.post("/look", data={"back": "/scan?x=1", "theme": "dark"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/scan?x=1")
    page = ann.get("/scan").text
    assert 'data-theme="dark"' in root(page)
    assert '<meta name="color-scheme" content="dark">' in page
    ann.browser.post("/look", data={"density": "compact"})
    page = ann.get("/quarantine").text
    assert 'data-theme="dark"' in root(page), "the other choice stays"
    assert 'data-density="compact"' in root(page)
    ann.browser.post("/look", data={"theme": "system", "density": "normal"})
    assert "data-" not in root(ann.get("/scan").text)


def test_before_the_login_too(site: Site) -> None:
    site.browser.post("/look", data={"theme": "light", "back": "/login"})
    assert 'data-theme="light"' in root(site.get("/login").text)


def test_other_sites_choose_nothing_and_lead_nowhere(site: Site) -> None:
    strange = {"Sec-Fetch-Site": "cross-site"}
    answer = site.browser.post("/look", data={"theme": "dark"}, headers=strange)
    assert answer.status_code == 403
    sent = site.browser.post("/look", data={"back": "https://evil.example/"})
    assert sent.headers["location"] == "/"


@pytest.mark.parametrize(
    ("cookie", "found"),
    [
        ("", Look()),
        ("dark", Look("dark")),
        (".compact", Look("system", "compact")),
        ("dark.compact", Look("dark", "compact")),
        ('"><script>.x', Look()),
        ("x" * 100_000, Look()),
    ],
)
def test_cookies(cookie: str, found: Look) -> None:
    assert Look.of(cookie) == found


def test_dark_is_the_same_however_it_came() -> None:
    """The colours of the system's wish and of one's own choice."""
    text = STYLE.read_text()
    wished = re.search(
        r"prefers-color-scheme: dark\) \{\s*:root:not\([^)]*\) \{(.*?)\}", text, re.S
    )
    chosen = re.search(r":root\[data-theme=dark\] \{(.*?)\}", text, re.S)
    assert wished
    assert chosen
    assert wished[1].split() == [
        one for one in chosen[1].split() if one not in ("color-scheme:", "dark;")
    ]
