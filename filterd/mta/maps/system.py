"""Maps that ask the system: user (passwd), program, userdb."""

from __future__ import annotations

import logging
import os
import pwd
import subprocess
import tempfile
from collections.abc import Callable, Sequence

from filterd.mta.cf.lookup import EX_OK, MapAnswer
from filterd.mta.cf.map_options import MapOptions
from filterd.mta.maps.base import (
    EX_CONFIG,
    NO_COMPLAINT,
    BaseMap,
    MapError,
    MapValue,
    octets,
)
from filterd.mta.maps.database import DatabaseMap

EX_NOUSER = 67

PROGRAM_TIMEOUT = 60.0
"""Seconds for a program; sendmail waits for ever."""

OUTPUT_LIMIT = 2047
"""Octets of a program's answer; the rest of the line is not looked at (MAXLINE)."""

ARGUMENT_LIMIT = 38
"""Words between a program and the key, MAXPV."""

SAFE_PATH = "/bin:/usr/bin:/usr/local/bin:/sbin:/usr/sbin"

_log = logging.getLogger(__name__)

_COLUMNS: dict[str, Callable[[pwd.struct_passwd], str]] = {
    "name": lambda user: user.pw_name,
    "passwd": lambda _: "x",
    "uid": lambda user: str(user.pw_uid),
    "gid": lambda user: str(user.pw_gid),
    "gecos": lambda user: user.pw_gecos.partition(",")[0],
    "dir": lambda user: user.pw_dir,
    "shell": lambda user: user.pw_shell,
}


class UserMap(BaseMap):
    """Users of the system; `-v` names the field."""

    def _open(self) -> tuple[str, int]:
        column = self.options.value_column
        if column is not None and column.lower() not in _COLUMNS:
            raise MapError(f"User map {self.options.name}: unknown column name {column}")
        return NO_COMPLAINT

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        try:
            user = pwd.getpwnam(key)
        except (KeyError, ValueError):
            return MapAnswer(None, EX_NOUSER)
        column = (self.options.value_column or "name").lower()
        value = os.fsencode(_COLUMNS[column](user))
        return self._value(key, arguments, MapValue(value, f"user {user.pw_name}"))


class ProgramMap(BaseMap):
    """Runs a program with the key as its last argument and takes the first line of its output.

    No shell is involved. user: number of the user and group it runs as, None for this process's.
    """

    def __init__(
        self,
        options: MapOptions,
        user: Callable[[], tuple[int, int] | None],
        *,
        is_allowed: bool,
    ) -> None:
        super().__init__(options)
        self._user = user
        self._is_allowed = is_allowed

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        name, file = self.options.name, self.options.file
        if not self._is_allowed:
            raise MapError(f'program map "{name}": programs are not allowed, {file} is not run')
        words = self.options.rest.split()[:ARGUMENT_LIMIT]
        command = [octets(one) for one in (file, *words, key)]
        as_user: dict[str, object] = {}
        if os.geteuid() == 0 and (user := self._user()) is not None:
            as_user = {"user": user[0], "group": user[1], "extra_groups": []}
        try:
            with tempfile.TemporaryFile() as output:
                done = subprocess.run(  # type: ignore[call-overload]
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    env={"PATH": SAFE_PATH, "AGENT": "sendmail"},
                    cwd="/",
                    timeout=PROGRAM_TIMEOUT,
                    check=False,
                    **as_user,
                )
                output.seek(0)
                data = output.read(OUTPUT_LIMIT)
        except subprocess.TimeoutExpired:
            raise MapError(
                f"prog_map_lookup({name}): no answer within {PROGRAM_TIMEOUT:g} s"
            ) from None
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", "") or str(error)
            _log.warning("program map %s: %s: cannot exec: %s", name, file, said)
            return MapAnswer(None, EX_CONFIG)
        if done.returncode < 0:
            raise MapError(f"prog_map_lookup({name}): child died on signal {-done.returncode}")
        if done.returncode:
            return MapAnswer(None, done.returncode)
        if not data:
            return MapAnswer(None, EX_OK)
        return self._value(key, arguments, MapValue(data.partition(b"\n")[0], file))


class UserdbMap(BaseMap):
    """The databases of `O UserDatabaseSpec`: entries `name:field`, field being the argument."""

    def __init__(self, options: MapOptions, databases: Callable[[], list[DatabaseMap]]) -> None:
        super().__init__(options)
        self._databases = databases
        self._opened: list[DatabaseMap] | None = None

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        if self._opened is None:
            self._opened = self._databases()
        for one in self._opened:
            answer = one.lookup(f"{key}:{self.options.file}")
            if answer.value is not None:
                return self._value(key, arguments, MapValue(octets(answer.value), answer.entry))
            if answer.status != EX_OK:
                return answer
        return MapAnswer(None, EX_OK)
