"""AntiVirus: parts that are programs, and names that do not fit what they are said to be.

Source: Mail::SpamAssassin::Plugin::AntiVirus(3). Filters `clamav`, `scanners` and `parts` look
deeper.
"""

from __future__ import annotations

import re

from filterd.rules.evals.registry import Plugin
from filterd.rules.view.content_type import parse_content_type
from filterd.rules.view.parts import PartView
from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::AntiVirus")

_PROGRAMS = frozenset(
    b"ade adp asx bas bat chm cmd com cpl crt dll exe hlp hta inf ins isp js jse lnk mda mdb mde"
    b" mdt mdw mdz msc msi msp mst nws ops pcd pif prf reg scf scr scr? sct shb shs shm swf url vb"
    b" vbe vbs vbx vxd wsc wsf wsh".split()
)
# The beginning of an MZ header in base64, and of a uuencoded one.
_MZ_BASE64 = re.compile(rb"TV[opqr].A..[AB].[AQgw][A-H].A")
_MZ_UUENCODED = re.compile(rb"^M35[GHIJK].`..`..\*````", re.MULTILINE)

# Extension → types that go with it, the prefixes `x-` and `vnd.` left out.
_TEXTUAL = r"text/(?:plain|[px]?html?|english|sgml|xml|enriched|richtext)|message/external-body"
_FITTING = tuple(
    (frozenset(extensions.split()), re.compile(types))
    for extensions, types in (
        ("txt htm html phtm phtml xhtm xhtml xml", _TEXTUAL),
        ("jpg jpeg tif tiff gif png", "image/|application/mac-binhex"),
        ("vcf", "text/vcard$"),
        ("bat com exe pif scr swf vbs", "application/"),
        ("doc", r"\Aapplication/[^\n]*word$"),
        ("ppt", r"\Aapplication/[^\n]*(?:powerpoint|ppt)$"),
        ("xls", r"\Aapplication/[^\n]*excel$"),
    )
)


@PLUGIN.test("check_microsoft_executable")
def check_microsoft_executable(view: View) -> bool:
    """A part is a program for Windows, by its name or its first octets."""
    return any(_is_program(part) for part in view.parts.leaves())


def _is_program(part: PartView) -> bool:
    found = parse_content_type(part.header(b"content-type"))
    name = (found.name or b"").lower()
    raw = part.raw or b""
    if b"." in name and name.rpartition(b".")[2] in _PROGRAMS:
        return True
    if b"base64" in part.header(b"content-transfer-encoding").lower():
        return _MZ_BASE64.match(raw) is not None
    return found.type.startswith("text") and _MZ_UUENCODED.search(raw) is not None


@PLUGIN.test("check_suspect_name")
def check_suspect_name(view: View) -> bool:
    """A part's name does not go with its type."""
    return any(_is_misnamed(part) for part in view.parts.leaves())


def _is_misnamed(part: PartView) -> bool:
    found = parse_content_type(part.header(b"content-type"))
    if not found.name or found.type == "application/octet-stream":
        return False
    extension = found.name.lower().rpartition(b".")[2].decode("latin-1")
    kind = re.sub("/(?:x-|vnd\\.)", "/", found.type, count=1)
    return any(
        extension in extensions and types.match(kind) is None for extensions, types in _FITTING
    )
