"""A sendmail.cf on disk: read it, or make it of a sendmail.mc with m4."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from filterd.mta.cf.config import CfError, SendmailCf
from filterd.mta.cf.parser import EX_NOINPUT, parse
from filterd.mta.milters.settings import EX_CONFIG
from filterd.system.bounded import open_regular, read_regular

SIZE_LIMIT = 8 << 20
"""Octets of a configuration file, or of one that it names; a stock one has 60,000."""

M4_TIMEOUT = 60.0
"""Seconds for m4."""

CF_FOLDERS = (
    Path("/usr/share/sendmail/cf"),
    Path("/usr/share/sendmail-cf"),
    Path("/usr/lib/mail/cf"),
)
"""Where distributions install sendmail's m4 files (packages sendmail-cf, sendmail-base)."""


def read_cf(path: Path) -> SendmailCf:
    """Read a file. Raises CfError if sendmail would not start with it."""
    try:
        with open_regular(path) as file:
            text = file.read(SIZE_LIMIT + 1).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise CfError([f"{path}: line 0: cannot open: {error.strerror}"], EX_NOINPUT) from None
    return checked(parse_cf(text, str(path)))


def parse_cf(text: str, source: str = "sendmail.cf") -> SendmailCf:
    """Parse the text of a file and read the files that it names; mistakes are in `problems`."""
    return parse(text, source, lambda path: read_regular(path, SIZE_LIMIT))


def checked(cf: SendmailCf) -> SendmailCf:
    """The same. Raises CfError if it has problems."""
    if cf.problems:
        raise CfError(cf.problems + cf.hints, cf.status)
    return cf


def make_cf(mc: Path, cf_folder: Path | None = None) -> str:
    """Run m4 on a sendmail.mc and return the text of the sendmail.cf. Raises CfError."""
    folders = (cf_folder,) if cf_folder else CF_FOLDERS
    folder = next((one for one in folders if (one / "m4" / "cf.m4").is_file()), None)
    if folder is None:
        tried = ", ".join(map(str, folders))
        raise CfError(
            [
                f"{mc}: sendmail's m4 files are not in {tried}; "
                "Debian has them in the package sendmail-cf, others in sendmail-cf as well"
            ],
            EX_CONFIG,
        )
    m4 = shutil.which("m4")
    if m4 is None:
        raise CfError([f"{mc}: no m4 to run; it is in the package m4"], EX_CONFIG)
    try:
        done = subprocess.run(
            [m4, f"-D_CF_DIR_={folder}/", str(folder / "m4" / "cf.m4"), str(mc.resolve())],
            capture_output=True,
            cwd=folder / "cf",
            timeout=M4_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CfError([f"{mc}: m4: {error}"], EX_CONFIG) from None
    if done.returncode:
        raise CfError([f"{mc}: m4: {done.stderr.decode('utf-8', 'replace').strip()}"], EX_CONFIG)
    return done.stdout.decode("utf-8", "surrogateescape")
