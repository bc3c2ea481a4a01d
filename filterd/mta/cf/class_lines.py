"""F lines: words of a class from a file, a program or a map.

    Fw/etc/mail/local-host-names    a word of each line
    Fw-o /etc/mail/file %[^#]       it need not be there; a format of scanf
    Fw|/usr/local/bin/hosts         what a program prints
    Fwkey@hash:-o /etc/mail/table   what a map has for the key
    F{VirtHost}@LDAP                the same of LDAP, by sendmail's own schema

Source: sendmail 8.17 `readcf.c` (readcf, fileclass); observed.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path

from filterd.mta.cf.class_files import fields
from filterd.mta.cf.class_sources import ClassSources, UnaskedError
from filterd.mta.cf.config import MapLine, SendmailCf
from filterd.mta.cf.marks import Complain, octets, readable
from filterd.mta.cf.names import MAP_TYPES

EX_NOINPUT = 66

MAX_WORDS = 256
"""Words of a command, MAXPV."""

SPACES = " \t\n\v\f\r"

LDAP_SPEC = (
    "-k (&(objectClass=sendmailMTAClass)(sendmailMTAClassName={name})"
    "(|(sendmailMTACluster={cluster})(sendmailMTAHost={host})))"
    " -v sendmailMTAClassValue,sendmailMTAClassSearch:FILTER:sendmailMTAClass,"
    "sendmailMTAClassURL:URL:sendmailMTAClass"
)
"""What `@LDAP` asks for, `cf/README` (USING LDAP FOR ALIASES, MAPS, AND CLASSES)."""


class ClassLineReader:
    """Reads the F lines of one configuration. bad: an error, with its exit status; tell: a mere
    message."""

    def __init__(
        self, cf: SendmailCf, sources: ClassSources, bad: Callable[..., None], tell: Complain
    ) -> None:
        self._cf, self._sources, self._bad, self._tell = cf, sources, bad, tell

    def read(self, code: str, rest: str) -> None:
        """code: the character for the class. rest: the line behind its name, with marks."""
        text = rest.lstrip(SPACES)
        optional = text.startswith("-o")
        if optional:
            text = re.sub(r"^\S*\s*", "", text)
        if _is_map(text):
            self._ask_map(code, text, optional=optional)
            return
        name, form = _file_name(text)
        if not name:
            self._bad("fileclass: missing file name")
        elif name.startswith("|"):
            self._run(code, name, optional=optional)
        else:
            self._read_file(code, name, form or "%s", optional=optional)

    def _read_file(self, code: str, name: str, form: str, *, optional: bool) -> None:
        try:
            data = self._sources.file(Path(self._plain(name)), self._cf)
        except OSError as error:
            if not optional:
                self._bad(f"fileclass: cannot open '{name}': {_trouble(error)}", EX_NOINPUT)
            return
        self._add_fields(code, data, form)

    def _run(self, code: str, command: str, *, optional: bool) -> None:
        words = self._plain(command[1:]).split()[:MAX_WORDS]
        if not words:
            return
        try:
            data = self._sources.program(words, self._cf)
        except UnaskedError as error:
            named = self._cf.program.names.name(code)
            self._bad(f"fileclass: {error} for class {named}: {command}")
        except OSError as error:
            if not optional:
                self._bad(f"fileclass: cannot open '{command}': {_trouble(error)}", EX_NOINPUT)
        else:
            self._add_fields(code, data, "%s")

    def _add_fields(self, code: str, data: bytes, form: str) -> None:
        for word in fields(data.decode("ascii", "surrogateescape"), form):
            self._cf.program.classes.add(code, word)

    def _ask_map(self, code: str, text: str, *, optional: bool) -> None:
        key, _, spec = text.partition("@")
        named = self._cf.program.names.name(code)
        if spec == "LDAP":
            type, arguments = "ldap", self._ldap(named)
        else:
            type, _, arguments = spec.partition(":")
        if type.lower() not in MAP_TYPES:
            self._bad(f"fileclass: F{{{named}}}: class {type} not available")
            return
        line = MapLine(named, type.lower(), self._plain(arguments))
        try:
            found = self._sources.look_up(line, self._plain(key), self._cf)
        except UnaskedError as error:
            self._bad(f"fileclass: F{{{named}}}: {error} for classes: {text}")
            return
        for words, is_error in found.told:
            (self._bad if is_error else self._tell)(octets(words))
        if found.failed and not optional:
            self._bad(f"fileclass: F{{{named}}}: map {found.failed} failed")
        for word in octets(found.value or "").split():
            self._cf.program.classes.add(code, word)

    def _ldap(self, name: str) -> str:
        definitions = self._cf.program.definitions
        host = definitions.expand(definitions.get("j") or "", self._tell)
        cluster = definitions.expand(definitions.get("sendmailMTACluster") or "", self._tell)
        return LDAP_SPEC.format(name=name, cluster=cluster, host=host or "localhost")

    def _plain(self, text: str) -> str:
        return readable(self._cf.program.names.without_marks(text))


def _is_map(text: str) -> bool:
    """Whether it is `key@class:…` or `key@LDAP`, and not a file or a program."""
    key, at, spec = text.partition("@")
    if not at or key.startswith(("/", "|")):
        return False
    return spec == "LDAP" or (not spec.startswith(":") and ":" in spec)


def _trouble(error: OSError) -> str:
    """What sendmail says of a class's file that cannot be read."""
    return (
        "Regular files only"
        if error.errno in (errno.EISDIR, errno.EINVAL)
        else error.strerror or ""
    )


def _file_name(text: str) -> tuple[str, str]:
    """The name in an F line, which may be in quotes, and the rest behind a blank."""
    out: list[str] = []
    quoted = escaped = False
    at = 0
    while at < len(text):
        one = text[at]
        at += 1
        if one == " " and not quoted:
            break
        if escaped:
            escaped = False
            if one != " ":
                out.append("\\")
        if one == "\\":
            escaped = True
        elif one == '"':
            quoted = not quoted
        else:
            out.append(one)
    return "".join(out), text[at:].strip(SPACES)
