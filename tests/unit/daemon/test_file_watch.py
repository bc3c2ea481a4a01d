"""Files that filters loaded before the fork: a change is noticed once, and when it is finished."""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from filterd.chain.chain import ChainSettings
from filterd.chain.filter import Filter
from filterd.chain.links import LinkSettings
from filterd.config.load import FilterSettings, Settings
from filterd.daemon.file_watch import FileWatch, look_at
from filterd.filters.gtube import GtubeSettings


@dataclass(frozen=True)
class WithFile:
    """The settings of a filter that loads one file."""

    path: Path

    def signature(self) -> Hashable:
        return self.path.read_bytes() if self.path.exists() else None

    def build(self) -> Filter:
        raise NotImplementedError


class Site:
    """A settings file, a filter's file, and how often the daemon was to reload."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "local.cf"
        self.file.write_text("one")
        self.source = folder / "filterd.toml"
        self.source.write_text("")
        self.settings = replace(
            Settings(),
            chain=ChainSettings(("gtube", "rules")),
            filters={
                "gtube": FilterSettings(LinkSettings(), GtubeSettings()),
                "rules": FilterSettings(LinkSettings(), WithFile(self.file)),
            },
            source=self.source,
        )
        self.reloads = 0
        self.works = True
        self.watch = FileWatch(lambda: self.settings, self.reload)
        self.watch.loaded(look_at(self.settings))

    def reload(self) -> None:
        self.reloads += 1
        if self.works:
            self.watch.loaded(look_at(self.settings))

    def looks(self, times: int) -> int:
        """Look so often; how many reloads there were until then."""
        for _ in range(times):
            self.watch.once()
        return self.reloads


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_nothing_changes_and_nothing_happens(site: Site) -> None:
    assert site.looks(5) == 0


def test_a_change_is_loaded_once_it_is_the_same_at_two_looks(site: Site) -> None:
    site.file.write_text("two, and still being wr")
    assert site.looks(1) == 0
    site.file.write_text("two, and still being written")
    assert site.looks(1) == 0
    assert site.looks(1) == 1
    assert site.looks(5) == 1


def test_a_file_that_goes_away_is_a_change(site: Site) -> None:
    site.file.unlink()
    assert site.looks(2) == 1


def test_what_is_put_back_before_it_is_loaded_is_none(site: Site) -> None:
    site.file.write_text("two")
    assert site.looks(1) == 0
    site.file.write_text("one")
    assert site.looks(3) == 0


def test_files_that_cannot_be_loaded_are_tried_once(site: Site) -> None:
    site.works = False
    site.file.write_text("broken")
    assert site.looks(5) == 1

    site.works = True
    site.file.write_text("mended")
    assert site.looks(5) == 2


def test_settings_that_somebody_is_changing_do_not_come_into_force_with_it(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    os.utime(site.source, (1, 1))
    site.file.write_text("two")
    with caplog.at_level(logging.WARNING):
        assert site.looks(5) == 0
    assert caplog.messages == [
        "files of rules have changed, and so have the settings; `filterd reload` reads both"
    ]
