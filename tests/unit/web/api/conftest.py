"""A program that uses the REST interface of a site."""

from __future__ import annotations

import pytest

from tests.helpers.api import Program, tokens_of
from tests.helpers.site import Site


@pytest.fixture
def admin(site: Site) -> Program:
    """A program that may do everything."""
    return Program(site, tokens_of(site).add("robot", "admin"))


@pytest.fixture
def reviewer(site: Site) -> Program:
    """A program for the mail of mx.example."""
    return Program(site, tokens_of(site).add("helper", "reviewer", ["mx.example"]))


@pytest.fixture
def releasing_admin(releasing: Site) -> Program:
    """A program of a site whose releases an MTA takes."""
    return Program(releasing, tokens_of(releasing).add("robot", "admin"))
