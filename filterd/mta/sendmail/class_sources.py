"""What F lines name on this machine: files that can be trusted, maps, and programs if allowed."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filterd.mta.cf.class_sources import ClassSources, ClassValue, UnaskedError
from filterd.mta.cf.config import MapLine, SendmailCf
from filterd.mta.cf.lookup import EX_NOTFOUND, EX_OK
from filterd.mta.maps.safety import Owner, trouble_with
from filterd.mta.sendmail.default_user import default_user
from filterd.system.bounded import read_regular

SIZE_LIMIT = 8 << 20
"""Octets of a file, or of what a program prints."""

PROGRAM_TIMEOUT = 60.0
"""Seconds for a program; sendmail waits for ever."""

PROGRAM_FOLDER = "/tmp"  # noqa: S108  # nothing is written there
"""Where programs run."""


class MachineClasses(ClassSources):
    """allows_programs: whether programs are run, of F lines and of maps."""

    def __init__(self, *, allows_programs: bool = False) -> None:
        super().__init__(lambda path: read_regular(path, SIZE_LIMIT))
        self._allows_programs = allows_programs

    def file(self, path: Path, cf: SendmailCf) -> bytes:
        # They are read before the program becomes RunAsUser.
        owner = Owner.of(cf).before_run_as()
        if trouble := trouble_with(str(path), owner, owner.class_checks()):
            raise OSError(0, trouble, str(path))
        return super().file(path, cf)

    def program(self, words: Sequence[str], cf: SendmailCf) -> bytes:
        if not self._allows_programs:
            raise UnaskedError("programs are not run without --allow-programs")
        if not words[0].startswith("/"):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), words[0])
        as_user: dict[str, object] = {}
        if os.geteuid() == 0:
            uid, gid = default_user(cf.option("DefaultUser"))
            as_user = {"user": uid, "group": gid, "extra_groups": []}
        try:
            with tempfile.TemporaryFile() as output:
                subprocess.run(  # type: ignore[call-overload]
                    [os.fsencode(word) for word in words],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.DEVNULL,
                    env={"AGENT": "sendmail", **cf.environment},
                    cwd=PROGRAM_FOLDER,
                    timeout=PROGRAM_TIMEOUT,
                    check=False,
                    **as_user,
                )
                output.seek(0)
                return output.read(SIZE_LIMIT)
        except subprocess.TimeoutExpired:
            raise OSError(0, f"no answer within {PROGRAM_TIMEOUT:g} s") from None
        except ValueError as error:
            raise OSError(0, str(error)) from None

    def look_up(self, line: MapLine, key: str, cf: SendmailCf) -> ClassValue:
        # The daemon reads an MTA's file as well, and needs no resolver for that.
        from filterd.mta.maps.opening import MapSite, SiteMaps  # noqa: PLC0415

        maps = SiteMaps(cf, cf.program.definitions, MapSite(self._allows_programs))
        for one in cf.maps.values():
            maps.define(one.name, one.type, one.arguments)
        problems = maps.define(line.name, line.type, line.arguments)
        found = maps.find(line.name)
        assert found is not None
        told = [(text, False) for text in found.options.told]
        told += [(text, True) for text in problems]
        if problems or not found.options.is_valid:
            return ClassValue(told=tuple(told))
        opening = found.open()
        told += [(text, True) for text in opening.complaint.split("\n") if text]
        if not opening.is_open:
            return ClassValue(told=tuple(told))
        answer = found.lookup(key)
        told += [(text, True) for text in answer.complaint.split("\n") if text]
        failed = ""
        if answer.status not in (EX_OK, EX_NOTFOUND):
            failed = "open" if opening.trouble else "lookup"
        return ClassValue(None if failed else answer.value, tuple(told), failed)
