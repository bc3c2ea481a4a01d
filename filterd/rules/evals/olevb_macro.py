"""OLEVBMacro: macros, objects and encryption in attached Office files.

Source: Mail::SpamAssassin::Plugin::OLEVBMacro(3).
"""

from __future__ import annotations

import re

from filterd.rules.conf.rule import RulePattern
from filterd.rules.evals.office_file import (
    OfficeFindings,
    fetches_program,
    is_archive,
    is_encrypted,
    is_ole,
    member_content,
    members,
    read_new,
    read_old,
)
from filterd.rules.evals.registry import Plugin
from filterd.rules.patterns import Compiled, compile_pattern
from filterd.rules.view.parts import PartView
from filterd.rules.view.view import View

# Option → its value without a line of the site's.
_DEFAULTS = {
    "olemacro_num_mime": "5",
    "olemacro_num_zip": "8",
    "olemacro_zip_depth": "2",
    "olemacro_extended_scan": "0",
    "olemacro_prefer_contentdisposition": "1",
    "olemacro_max_file": "1024000",
    "olemacro_exts": "(?:docx?|dot|pot|pp[ast]|rtf|sldm|xl|xl[ast]|xlsx|xltx|xslb)$",
    "olemacro_macro_exts": "(?:do[ct]m|pp[ast]m|potm|ppst|sldm|xl[mb]|xlam|xls[bm]|xltm|xps)$",
    "olemacro_skip_exts": "(?:dotx|potx|pp[st]x|sldx)$",
    "olemacro_skip_ctypes": "^text/",
    "olemacro_zips": "zip$",
    "olemacro_download_marker": r"cmd(?:\.exe)? /c ms\^h\^ta ht\^tps?:/\^/",
}

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::OLEVBMacro", *_DEFAULTS)

_NAME = re.compile(rb"name\s*+=\s*+[\"']?([^\"';]*+)", re.IGNORECASE)
_FILE_NAME = re.compile(rb"filename\s*+=\s*+[\"']?([^\"';]*+)", re.IGNORECASE)
_CSV_COMMAND = re.compile(rb"MSEXCEL\|[^\n]{1,20}Windows\\System32\\cmd\.exe")


class _MacroScan:
    """One look at all parts of a message."""

    def __init__(self, view: View) -> None:
        self._options = {
            name: lines[-1].value if (lines := view.options.get(name)) else default
            for name, default in _DEFAULTS.items()
        }
        self.found = OfficeFindings()
        left = int(self._options["olemacro_num_mime"])
        for part in view.parts.leaves():
            name = self._name(part) if left > 0 else b""
            if name and self._look_at(
                name, part.content[: int(self._options["olemacro_max_file"])]
            ):
                left -= 1

    def _matches(self, option: str, text: bytes) -> bool:
        return self._pattern(option).search(text) is not None

    def _pattern(self, option: str) -> Compiled:
        return compile_pattern(RulePattern(self._options[option], "i"))

    def _is_on(self, option: str) -> bool:
        return self._options[option].strip() not in ("", "0")

    def _name(self, part: PartView) -> bytes:
        """The name of a part that is to be looked at, else `b""`."""
        kind = part.header(b"content-type")
        encoding = part.header(b"content-transfer-encoding").lower()
        if self._matches("olemacro_skip_ctypes", part.type.encode()) or not kind:
            return b""
        if encoding not in (b"base64", b"quoted-printable"):
            return b""
        typed = _NAME.search(kind)
        disposed = _FILE_NAME.search(part.header(b"content-disposition"))
        names = [found[1].rstrip() if found is not None else b"" for found in (disposed, typed)]
        if not self._is_on("olemacro_prefer_contentdisposition"):
            names.reverse()
        return names[0] or names[1]

    def _look_at(self, name: bytes, data: bytes, depth: int = 0) -> bool:
        """Look at a file; True if there was anything to look for."""
        names = self.found.names
        if not data or self._matches("olemacro_skip_exts", name):
            return False
        if name.lower().endswith(b".csv") and _CSV_COMMAND.search(data) is not None:
            names.add("csv")
        if self._matches("olemacro_zips", name):
            self._look_into(name, data, depth)
        elif self._matches("olemacro_macro_exts", name):
            names.add("macro")
            self._read(name, data, old=False)
            self._look_for_download(data)
        elif self._matches("olemacro_exts", name):
            self._read(name, data, old=True)
            self._look_for_download(data)
        elif self._is_on("olemacro_extended_scan"):
            if self._read(name, data, old=True) or is_ole(data):
                names.add("renamed")
                self._look_for_download(data)
            self._look_into(name, data, depth)
        else:
            return False
        return True

    def _read(self, name: bytes, data: bytes, *, old: bool) -> bool:
        encrypted = is_encrypted(data)
        if encrypted:
            self.found.names.add("encrypted")
        has_marks = old and read_old(data, self.found)
        return read_new(name, data, self.found) or has_marks or encrypted

    def _look_for_download(self, data: bytes) -> None:
        if fetches_program(data) or self._matches("olemacro_download_marker", data):
            self.found.names.add("download")

    def _look_into(self, name: bytes, data: bytes, depth: int) -> None:
        left = int(self._options["olemacro_num_zip"])
        if depth >= int(self._options["olemacro_zip_depth"]) or not is_archive(name, data):
            return
        opened = members(data)
        archive, infos = opened if opened is not None else (None, [])
        for info in infos:
            inner = info.filename.encode("utf-8", "replace")
            if left <= 0 or archive is None or self._matches("olemacro_skip_exts", inner):
                continue
            if info.flag_bits & 1:
                if self._matches("olemacro_macro_exts", inner):
                    self.found.names.add("macro")
                self.found.names.add("zip_password")
                continue
            if self._is_wanted(inner):
                left -= self._look_at(inner, member_content(archive, info) or b"", depth + 1)

    def _is_wanted(self, name: bytes) -> bool:
        """True if a member of that name is worth unpacking."""
        if self._is_on("olemacro_extended_scan") or name.lower().endswith(b".csv"):
            return True
        options = ("olemacro_zips", "olemacro_macro_exts", "olemacro_exts")
        return any(self._matches(option, name) for option in options)


def office_findings(view: View) -> OfficeFindings:
    """What was found in the Office files of a message, looked for once."""
    found = view.notes.get("olevb_macro")
    if not isinstance(found, OfficeFindings):
        found = view.notes["olevb_macro"] = _MacroScan(view).found
    return found


@PLUGIN.test("check_olemacro")
def check_olemacro(view: View) -> bool:
    """A file has macros."""
    return "macro" in office_findings(view).names


@PLUGIN.test("check_oleobject")
def check_oleobject(view: View) -> bool:
    """A spreadsheet has an embedded object."""
    return "object" in office_findings(view).names


@PLUGIN.test("check_olertfobject")
def check_olertfobject(view: View) -> bool:
    """A text document has an RTF file in it."""
    return "rtf_object" in office_findings(view).names


@PLUGIN.test("check_olemacro_csv")
def check_olemacro_csv(view: View) -> bool:
    """A CSV file starts a command."""
    return "csv" in office_findings(view).names


@PLUGIN.test("check_olemacro_malice")
def check_olemacro_malice(view: View) -> bool:
    """A file has macros that start when it is opened."""
    return "malice" in office_findings(view).names


@PLUGIN.test("check_olemacro_renamed")
def check_olemacro_renamed(view: View) -> bool:
    """An Office file is called otherwise; only with `olemacro_extended_scan 1`."""
    return "renamed" in office_findings(view).names


@PLUGIN.test("check_olemacro_encrypted")
def check_olemacro_encrypted(view: View) -> bool:
    """A file is encrypted."""
    return "encrypted" in office_findings(view).names


@PLUGIN.test("check_olemacro_zip_password")
def check_olemacro_zip_password(view: View) -> bool:
    """A member of an archive is encrypted."""
    return "zip_password" in office_findings(view).names


@PLUGIN.test("check_olemacro_download_exe")
def check_olemacro_download_exe(view: View) -> bool:
    """A file fetches a program."""
    return "download" in office_findings(view).names


@PLUGIN.test("check_olemacro_redirect_uri")
def check_olemacro_redirect_uri(view: View) -> bool:
    """A file is made of a web page's content."""
    return bool(office_findings(view).links)


@PLUGIN.test("check_olemacro_mhtml_uri")
def check_olemacro_mhtml_uri(view: View) -> bool:
    """A file refers to a page as MHTML."""
    return bool(office_findings(view).mhtml)
