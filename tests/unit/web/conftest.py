"""Fixtures: a site, and one whose releases an MTA takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.receiving_mta import Mta, running
from tests.helpers.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with the accounts ann (admin), bob (@mx.example) and cid (joe@mx.example)."""
    site = Site(tmp_path)
    yield site
    site.state.close()


@pytest.fixture
def mta() -> Iterator[Mta]:
    """An MTA that takes what is released."""
    with running() as mta:
        yield mta


@pytest.fixture
def releasing(tmp_path: Path, mta: Mta) -> Iterator[Site]:
    """A site that releases to that MTA."""
    site = Site(tmp_path, mta.port)
    yield site
    site.state.close()


@pytest.fixture
def ann(site: Site) -> Site:
    """The site, ann (admin) logged in."""
    site.log_in("ann")
    return site


@pytest.fixture
def bob(site: Site) -> Site:
    """The site, bob (reviewer of @mx.example) logged in."""
    site.log_in("bob")
    return site
