"""A real browser in front of a real `filterd web`, and a real MTA behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.site import CHROMIUM, LIMIT, OPTIONS, Site
from tests.browser.stranger import Stranger
from tests.helpers.process import folder, require
from tests.helpers.servers.own_mta import OwnMta

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder starts real servers."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's chromium, for this folder's tests only.

    Playwright keeps an asyncio loop running in this thread: none of the other tests could have one.
    """
    program = require(CHROMIUM, "chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=LIMIT)
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=OPTIONS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def mta() -> Iterator[OwnMta]:
    """The reference MTA, which takes what is released."""
    with folder("browser-mta") as path:
        server = OwnMta(path, [])
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def served(mta: OwnMta) -> Iterator[Site]:
    """One `filterd web` for all tests that do not spoil it."""
    with folder("browser") as path:
        site = Site(path, mta.port)
        site.start()
        yield site
        site.stop()


@pytest.fixture
def site(served: Site, browser: Browser) -> Iterator[Site]:
    """The site with an empty quarantine, and no open page."""
    served.empty()
    served.browser = browser
    yield served
    served.close_pages()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Another web server, which writes down who comes."""
    with Stranger() as server:
        yield server
