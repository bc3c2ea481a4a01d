"""Tables as text that spreadsheets calculate: CSV and its relatives, and SYLK, which has macros."""

from __future__ import annotations

import re
from collections.abc import Iterator

from filterd.filters.parts.unpacking.files import File

Finding = tuple[str, str]
"""Name of a symbol, and what was found."""

EXTENSIONS = frozenset("csv tsv tab dif prn xls xlt".split())
"""Extensions of texts that a spreadsheet opens as a table."""

TEXT_EXTENSIONS = EXTENSIONS - {"xls", "xlt"}
"""Of these, the ones of texts alone."""

# A cell that begins as a formula does, to the end of its line. Excel takes the signs in full width
# for the plain ones. A page is a table, too, where it is called `.xls`.
_FORMULA = re.compile(
    rb"(?m)(?:^|[\r,;\t|>])[ \"]*+(?:[=+@-]|\xef\xbc[\x8b\x8d\x9d\xa0])([^\r\n]*+)"
)
# Server, topic, item, as in `=cmd|'/c calc'!A1`. A topic without quotes is a word, which is what
# a program is told: only of those that wait for one it is more than a text with a bar.
_DDE_LINK = re.compile(
    rb"(?:(?<![\w.])(?>[\w.]*?[A-Za-z])[\w.]*+|') *+\| *+'[^'|]*+' *+!(?: *+[\w'\"$])"
    rb"|(?i:(?<![\w.])(?:cmd|powershell|pwsh|mshta|msexcel|excel|winword|rundll32|regsvr32|wscript"
    rb"|cscript|certutil|bitsadmin|msiexec|explorer|wmic|forfiles)(?:\.exe)?)"
    rb" *+\| *+[^\s'|!,;]++![\w'\"$]"
)
_DDE_CALL = re.compile(rb"(?i)(?<![\w.])DDE\( *+[\"']")
_SYLK_MACRO = re.compile(rb"(?im)^NN;NAuto_|;E[^;\r\n]*\b(?:EXEC|CALL|REGISTER|RUN|FORMULA)\(")


def findings(file: File) -> Iterator[Finding]:
    """What a table would do when it is opened."""
    # A workbook of Excel's own has the extension of what is also taken for a text.
    wanted = TEXT_EXTENSIONS if file.kind == "ole" else EXTENSIONS
    if not file.extensions.isdisjoint(wanted):
        formulas = _FORMULA.finditer(narrow(file.content))
        if any(_DDE_LINK.search(one[1]) or _DDE_CALL.search(one[1]) for one in formulas):
            yield "DOC_DDE", "starts a program by DDE"
    if file.content.startswith(b"ID;") and _SYLK_MACRO.search(file.content):
        yield "DOC_MACRO", "Excel 4 macros"


def narrow(content: bytes) -> bytes:
    """UTF-16 as if it were ASCII, which markup and formulas are; without the mark before it."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content[2:].replace(b"\0", b"")
    return content.removeprefix(b"\xef\xbb\xbf")
