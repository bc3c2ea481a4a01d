"""Health and readiness, asked by somebody without a login."""

from __future__ import annotations

import asyncio

import pytest

from filterd.ops.readiness import Readiness
from filterd.quarantine import Store
from filterd.web import readiness as cache
from filterd.web.readiness import ReadinessCache
from tests.helpers.site import Site

READY = Readiness(daemon=True, workers=True, store=True, scanners=None)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Readiness]:
    """What is found in turn; taken from the end."""
    found: list[Readiness] = []
    monkeypatch.setattr(cache, "readiness", lambda _settings, _store: found.pop())
    return found


def test_the_process_is_there(site: Site) -> None:
    answer = site.browser.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["Cache-Control"] == "no-store"


def test_not_ready_without_a_daemon(site: Site) -> None:
    answer = site.browser.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "failed",
        "checks": {"daemon": False, "workers": False, "store": True},
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("found", "status", "failed"),
    [
        (READY, 200, set()),
        (Readiness(True, True, True, scanners=True), 200, set()),
        (Readiness(True, True, True, scanners=False), 503, {"scanners"}),
        (Readiness(True, False, True, scanners=None), 503, {"workers"}),
        (Readiness(True, True, False, scanners=None), 503, {"store"}),
    ],
)
def test_what_is_missing(
    site: Site, looks: list[Readiness], found: Readiness, status: int, failed: set[str]
) -> None:
    looks.append(found)
    answer = site.browser.get("/readyz")
    assert answer.status_code == status
    checks = answer.json()["checks"]
    assert {name for name, is_well in checks.items() if not is_well} == failed
    assert ("scanners" in checks) == (found.scanners is not None)


def test_a_second_question_is_answered_by_the_first_look(
    site: Site, looks: list[Readiness], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks += [Readiness(False, False, True, None), READY]
    assert [site.browser.get("/readyz").status_code for _ in range(3)] == [200] * 3
    assert len(looks) == 1
    monkeypatch.setattr(cache, "FRESH_SECONDS", 0.0)
    site.state.readiness = ReadinessCache(site.state.settings, site.state.actions.store)
    assert site.browser.get("/readyz").status_code == 503


def test_all_who_ask_at_once_wait_for_one_look(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0

    def look(_settings: object, _store: Store) -> Readiness:
        nonlocal looked
        looked += 1
        return READY

    monkeypatch.setattr(cache, "readiness", look)

    async def many() -> list[Readiness]:
        return list(await asyncio.gather(*(site.state.readiness.get() for _ in range(50))))

    assert asyncio.run(many()) == [READY] * 50
    assert looked == 1


@pytest.mark.slow
def test_only_what_it_knows(site: Site) -> None:
    for path in ("/healthz", "/readyz"):
        answer = site.browser.get(path, params={"verbose": "1"})
        assert answer.status_code == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert site.browser.head(path, params={"verbose": "1"}).status_code == 422
        assert site.browser.post(path).status_code == 405
        assert site.browser.head(path).status_code in (200, 503)
        assert not site.browser.head(path).content
