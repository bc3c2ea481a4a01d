"""sendmail's m4 files as installed: where they are, and what they know.

Everything is read from the files themselves, so that it fits their release.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from filterd.mta.mc.scan import names_in
from filterd.system.bounded import read_regular

FILE_LIMIT = 1 << 20
"""Octets of one of the files; the largest, proto.m4, has 80,000."""

FOLDERS = (
    Path("/usr/share/sendmail/cf"),
    Path("/usr/share/sendmail-cf"),
    Path("/usr/lib/mail/cf"),
)
"""Where distributions install them (packages sendmail-cf, sendmail-base)."""

KINDS = {
    "FEATURE": "feature",
    "MAILER": "mailer",
    "OSTYPE": "ostype",
    "DOMAIN": "domain",
    "HACK": "hack",
}
"""The directives that include a file, and the folder that it is in."""


class NoMacrosError(Exception):
    """The files are not there; the text says where they were looked for."""


@dataclass(frozen=True)
class MacroFiles:
    """The folder with `m4/cf.m4` in it."""

    folder: Path

    @classmethod
    def find(cls, folder: Path | None = None) -> MacroFiles:
        """Those in the folder, or the installed ones. Raises NoMacrosError."""
        folders = (folder,) if folder else FOLDERS
        for one in folders:
            if (one / "m4" / "cf.m4").is_file():
                return cls(one.resolve())
        tried = ", ".join(map(str, folders))
        raise NoMacrosError(
            f"sendmail's m4 files are not in {tried}: there is no m4/cf.m4. Debian has them in the "
            "package sendmail-cf, others too; --macros names another folder, and for the page "
            "`sendmail_macros` in [web]"
        )

    def choices(self, directive: str) -> list[str]:
        """What the directive (a key of KINDS) may name."""
        return sorted(one.stem for one in (self.folder / KINDS[directive]).glob("*.m4"))

    def file(self, directive: str, name: str) -> Path:
        """The file that the directive includes."""
        return self.folder / KINDS[directive] / f"{name}.m4"

    def text(self, path: Path) -> str:
        """The text of a file, empty if it cannot be read."""
        try:
            return read_regular(path, FILE_LIMIT).decode("utf-8", "surrogateescape")
        except OSError:
            return ""

    @cached_property
    def core(self) -> str:
        """cf.m4, cfhead.m4 and proto.m4, which every mc file goes through."""
        names = ("cf.m4", "cfhead.m4", "proto.m4")
        return "\n".join(self.text(self.folder / "m4" / name) for name in names)

    @cached_property
    def directives(self) -> frozenset[str]:
        """The macros that an mc file may call."""
        return frozenset(re.findall(r"\bdefine\(`(\w+)'", self.core)) | {"VERSIONID"}

    @cached_property
    def everything(self) -> str:
        """The text of all files."""
        folders = (*KINDS.values(), "siteconfig")
        paths = (path for folder in folders for path in sorted((self.folder / folder).glob("*.m4")))
        return "\n".join((self.core, *map(self.text, paths)))

    @cached_property
    def names(self) -> frozenset[str]:
        """Every word in the files that an mc file may define to some effect."""
        return frozenset(names_in(self.everything))

    @cached_property
    def options(self) -> dict[str, str]:
        """The option of sendmail.cf that each define sets: confTO_IDENT → Timeout.ident."""
        return {
            define: option
            for option, define in re.findall(r"_OPTION\(([\w.-]+), `(\w+)'", self.core)
        }

    @cached_property
    def class_lines(self) -> dict[str, str]:
        """Directives that make one line of their argument, and what it begins with:
        EXPOSED_USER → C{E}."""
        found = re.findall(r"define\(`(\w+)', `PUSHDIVERT\(\d\)([CF]\{\w+\})\$1", self.core)
        return dict(found)
