"""What every answer carries, and what none tells."""

from __future__ import annotations

import pytest

from filterd.chain.verdict import RemovedPart
from tests.helpers.site import PAGES, Site

PAGE = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "frame-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
FRAME = {
    "default-src": "'none'",
    "form-action": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'self'",
    "sandbox": "",
}
FILE = {"default-src": "'none'", "sandbox": ""}
"""What a browser may do with a page of ours, with a message's text in its frame, with a file."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


def directives(policy: str) -> dict[str, str]:
    """A Content-Security-Policy by directive; each may be there once."""
    pairs = [one.strip().partition(" ")[::2] for one in policy.split(";")]
    assert len(dict(pairs)) == len(pairs), policy
    return dict(pairs)


@pytest.mark.slow
def test_every_answer_carries_the_headers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.log_in()
    id = site.put(removed=(RemovedPart("a.exe", "banned", 6, 9),))
    answers = [site.get(path.format(id=id)) for path in PAGES]
    assert {answer.status_code for answer in answers} == {200}
    answers += [site.get(p) for p in ("/login", "/nothing", "/static/style.css", "/static/no")]
    answers.append(site.browser.post("/scan"))
    answers.append(site.browser.delete("/quarantine"))
    monkeypatch.setattr(site.state.sessions, "get", lambda _token: 1 / 0)
    broken = site.get("/quarantine")
    assert broken.status_code == 500
    for answer in (*answers, broken):
        policy = directives(answer.headers["content-security-policy"])
        path = str(answer.url)
        if "/part/" in path:
            # By its digest, and only the one that the frame itself has.
            assert policy.pop("style-src").startswith("'sha256-"), path
            assert policy == FRAME, path
        else:
            assert policy == (FILE if path.endswith(("/raw", "/removed/1")) else PAGE), path
        is_part = "/part/" in str(answer.url)
        for name, value in HEADERS.items():
            expected = "SAMEORIGIN" if is_part and name == "x-frame-options" else value
            assert answer.headers[name] == expected, answer.url
        if "/static/style" not in str(answer.url):
            assert answer.headers["cache-control"] == "no-store", answer.url


def test_what_breaks_tells_the_browser_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.log_in()
    monkeypatch.setattr(
        site.state.sessions, "get", lambda _token: (_ for _ in ()).throw(RuntimeError("secret"))
    )
    answer = site.get("/quarantine")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.slow
def test_a_page_has_no_inline_script_or_style(site: Site) -> None:
    """The policy would forbid it; this finds it before a browser does."""
    site.log_in()
    id = site.put()
    for path in PAGES:
        text = site.get(path.format(id=id)).text
        if path.endswith("/part/0"):
            continue
        assert " style=" not in text, path
        assert "<style" not in text, path
        assert " onclick" not in text, path
        assert "<script>" not in text, path


@pytest.mark.slow
def test_getting_changes_nothing(site: Site) -> None:
    id = site.put()
    site.log_in()
    for path in PAGES:
        site.get(path.format(id=id) + "?deed=delete&id=" + id)
    assert set(site.events()) <= {"viewed", "exported"}
    assert site.state.actions.store.delivery_state(id).state == "held"


@pytest.mark.slow
@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_what_is_too_large_is_refused(site: Site, told: bool) -> None:
    site.log_in()
    body = b"csrf=" + b"x" * (2 << 20)
    sent = body if told else (body[at : at + 65536] for at in range(0, len(body), 65536))
    answer = site.browser.post(
        "/quarantine/do",
        content=sent,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 413
    assert answer.headers["x-content-type-options"] == "nosniff"
