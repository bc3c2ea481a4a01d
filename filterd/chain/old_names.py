"""Modules under the names that plugins of before the rooms import.

A site's own filter that says `from filterd.verdict import Verdict` goes on working; `filterd check`
tells which names it should use. Only what the documentation named for plugins is here.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

MODULES = {
    "filterd.budget": "filterd.chain.budget",
    "filterd.verdict": "filterd.chain.verdict",
}
"""Old name → new name."""

ENTRY_POINTS = {
    "filterd.filters.bayes:Bayes": "filterd.filters.bayes.settings:BayesSettings",
    "filterd.filters.clamav:ClamAV": "filterd.filters.clamav.settings:ClamAVSettings",
    "filterd.filters.gtube:Gtube": "filterd.filters.gtube:GtubeSettings",
    "filterd.filters.parts:Parts": "filterd.filters.parts.settings:PartsSettings",
    "filterd.filters.senders:Senders": "filterd.filters.senders.settings:SendersSettings",
    "filterd.filters.sklearn:Sklearn": "filterd.filters.sklearn.settings:SklearnSettings",
}
"""Entry point in an installation's metadata from before → as it is now. The metadata of an editable
installation stays as it is, whatever becomes of its files, until somebody installs it again."""

used: set[str] = set()
"""Old names that were imported in this process."""


class _OldNames(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module by its old name; see importlib's "Finders and loaders"."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  # the signature is importlib's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """The loader's word for it, None for any other module."""
        if fullname not in MODULES:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of the new name into the place of the empty one."""
        used.add(module.__name__)
        sys.modules[module.__name__] = importlib.import_module(MODULES[module.__name__])


def install() -> None:
    """Make the old names importable; again does nothing."""
    if not any(isinstance(finder, _OldNames) for finder in sys.meta_path):
        sys.meta_path.append(_OldNames())


def warnings() -> list[str]:
    """A sentence for each old name that a plugin imported."""
    return [
        f"a plugin imports {name}, which is now {MODULES[name]}; the old name will be removed"
        for name in sorted(used)
    ]
