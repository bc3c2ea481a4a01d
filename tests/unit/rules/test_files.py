"""Which files there are, and in which order they are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filterd.rules import files


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"body {path.stem.upper()} /a/\n")


def found(root: Path, *paths: str) -> list[str]:
    given = [root / path for path in paths]
    return [str(path.relative_to(root)) for path in files.find(given, use_stock=True, root=root)]


def test_the_package_and_the_site(tmp_path: Path) -> None:
    make(tmp_path, *(f"usr/share/spamassassin/{name}" for name in ("20.cf", "10.cf", "languages")))
    make(tmp_path, *(f"etc/spamassassin/{name}" for name in ("local.cf", "v400.pre", "init.pre")))
    assert found(tmp_path, "more.cf") == [
        "etc/spamassassin/init.pre",
        "etc/spamassassin/v400.pre",
        "usr/share/spamassassin/10.cf",
        "usr/share/spamassassin/20.cf",
        "etc/spamassassin/local.cf",
        "more.cf",
    ]


def test_what_sa_update_fetched_is_instead_of_the_package(tmp_path: Path) -> None:
    make(tmp_path, "usr/share/spamassassin/10.cf")
    updates = "var/lib/spamassassin"
    make(tmp_path, f"{updates}/4.000001/updates_spamassassin_org.cf", f"{updates}/4.000001/a.cf")
    make(tmp_path, f"{updates}/3.004006/a.cf", f"{updates}/compiled/x.cf")
    assert found(tmp_path) == [
        f"{updates}/4.000001/updates_spamassassin_org.cf",
        f"{updates}/4.000001/a.cf",
    ]


def test_where_nothing_is_installed(tmp_path: Path) -> None:
    make(tmp_path, "etc/spamassassin/local.cf")
    assert files.stock(tmp_path) == ()


def test_a_file_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.cf").write_text("include b.cf\ninclude a.cf\ninclude sub/c.cf\nbody A /a/\n")
    make(tmp_path, "b.cf", "sub/c.cf")
    rule_set, paths = files.load(files.find([tmp_path]))
    assert rule_set.problems == ()
    assert sorted(rule_set.rules) == ["A", "B", "C"]
    assert {path.name for path in paths} == {"a.cf", "b.cf", "c.cf"}


def test_an_included_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.cf").write_text("include none.cf\ninclude /dev/zero\nbody A /a/\n")
    rule_set, _ = files.load([tmp_path / "a.cf"])
    assert [problem.text for problem in rule_set.problems] == [
        "none.cf: No such file or directory",
        "/dev/zero: is not a regular file",
    ]
    assert set(rule_set.rules) == {"A"}


def test_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.cf", "b.cf")
    monkeypatch.setattr(files, "TOTAL_OCTETS", 20)
    with pytest.raises(ValueError, match="more than 20 octets"):
        files.load(files.find([tmp_path]))


def test_a_signature_changes_with_any_file(tmp_path: Path) -> None:
    make(tmp_path, "a.cf", "b.cf")
    paths = files.find([tmp_path])
    before = files.signature(paths)
    assert files.signature(paths) == before
    os.utime(paths[1], ns=(1, 1))
    changed = files.signature(paths)
    assert changed != before
    paths[0].unlink()
    assert files.signature(paths) not in (before, changed)


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.load(files.find([tmp_path / "none.cf"]))
