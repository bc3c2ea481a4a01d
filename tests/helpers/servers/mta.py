"""The MTAs under one face, so that a test says once what must hold behind all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from tests.helpers.servers import sendmail
from tests.helpers.servers.own_mta import OwnMta
from tests.helpers.servers.postfix import Postfix
from tests.helpers.servers.sendmail import Sendmail, input_mail_filter

Mta: TypeAlias = Sendmail | Postfix | OwnMta


def sendmail_with(folder: Path, *sockets: str, filterd: str = "") -> Sendmail:
    """sendmail with filterd's snippet (if its socket is given), then filters that are not ours."""
    lines = [input_mail_filter(f"other{n}", socket) for n, socket in enumerate(sockets)]
    return Sendmail(folder, (sendmail.snippet(filterd) if filterd else "") + "".join(lines))


def postfix_with(folder: Path, *sockets: str, filterd: str = "") -> Postfix:
    """Postfix with filterd, if its socket is given, and filters that are not ours behind it."""
    return Postfix(folder, f"smtpd_milters = {', '.join(filter(None, [filterd, *sockets]))}\n")


def own_with(folder: Path, *sockets: str, filterd: str = "") -> OwnMta:
    """The reference MTA with filterd, if its socket is given, and others behind it."""
    lines: Sequence[str] = [
        f"f{n}, S={socket}, F=T, T=C:30s;S:10s;R:60s;E:5m"
        for n, socket in enumerate(filter(None, [filterd, *sockets]))
    ]
    return OwnMta(folder, lines)


MTAS: Mapping[str, Callable[..., Mta]] = {
    "sendmail": sendmail_with,
    "postfix": postfix_with,
    "own": own_with,
}
"""By the name that a parametrised test shows."""
