"""Which files sendmail trusts: no folder above them that others may write to, no links there.

Whoever may write into a folder may replace a map in it, and with it where mail goes. The option
DontBlameSendmail allows single kinds. Source: sendmail 8.17 `safefile.c`; the reasons are its own.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import stat
from dataclasses import dataclass, replace
from enum import Flag, auto
from pathlib import Path

from filterd.mta.cf.config import SendmailCf

LINK_DEPTH = 40
"""Links to links that are followed; Linux has the same limit."""


class Check(Flag):
    """What is asked of a file, sendmail's SFF_ flags."""

    NONE = 0
    REGULAR = auto()
    NO_SYMLINK = auto()
    NO_HARDLINK = auto()
    NO_LINK_IN_WRITABLE_FOLDER = auto()
    SAFE_FOLDERS = auto()
    NO_GROUP_WRITABLE = auto()
    NO_WORLD_WRITABLE = auto()
    ROOT_AS_ANYBODY = auto()


@dataclass(frozen=True, slots=True)
class Owner:
    """The user as whom maps are read, and what DontBlameSendmail allows him.

    real_uid: who started the program; for an ordinary user who runs as himself folders are not
    checked. trusted_uid: of TrustedUser, whose files root takes for its own. blame: words of
    DontBlameSendmail in lower case.
    """

    uid: int
    gid: int
    name: str
    real_uid: int
    trusted_uid: int = 0
    blame: frozenset[str] = frozenset()

    @classmethod
    def of(cls, cf: SendmailCf) -> Owner:
        """Whoever runs this, or `O RunAsUser` where root does."""
        real = os.getuid()
        uid, gid = real, os.getgid()
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = str(uid)
        wanted = cf.expand(cf.option("RunAsUser"))
        if real == 0 and wanted:
            user, _, group = re.sub(r"[.:/]", ":", wanted, count=1).partition(":")
            try:
                entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
                uid, gid, name = entry.pw_uid, entry.pw_gid, entry.pw_name
            except KeyError:
                uid = int(user) if user.isdecimal() else uid
            if group:
                gid = group_number(group, gid)
        words: set[str] = set()
        for value in cf.options.get("DontBlameSendmail", []):
            for word in re.findall(r"[A-Za-z0-9]+", value.lower()):
                words = set() if word == "safe" else words | {word}
        return cls(uid, gid, name, real, _trusted_uid(cf), frozenset(words))

    def before_run_as(self) -> Owner:
        """The same where RunAsUser does not count."""
        return replace(self, uid=0, gid=0, name="root") if self.real_uid == 0 else self

    def map_checks(self) -> Check:
        """What a map file must be to be read."""
        checks = Check.REGULAR
        if "linkedmapinwritabledir" not in self.blame:
            checks |= Check.NO_LINK_IN_WRITABLE_FOLDER
        if "mapinunsafedirpath" not in self.blame:
            checks |= Check.SAFE_FOLDERS
        return checks

    def class_checks(self) -> Check:
        """What a file of words for a class must be to be read."""
        checks = Check.REGULAR
        if "linkedclassfileinwritabledir" not in self.blame:
            checks |= Check.NO_LINK_IN_WRITABLE_FOLDER
        if "classfileinunsafedirpath" not in self.blame:
            checks |= Check.SAFE_FOLDERS
        return checks


def _trusted_uid(cf: SendmailCf) -> int:
    name = cf.expand(cf.option("TrustedUser"))
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        return 0


def group_number(text: str, default: int) -> int:
    """The number of a group that is given by name or number, else the default."""
    try:
        return int(text) if text.isdecimal() else grp.getgrnam(text).gr_gid
    except KeyError:
        return default


def trouble_with(path: str, owner: Owner, checks: Check, mode: int = stat.S_IRUSR) -> str:
    """Why a file is not used, empty if it is fine. mode: rights of the owner that are needed."""
    if owner.real_uid != 0 and owner.uid == owner.real_uid:
        checks &= ~Check.SAFE_FOLDERS
    folder = path.rpartition("/")[0] if "/" in path else "."
    try:
        found = os.stat(path, follow_symlinks=Check.NO_SYMLINK not in checks)  # noqa: PTH116
        missing = ""
    except (OSError, ValueError) as error:
        found, missing = None, getattr(error, "strerror", "") or str(error)
    is_checked = False
    if Check.NO_LINK_IN_WRITABLE_FOLDER in checks and Check.SAFE_FOLDERS not in checks:
        if trouble_with_folder(folder, owner, is_strict=True):
            checks |= Check.NO_SYMLINK | Check.NO_HARDLINK
            if found is not None:
                found = os.lstat(path)
        else:
            is_checked = True
    if not is_checked and (
        trouble := trouble_with_folder(folder, owner, is_strict=Check.SAFE_FOLDERS in checks)
    ):
        return trouble
    if found is None:
        return missing
    return _trouble_with_mode(found, owner, checks, mode)


def _trouble_with_mode(found: os.stat_result, owner: Owner, checks: Check, mode: int) -> str:
    if Check.NO_SYMLINK in checks and stat.S_ISLNK(found.st_mode):
        return "Symbolic links not allowed"
    if Check.REGULAR in checks and not stat.S_ISREG(found.st_mode):
        return "Regular files only"
    if Check.NO_GROUP_WRITABLE in checks and found.st_mode & stat.S_IWGRP:
        return "Group writable file"
    if Check.NO_WORLD_WRITABLE in checks and found.st_mode & stat.S_IWOTH:
        return "World writable file"
    if Check.NO_HARDLINK in checks and found.st_nlink != 1:
        return "Hard links not allowed"
    if owner.uid == 0 and Check.ROOT_AS_ANYBODY in checks:
        mode >>= 6
    elif not _owns(owner, found):
        mode >>= 3
        if found.st_gid != owner.gid and not _is_member(owner, found.st_gid):
            mode >>= 3
    # This holds for root as well: a file that its owner hides from others is not read.
    return "" if found.st_mode & mode == mode else os.strerror(errno.EACCES)


def _owns(owner: Owner, found: os.stat_result) -> bool:
    return found.st_uid == owner.uid or (owner.uid == 0 and found.st_uid == owner.trusted_uid)


def _is_member(owner: Owner, gid: int) -> bool:
    try:
        return owner.name in grp.getgrgid(gid).gr_mem
    except KeyError:
        return False


def writable_folders(path: str, owner: Owner) -> list[str]:
    """What sendmail warns of when root uses a file: folders above it that others may write to."""
    found: list[str] = []
    folder = path.rpartition("/")[0] if "/" in path else "."
    trouble_with_folder(folder or "/", owner, is_strict=False, warnings=found)
    return found


def trouble_with_folder(
    folder: str,
    owner: Owner,
    *,
    is_strict: bool,
    depth: int = 0,
    warnings: list[str] | None = None,
) -> str:
    """Why a folder, or one above it, is not trusted; links are followed. Empty if it is fine.

    is_strict: folders that others may write to are not trusted; else they are only warned of.
    """
    if depth > LINK_DEPTH:
        return os.strerror(errno.ELOOP)
    forbidden = stat.S_IWOTH
    if "groupwritabledirpathsafe" not in owner.blame:
        forbidden |= stat.S_IWGRP
    path = Path(folder or "/")
    for one in (*reversed(path.parents), path):
        if one.name == "..":
            continue
        try:
            found = os.lstat(one)
            if stat.S_ISLNK(found.st_mode):
                target = str(one.parent / one.readlink())
                if trouble := trouble_with_folder(
                    target, owner, is_strict=is_strict, depth=depth + 1, warnings=warnings
                ):
                    return trouble
                continue
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", "") or str(error)
        is_sticky = "truststickybit" in owner.blame and found.st_mode & stat.S_ISVTX
        if not is_sticky and found.st_mode & forbidden:
            kind = "World" if found.st_mode & stat.S_IWOTH else "Group"
            if is_strict:
                return f"{kind} writable directory"
            if warnings is not None:
                warnings.append(f"{kind} writable directory {one}")
        if os.geteuid() == 0 and not _may_enter(found, owner):
            return os.strerror(errno.EACCES)
    return ""


def _may_enter(found: os.stat_result, owner: Owner) -> bool:
    if found.st_uid == owner.uid and found.st_mode & stat.S_IXUSR:
        return True
    if found.st_mode & stat.S_IXGRP and (
        found.st_gid == owner.gid or _is_member(owner, found.st_gid)
    ):
        return True
    return bool(found.st_mode & stat.S_IXOTH)
