"""Ways to write a file name that some reader takes for `evil.exe`."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from tests.hostile.tricks import Trick
from tests.hostile.tricks.structure import TEXT, attachment, base64_of, usual

HEADER = b"From: a@client.example\r\nSubject: trick\r\nMIME-Version: 1.0\r\n"

DISPOSITIONS: dict[str, bytes] = {
    "plain": b'attachment; filename="evil.exe"',
    "no type before": b'filename="evil.exe"',
    "only a semicolon before": b'; filename="evil.exe"',
    "no semicolon": b'attachment filename="evil.exe"',
    "comma": b'attachment, filename="evil.exe"',
    "two semicolons": b'attachment;; filename="evil.exe"',
    "blanks around": b'attachment ; filename = "evil.exe"',
    "upper case": b'ATTACHMENT; FILENAME="EVIL.EXE"',
    "unquoted": b"attachment; filename=evil.exe",
    "unquoted with blanks": b"attachment; filename=very evil.exe",
    "unquoted, a blank and more": b"attachment; filename=evil.exe a.txt",
    "unquoted, a tab and more": b"attachment; filename=evil.exe\ta.txt",
    "unquoted, a comma and more": b"attachment; filename=evil.exe,a.txt",
    "unquoted, an equals sign and more": b"attachment; filename=evil.exe=a.txt",
    "unquoted, a star and more": b"attachment; filename=evil.exe*a.txt",
    "unquoted, a slash and more": b"attachment; filename=evil.exe/a.txt",
    "unquoted, a bracket and more": b"attachment; filename=evil.exe[1].txt",
    "unquoted, a closed comment and more": b"attachment; filename=evil.exe)a.txt",
    "string within": b'attachment; filename=a"evil.exe".txt',
    "string within, a semicolon in it": b'attachment; filename=a.txt"; evil.exe".txt',
    "single quotes": b"attachment; filename='evil.exe'",
    "unterminated quote": b'attachment; filename="evil.exe',
    "unterminated quote, more behind": b'attachment; filename="evil.exe; size=5',
    "quote only at the end": b'attachment; filename=evil.exe"',
    "text behind the quote": b'attachment; filename="evil".exe',
    "two strings": b'attachment; filename="evil" ".exe"',
    "quoted pair": b'attachment; filename="evil\\.exe"',
    "quoted quote": b'attachment; filename="\\"evil.exe\\""',
    "folded": b'attachment;\r\n\tfilename="evil.exe"',
    "folded in the name": b'attachment; filename="evil.\r\n exe"',
    "folded before the equals sign": b'attachment; filename\r\n ="evil.exe"',
    "comment before": b'attachment; (x) filename="evil.exe"',
    "comment behind": b'attachment; filename="evil.exe" (harmless.txt)',
    "comment in front of the value": b"attachment; filename=(a)evil.exe",
    "comment within": b"attachment; filename=evil(comment).exe",
    "comment in the parameter's name": b"attachment; file(a)name=evil.exe",
    "nested comment": b"attachment; (a(b)c) filename=evil.exe",
    "comment never closed": b'attachment; (filename="evil.exe"',
    "semicolon in a comment": b'attachment (; filename="a.txt"); filename="evil.exe"',
    "twice, last": b'attachment; filename="a.txt"; filename="evil.exe"',
    "twice, first": b'attachment; filename="evil.exe"; filename="a.txt"',
    "plain and extended": b"attachment; filename=\"a.txt\"; filename*=utf-8''evil%2Eexe",
    "extended and plain": b"attachment; filename*=utf-8''a.txt; filename=\"evil.exe\"",
    "extended": b"attachment; filename*=utf-8''evil%2Eexe",
    "extended, empty charset": b"attachment; filename*=''evil%2Eexe",
    "extended, no charset": b"attachment; filename*=evil%2Eexe",
    "extended, quoted": b"attachment; filename*=\"utf-8''evil%2Eexe\"",
    "extended, unknown charset": b"attachment; filename*=klingon''evil%2Eexe",
    "extended, utf-16": b"attachment; filename*=utf-16be''%00e%00v%00i%00l%00.%00e%00x%00e",
    "extended, percent twice": b"attachment; filename*=utf-8''evil%252Eexe",
    "extended, encoded word": b"attachment; filename*=utf-8''=?utf-8?b?ZXZpbC5leGU=?=",
    "extended, blank in front": b"attachment; filename*= utf-8''evil%2Eexe",
    "extended, blanks in the name": b"attachment; filename *= utf-8''evil%2Eexe",
    "continued": b'attachment; filename*0="evil."; filename*1="exe"',
    "continued, out of order": b'attachment; filename*1="exe"; filename*0="evil."',
    "continued, leading zeros": b'attachment; filename*00="evil."; filename*01="exe"',
    "continued from 1": b'attachment; filename*1="evil."; filename*2="exe"',
    "continued with a gap": b'attachment; filename*0="evil"; filename*2=".exe"',
    "continued behind a gap": b'attachment; filename*0="evil.exe"; filename*2=".txt"',
    "continued, one twice": b'attachment; filename*0="a."; filename*0="evil."; filename*1="exe"',
    "continued, last twice": b'attachment; filename*0="evil."; filename*1="txt"; filename*1="exe"',
    "continued, mixed": b"attachment; filename*0*=utf-8''evil%2E; filename*1=\"exe\"",
    "continued, charset in the second": b"attachment; filename*0=evil; filename*1*=utf-8''%2Eexe",
    "continued, percent split": b"attachment; filename*0*=utf-8''evil%2; filename*1*=Eexe",
    "continued, encoded words": b"attachment; filename*0==?utf-8?q?evil=2E?=; filename*1=exe",
    "continued, high number": b'attachment; filename*1000="evil.exe"',
    "continued and plain": b'attachment; filename="a.txt"; filename*0="evil."; filename*1="exe"',
    "encoded word": b'attachment; filename="=?utf-8?b?ZXZpbC5leGU=?="',
    "encoded word, unquoted": b"attachment; filename==?utf-8?q?evil.exe?=",
    "encoded word, unquoted, more behind": b"attachment; filename==?utf-8?q?evil=2Eexe?= a.txt",
    "encoded word as a parameter": b"attachment; =?utf-8?q?filename=3Devil=2Eexe?=",
    "encoded word as the value": b"=?utf-8?q?attachment=3B_filename=3Devil=2Eexe?=",
    "encoded word, unknown charset": b'attachment; filename="=?klingon?q?evil.exe?="',
    "encoded word, language": b'attachment; filename="=?utf-8*en?q?evil.exe?="',
    "encoded word, UTF-7": b'attachment; filename="=?utf-7?q?evil+AC4-exe?="',
    "encoded word, UTF-16": b'attachment; filename="=?utf-16le?b?'
    + base64.b64encode("evil.exe".encode("utf-16le"))
    + b'?="',
    "encoded word, blanks": b'attachment; filename="=?utf-8?q?evil.exe ?="',
    "encoded word, no padding": b'attachment; filename="=?utf-8?b?ZXZpbC5leGU?="',
    "encoded word, lower-case b": b'attachment; filename="=?UTF-8?b?ZXZpbC5leGU=?="',
    "encoded words in pieces": b'attachment; filename="=?utf-8?q?evil.e?= =?utf-8?q?xe?="',
    "encoded words folded": b'attachment; filename="=?utf-8?q?evil.e?=\r\n\t=?utf-8?q?xe?="',
    "encoded words side by side": b'attachment; filename="=?utf-8?q?evil.e?==?utf-8?q?xe?="',
    "encoded word and text": b'attachment; filename="=?utf-8?q?evil?=.exe"',
    "encoded twice": b'attachment; filename="=?utf-8?q?=3D?utf-8?q?evil.exe?=3D?="',
    "octets above 127": b'attachment; filename="\xe9vil.exe"',
    "NUL": b'attachment; filename="evil.exe\0.txt"',
    "NUL within": b'attachment; filename="evil.e\0xe"',
    "tab": b'attachment; filename="evil.exe\t"',
    "trailing dots": b'attachment; filename="evil.exe. . "',
    "blanks before the extension": b'attachment; filename="a.txt' + b" " * 200 + b'.exe"',
    "path": b'attachment; filename="C:\\\\tmp\\\\evil.exe"',
    "slash behind": b'attachment; filename="evil.exe/"',
    "alternate stream": b'attachment; filename="evil.exe::$DATA"',
    "alternate stream of a text": b'attachment; filename="a.txt:evil.exe"',
    "semicolon in the name": b'attachment; filename="evil.exe;a.txt"',
    "unquoted semicolon": b"attachment; filename=evil.exe;a.txt",
    "percent": b'attachment; filename="evil%2eexe"',
    "query": b'attachment; filename="evil.exe?a.txt"',
    "direction mark": 'attachment; filename="evil\u202egpj.exe"'.encode(),
    "direction mark, encoded": b'attachment; filename="=?utf-8?q?evil=E2=80=AEgpj.exe?="',
    "line separator": 'attachment; filename="evil.exe\u2028a.txt"'.encode(),
    "line separator within": 'attachment; filename="evil.e\u2028xe"'.encode(),
    "zero-width": 'attachment; filename="evil.e\u200bxe"'.encode(),
    "soft hyphen": 'attachment; filename="evil.e\u00adxe"'.encode(),
    "fullwidth": 'attachment; filename="evil．ｅｘｅ"'.encode(),
    "one dot leader": 'attachment; filename="evil\u2024exe"'.encode(),
    "class id": b'attachment; filename="a.txt.{3050f4d8-98B5-11CF-BB82-00AA00BDCE0B}"',
    "shortcut": b'attachment; filename="report.pdf.lnk"',
}
"""Values of Content-Disposition. `?` and what follows is no part of a name on disk."""

FIELDS: dict[str, bytes] = {
    "name alone": b'Content-Type: application/octet-stream; name="evil.exe"\r\n',
    "name, extended": b"Content-Type: application/octet-stream; name*=utf-8''evil%2Eexe\r\n",
    "name without a type": b'Content-Type: ; name="evil.exe"\r\n',
    "name and filename": b'Content-Type: text/plain; name="evil.exe"\r\n'
    b'Content-Disposition: attachment; filename="a.txt"\r\n',
    "filename in Content-Type": b'Content-Type: text/plain; filename="evil.exe"\r\n',
    "name in Content-Disposition": b'Content-Disposition: attachment; name="evil.exe"\r\n',
    "two fields": b'Content-Disposition: attachment; filename="a.txt"\r\n'
    b'Content-Disposition: attachment; filename="evil.exe"\r\n',
    "blank before the colon": b'Content-Disposition : attachment; filename="evil.exe"\r\n',
    "location": b"Content-Location: evil.exe\r\n",
    "Content-Name": b"Content-Name: evil.exe\r\n",
    "Content-Name, encoded": b"Content-Name: =?utf-8?b?ZXZpbC5leGU=?=\r\n",
    "X-Sun-Data-Name": b"X-Sun-Data-Name: evil.exe\r\n",
    "by type alone": b"Content-Type: application/x-msdownload\r\n",
    "by type alone, HTA": b"Content-Type: application/hta\r\n",
    "behind a broken line": b'no field here\r\nContent-Disposition: attachment; filename="evil.exe"'
    b"\r\n",
    "folded field name": b'Content-Disposition:\r\n attachment;\r\n filename="evil.exe"\r\n',
    "folded by a line of blanks": b"Content-Disposition: attachment;\r\n \r\n"
    b'\tfilename="evil.exe"\r\n',
}
"""Header fields of the part."""

LIMITS: dict[str, bytes] = {
    "behind 1200 parameters": b"attachment"
    + b"".join(b"; a%d=b" % number for number in range(1200))
    + b"; filename=evil.exe",
    "behind 20 KiB": b"attachment; a=" + b"b" * 20_000 + b"; filename=evil.exe",
    "in 600 continuations": b"attachment"
    + b"".join(b"; filename*%d=a" % number for number in range(600))
    + b"; filename*600=.exe",
}
"""More than is looked at, which must be said."""


def part(fields: bytes, content: bytes = b"hello") -> bytes:
    return (
        HEADER
        + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhello\r\n--x\r\n"
        + fields
        + b"\r\n"
        + content
        + b"\r\n--x--\r\n"
    )


def tricks() -> Iterator[Trick]:
    for name, value in DISPOSITIONS.items():
        field = b"Content-Disposition: " + value + b"\r\n"
        yield Trick(f"name: {name}", part(field), ("BANNED_PART",))
        yield Trick(
            f"name of the message: {name}", HEADER + field + b"\r\nhello\r\n", ("BANNED_PART",)
        )
    for name, fields in FIELDS.items():
        yield Trick(f"name: {name}", part(fields), ("BANNED_PART",))
    for name, value in LIMITS.items():
        field = b"Content-Disposition: " + value + b"\r\n"
        yield Trick(f"name: {name}", part(field), ("BANNED_PART", "HEADER_LIMIT"))
        attached = usual(TEXT, attachment(b"a.eml", base64_of(part(field))))
        yield Trick(f"name in attached mail: {name}", attached, ("BANNED_PART", "HEADER_LIMIT"))
