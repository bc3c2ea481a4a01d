"""The user with whose rights programs run and lists are read, where nobody else is named."""

from __future__ import annotations

import grp
import pwd

_NOBODY = 1, 1
"""DefaultUser without an option."""


def default_user(option: str) -> tuple[int, int]:
    """User and group id of `O DefaultUser`: `mail:mail`, `8:12`, `mailnull`; 1 and 1 if it is not
    set, or names nobody (sendmail's installation and operation guide, 5.6)."""
    user, _, group = option.replace(".", ":").partition(":")
    try:
        uid = int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
        if group:
            gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
        else:
            gid = pwd.getpwuid(uid).pw_gid
    except KeyError:
        return _NOBODY
    return uid, gid
