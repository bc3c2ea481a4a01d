"""Which files of rules there are, in the order in which SpamAssassin reads them.

Source: spamassassin(1), "CONFIGURATION FILES".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from filterd.rules.conf.lines import FILE_OCTETS
from filterd.rules.conf.read import FILES, Loader, PatternTrouble, read
from filterd.rules.conf.rule import RuleSet
from filterd.system.bounded import read_regular

TOTAL_OCTETS = 64 * 1024 * 1024
"""How much all files of a rule set may have together."""

SITE_FOLDERS = ("etc/spamassassin", "etc/mail/spamassassin", "usr/local/etc/mail/spamassassin")
"""Where a site's own files are: the first that exists."""

PACKAGE_FOLDERS = ("usr/share/spamassassin", "usr/local/share/spamassassin")
"""Where the rules are that SpamAssassin was installed with: the first that exists."""

UPDATES = "var/lib/spamassassin"
"""Where `sa-update` puts newer ones, in a folder for each version of SpamAssassin."""

_VERSION = re.compile(r"[34]\.[0-9]{6}\Z")

_MAIN_CHANNEL = "updates_spamassassin_org.cf"
"""Of the rules that `sa-update` fetches, those of SpamAssassin itself come first."""


def stock(root: Path = Path("/")) -> tuple[Path, ...]:
    """The folders of the rules that this system has: first SpamAssassin's, then the site's own.
    Empty where SpamAssassin was never installed.

    root: what the paths are below; for tests.
    """
    updates = [
        folder
        for folder in sorted(_entries(root / UPDATES))
        if _VERSION.match(folder.name) and any(folder.glob("*.cf"))
    ]
    package = [folder for one in PACKAGE_FOLDERS if (folder := root / one).is_dir()]
    site = [folder for one in SITE_FOLDERS if (folder := root / one).is_dir()]
    rules = updates[-1:] or package[:1]
    return (*rules, *site[:1]) if rules else ()


def find(paths: Iterable[Path], *, use_stock: bool = False, root: Path = Path("/")) -> list[Path]:
    """All files of a list of files and folders, in reading order.

    Of folders, files `*.pre` come first, the site's before SpamAssassin's, and then `*.cf`, by
    name; files stand where the list has them. use_stock: `stock` comes before the list.
    Raises OSError for a path that does not exist or cannot be read.
    """
    folders: list[tuple[Path, list[Path]]] = []
    given = [*(stock(root) if use_stock else ()), *paths]
    for path in given:
        files = [file for file in _entries(path) if file.is_file()] if path.is_dir() else [path]
        folders.append((path, files))
    first = [
        file for _, files in reversed(folders) for file in files if file.suffix.lower() == ".pre"
    ]
    rest = [file for _, files in folders for file in files if file.suffix.lower() != ".pre"]
    return list(dict.fromkeys((*first, *rest)))


def signature(files: Iterable[Path]) -> tuple[tuple[str, int, int, int], ...]:
    """What changes when a file does: path, inode, size in octets, time in nanoseconds. A file that
    is gone counts as changed."""
    found = []
    for path in files:
        try:
            status = path.stat()
        except OSError:
            found.append((str(path), 0, -1, 0))
        else:
            found.append((str(path), status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


class RuleFiles:
    """The content of rule files, those that they include among them.

    paths: all that were read, for `signature`.
    """

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self._left = TOTAL_OCTETS

    def read(self, files: Iterable[Path]) -> list[tuple[str, bytes]]:
        """Name and content of each. Raises OSError, and ValueError where all of them are more than
        `TOTAL_OCTETS`."""
        return [found for path in files if (found := self._one(path))]

    def include(self, name: str, file: str) -> tuple[str, bytes] | None:
        """A `conf.read.Loader`: a relative name is in the folder of the file that includes it. None
        for a file that was read before, as SpamAssassin does it."""
        path = Path(name.encode("latin-1").decode("utf-8", "surrogateescape")).expanduser()
        return self._one(path if path.is_absolute() else Path(file).parent / path)

    def _one(self, path: Path) -> tuple[str, bytes] | None:
        if path in self.paths:
            return None
        content = read_regular(path, FILE_OCTETS)
        self._left -= len(content)
        if self._left < 0:
            raise ValueError(f"the files of rules have more than {TOTAL_OCTETS} octets")
        self.paths.append(path)
        return str(path), content


def load(
    files: Sequence[Path],
    *,
    evals: Collection[str] | None = None,
    missing: Mapping[str, str] = MappingProxyType({}),
    pattern_error: PatternTrouble | None = None,
    language: str = "en_US",
    use_network: bool = False,
) -> tuple[RuleSet, list[Path]]:
    """The rules of files that `find` gave, and all files that were read for it.

    The other arguments: as `conf.read.read` has them. Raises OSError and ValueError where a file
    cannot be read; what is wrong in it is in `RuleSet.problems`.
    """
    found = RuleFiles()
    include: Loader = found.include
    rule_set = read(
        found.read(files),
        include=include,
        language=language,
        evals=evals,
        missing=missing,
        pattern_error=pattern_error,
        use_network=use_network,
    )
    return rule_set, found.paths


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, by name. Raises OSError. Files that are not rules are left out."""
    if not folder.is_dir():
        return []
    found = [
        path for path in folder.iterdir() if path.is_dir() or path.suffix.lower() in (".cf", ".pre")
    ]
    if len(found) > FILES:
        raise ValueError(f"{folder}: more than {FILES} files")
    return sorted(found, key=lambda path: (path.name != _MAIN_CHANNEL, path.name.encode()))
