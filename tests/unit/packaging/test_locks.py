"""The locks hold every package with its hashes, and no version with a known hole is admitted."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCKS = ("product", "test", "build", "fuzz")

HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")

REPAIRED = {
    "cryptography": "46.0.5",
    "distributed": "2026.1.0",
    "dnspython": "2.6.1",
    "h11": "0.16.0",
    "jinja2": "3.1.6",
    "mako": "1.2.2",
    "markdown-it-py": "2.2.0",
    "nh3": "0.3.1",
    "pillow": "12.1.1",
    "pygments": "2.15.0",
    "python-multipart": "0.0.27",
    "scikit-learn": "1.5.0",
    "skops": "0.13.0",
    "starlette": "0.49.1",
    "tornado": "6.5.0",
}
"""The first version without the holes that are known, of what reads data from outside."""

NEXT = {
    "dnspython": "3.0",
    "numpy": "3.0",
    "pydantic": "3.0",
    "pyparsing": "4.0",
    "sqlalchemy": "3.0",
    "starlette": "2.0",
}
"""The first version that is not admitted, of what changes its interface with a major version."""


def lock(name: str) -> dict[str, tuple[Version, int]]:
    """Each package of a lock: its version, and how many files may be it."""
    text = (ROOT / f"requirements/{name}.txt").read_text("utf-8")
    found = {}
    for entry in re.split(r"(?<!\\)\n", text):
        if entry and not entry.startswith("#"):
            package, version = re.match(r"([\w.-]+)==([^ ;]+)", entry).groups()  # type: ignore[union-attr]
            found[canonicalize_name(package)] = (Version(version), len(HASH.findall(entry)))
    return found


def requirements(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for, with these extras."""
    found = []
    for line in PROJECT["dependencies"] + [
        line for extra in extras for line in PROJECT["optional-dependencies"][extra]
    ]:
        one = Requirement(line)
        found += (
            requirements(*one.extras)[len(PROJECT["dependencies"]) :]
            if (one.name == PROJECT["name"])
            else [one]
        )
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_a_version_and_hashes(name: str) -> None:
    packages = lock(name)
    assert packages
    assert [one for one, (_, hashes) in packages.items() if hashes == 0] == []


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_says_where_packages_come_from(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)


@pytest.mark.parametrize(("name", "extras"), [("product", ()), ("test", ("dev",))])
def test_a_lock_has_what_pyproject_asks_for(name: str, extras: tuple[str, ...]) -> None:
    packages = lock(name)
    for one in requirements(*extras):
        version, _ = packages[canonicalize_name(one.name)]
        assert version in one.specifier, f"{one}: run scripts/lock.sh"


def test_the_tests_run_with_the_products_versions() -> None:
    product, test = lock("product"), lock("test")
    assert product.items() <= test.items()


def test_setuptools_of_the_lock_builds_filterd() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    (one,) = map(Requirement, build)
    assert lock("build")[one.name][0] in one.specifier


@pytest.mark.parametrize(("name", "version"), REPAIRED.items())
def test_versions_with_known_holes_are_not_admitted(name: str, version: str) -> None:
    asked = [one for one in requirements("dev") if canonicalize_name(one.name) == name]
    (floor,) = (Version(s.version) for one in asked for s in one.specifier if s.operator == ">=")
    assert floor >= Version(version)


@pytest.mark.parametrize(("name", "version"), NEXT.items())
def test_the_next_major_version_is_not_admitted(name: str, version: str) -> None:
    asked = [one for one in requirements() if canonicalize_name(one.name) == name]
    assert asked
    assert all(Version(version) not in one.specifier for one in asked)
