"""Ordinary mail that looks a little like the tricks: none of it may have a symbol."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import zipfile
from collections.abc import Iterator

from tests.hostile.encrypted_pdf import FILES as ENCRYPTED
from tests.hostile.tricks.archives import mailed, written, zipped
from tests.hostile.tricks.documents import HTML, RELATIONSHIP, compound, office, pdf, pdf_stream
from tests.hostile.tricks.encodings import uuencoded
from tests.hostile.tricks.structure import TEXT, TOP, attachment, base64_of, body, usual
from tests.hostile.tricks.wrappings import mbox, opaque, signed

PAGE = b"<!DOCTYPE html><html><head><style>p{color:red}</style></head><body>%s</body></html>"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(60)
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(60)
SIGNATURE = bytes.fromhex("308006092a864886f70d010702a080308002010131") + bytes(80)
ARMOR = (
    b"-----BEGIN PGP SIGNATURE-----\r\n\r\niQEzBAEBCAAdFiEE\r\n=abcd\r\n-----END PGP SIGNATURE-----"
)
CALENDAR = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1@client.example\r\n"
    b"DTSTART:20261102T100000Z\r\nSUMMARY:Minutes\r\nATTACH:https://client.example/agenda.pdf\r\n"
    b"END:VEVENT\r\nEND:VCALENDAR\r\n"
)
INVOICE = b'<?xml version="1.0"?><rsm:CrossIndustryInvoice xmlns:rsm="urn:x"/>'

PDF = pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>")
DMARC = b'<?xml version="1.0" encoding="UTF-8"?><feedback><report_metadata/></feedback>'
TLS_REPORT = b'{"organization-name": "Sender", "policies": []}'

WORD = {"word__document_xml": b"<w:document><w:p>hello</w:p></w:document>"}
SHEET = {"xl__workbook_xml": b"<workbook/>", "xl__worksheets__sheet1_xml": b"<f>SUM(A1:A9)</f>"}


THEME = office(theme__theme__themeManager_xml=b"<a/>", theme__theme1_xml=b"<a:theme/>")
"""What Office 2007 and later puts into the older formats: a ZIP file in a stream."""


def related(kind: bytes, target: bytes) -> dict[str, bytes]:
    return {**WORD, "word__rels__settings_rels": RELATIONSHIP % (kind, target)}


WORD_2003 = (
    b'<?xml version="1.0"?><?mso-application progid="Word.Document"?><w:wordDocument '
    b'w:macrosPresent="no"><w:pict><w:binData w:name="%s" xml:space="preserve">iVBORw0KGgo='
    b"</w:binData></w:pict></w:wordDocument>"
)


def gzipped(name: str, content: bytes) -> bytes:
    """A file that remembers another name than the archive has."""
    packed = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=packed) as file:
        file.write(content)
    return packed.getvalue()


def zipped_many(count: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"project/src/{number}.c", f"int f{number}(void);\n")
    return packed.getvalue()


def tarred_gz() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in ("project/README", "project/run.c", "project/build.sh"):
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"hello"))
        link = tarfile.TarInfo("project/docs")
        link.type, link.linkname = tarfile.SYMTYPE, "README"
        archive.addfile(link)
    return packed.getvalue()


FILES: dict[str, tuple[str, bytes]] = {
    "Word": ("a.docx", office(**WORD)),
    "Excel": ("a.xlsx", office(**SHEET)),
    "PowerPoint": ("a.pptx", office(ppt__presentation_xml=b"<p:presentation/>")),
    "OpenDocument": ("a.odt", office(content_xml=b"<office:text>hello</office:text>")),
    "Word with links": (
        "a.docx",
        office(**related(b"hyperlink", b"https://client.example/")),
    ),
    "Word with a link to an address": (
        "a.docx",
        office(**related(b"hyperlink", b"mailto:ann@client.example")),
    ),
    "Word with its own template": (
        "a.docx",
        office(**related(b"attachedTemplate", b"file:///C:\\Users\\ann\\Normal.dotm")),
    ),
    "Word with a chart": (
        "a.docx",
        office(**WORD, word__embeddings__Sheet1_xlsx=office(**SHEET)),
    ),
    "PowerPoint with a chart": ("a.pptx", office(ppt__embeddings__Sheet1_xlsx=office(**SHEET))),
    "Word with an image": ("a.docx", office(**WORD, word__media__image1_png=PNG)),
    "Word with fields": (
        "a.docx",
        office(word__document_xml=b"<w:instrText>PAGE \\* MERGEFORMAT</w:instrText>"),
    ),
    "Excel with links to another sheet": (
        "a.xlsx",
        office(
            **SHEET,
            xl__externalLinks__rels__a_rels=RELATIONSHIP
            % (b"externalLinkPath", b"file:///C:\\budget.xlsx"),
        ),
    ),
    "old Word": ("a.doc", compound(("WordDocument", b"\xec\xa5\xc1\0" + bytes(60)))),
    "RTF": ("a.rtf", b"{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}hello\\par}"),
    "RTF with an image": ("a.rtf", b"{\\rtf1{\\pict\\pngblip " + PNG.hex().encode() + b"}}"),
    "PDF": ("a.pdf", pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>")),
    "PDF that opens at a page": ("a.pdf", pdf(b"<</Type/Catalog/OpenAction[3 0 R/Fit]>>")),
    "PDF that opens at a place": ("a.pdf", pdf(b"<</OpenAction<</S/GoTo/D[3 0 R/XYZ]>>>>")),
    "PDF with links": (
        "a.pdf",
        pdf(b"<</Annots[<</Subtype/Link/A<</S/URI/URI(https://client.example/)>>>>]>>"),
    ),
    "PDF with fields": ("a.pdf", pdf(b"<</AcroForm<</Fields[]/NeedAppearances true>>>>")),
    "PDF with fonts": ("a.pdf", pdf(b"<</FontFile2 2 0 R>>", pdf_stream(b"", bytes(400)))),
    "PDF invoice with its data": (
        "a.pdf",
        pdf(
            b"<</Type/Catalog/AF[2 0 R]/Names<</EmbeddedFiles<</Names[(factur-x.xml)2 0 R]>>>>>>",
            b"<</Type/Filespec/F(factur-x.xml)/AFRelationship/Data/EF<</F 3 0 R>>>>",
            pdf_stream(b"/Type/EmbeddedFile/Subtype/text#2Fxml", INVOICE),
        ),
    ),
    "ZIP": ("a.zip", zipped("minutes.txt")),
    "ZIP of documents": ("a.zip", zipped("a.docx", office(**WORD))),
    "ZIP in a ZIP": ("a.zip", zipped("b.zip", zipped("minutes.txt"))),
    "ZIP with a comment": ("a.zip", zipped("minutes.txt")[:-2] + b"\5\0hello"),
    "7z": ("a.7z", written("7zip", "minutes.txt", b"hello")),
    "sources": ("project.tar.gz", tarred_gz()),
    "log": ("mail.log.gz", gzip.compress(b"Nov  2 10:00:00 mx sendmail[1]: stat=Sent\n" * 500)),
    "much of the same": ("a.log.gz", gzip.compress(b"a" * (3 << 20))),
    "image": ("photo.jpg", JPEG),
    "random octets": ("key.bin", b"\x01" + os.urandom(500)),
    "CSV": ("a.csv", b"name,sum\nAnn,-5\nSue,+7\n=SUM(B1:B2),@home\n"),
    "HTML": ("a.html", PAGE % b'<a href="https://client.example/">more</a>'),
    "HTML with an image in it": (
        "a.html",
        PAGE % b'<img src="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB">',
    ),
    "SVG": ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'),
    "XML": ("a.xml", b'<?xml version="1.0"?><invoice><description>on=1</description></invoice>'),
    "patch": ("0001-fix.patch", b"--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-begin\n+BinHex\n"),
    "script": ("build.sh", b"#!/bin/sh\nmake all\n"),
    "key": ("0xABCD.asc", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF\n=abcd\n"),
    "vCard": ("ann.vcf", b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\nEND:VCARD\r\n"),
    "calendar": ("invite.ics", CALENDAR),
    "message": ("a.eml", usual(TEXT, attachment(b"a.txt", base64_of(b"hello")))),
    "mbox": ("a.mbox", mbox(TOP + TEXT, usual(TEXT, TEXT))),
    "old coding": ("a.uue", uuencoded(b"hello", b"minutes.txt")),
    "dots in the name": ("Version 1.0 of the report.final.pdf", b"%PDF-1.4\n%%EOF\n"),
    "OneNote": ("a.one", bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3") + bytes(100)),
    **{
        f"name that begins like a site: {name}": (name, content)
        for name, content in (
            ("Amazon.com: your order.pdf", PDF),
            ("Ticket booking.com #12345.pdf", PDF),
            ("Node.js: a guide.pdf", PDF),
            ("allegro.pl: potwierdzenie.pdf", PDF),
            ("Notes on main.py; part 2.docx", office(**WORD)),
            ("Who owns firm.com? An overview.png", PNG),
            ("Amazon.com: your order.txt", b"Dear Ann,\n\nthank you for your order of Monday.\n"),
            ("setup.exe: how to install.jpg", JPEG),
            ("booking.com;5 nights.html", PAGE % b"<p>hello</p>"),
            ("Booking.com", PDF),
            ("www.firm.com", PAGE % b"<p>hello</p>"),
            ("firm.com", b"Minutes of the board, held on Monday in Berlin.\r\n"),
            ("logo.firm.app", PNG),
            ("firm.com.py", DMARC),
            ("allegro.pl", DMARC),
        )
    },
    **{
        f"report on a site: {name}": (f"sender.example!{name}!1!2.{ending}.gz", packed)
        for name, ending, content in (
            ("firm.com", "json", TLS_REPORT),
            ("firm.com", "xml", DMARC),
            ("firm.py", "json", TLS_REPORT),
            ("firm.pl", "xml", DMARC),
            ("firm.app", "xml", DMARC),
        )
        for packed in [gzipped(name, content)]
    },
    **{
        f"Excel with links: {target.decode()}": (
            "a.xlsx",
            office(**SHEET, xl__externalLinks__rels__a_rels=RELATIONSHIP % (kind, target)),
        )
        for kind, target in (
            (b"externalLinkPath", b"https://firm.sharepoint.example/sites/a/budget.xlsx"),
            (b"externalLinkPath", b"file:///\\\\fs01\\finance\\budget.xlsx"),
            (b"externalLinkPath", b"file:///\\\\fs01.firm.example\\finance\\budget.xlsx"),
            (b"externalLinkPath", b"/finance/budget.xlsx"),
            (b"externalLinkLongPath", b"https://firm.example/a.xlsx"),
        )
    },
    **{
        f"CSV with bars: {line.decode()}": ("a.csv", b"phone|name\n" + line + b"\n")
        for line in (
            b"+49 30 123456|Ann",
            b"-12.50|refund|Ann!",
            b"=|-|+|@",
            b"@ann|@bob|see you!",
        )
    },
    **{
        f"PDF that only forbids changes: {name}": ("a.pdf", content)
        for name, content in ENCRYPTED.items()
        if "password" not in name and "script" not in name
    },
    **{
        f"PDF that only has the letters: {name}": ("a.pdf", pdf(*objects))
        for name, objects in {
            "in a picture": [pdf_stream(b"/Filter/DCTDecode", JPEG + b"\x80/JS\x81" * 9)],
            "in compressed octets": [pdf_stream(b"/Filter/FlateDecode", b"\x90/JS/XFA\xff" * 9)],
            "in a link": [b"<</S/URI/URI(https://client.example/JS/a.html)>>"],
            "in a title": [b"<</Title(How /Launch and /JavaScript work)>>"],
            "in a bookmark": [b"<</Title(Open /JS \\(part 2\\))/Dest[3 0 R/Fit]>>"],
        }.items()
    },
    "Word 2003 XML with a picture": ("a.xml", WORD_2003 % b"wordml://01000001.png"),
    "Word 2003 XML with a picture, packed": ("a.doc", WORD_2003 % b"wordml://02000001.emz"),
    "Word 2003 XML with two pictures": (
        "a.xml",
        WORD_2003 % b"wordml://1.jpg" + WORD_2003 % b"wordml://2.gif",
    ),
    "stock list in XML": ("a.xml", b'<?xml version="1.0"?><item onhand="5" onorder="7" on="1"/>'),
    "stock list in HTML": ("a.html", PAGE % b'<p onhand="5">5</p>'),
    "form in XML": ("a.xml", b'<?xml version="1.0"?><field onchange="recalculate" script="no"/>'),
    "old PowerPoint with two themes": (
        "a.ppt",
        compound(("PowerPoint Document", bytes(64) + THEME + bytes(99) + THEME)),
    ),
    "old PowerPoint with a theme at its end": (
        "a.ppt",
        compound(("Current User", bytes(64)), ("PowerPoint Document", bytes(5000) + THEME)),
    ),
    "old Excel with a theme": (
        "a.xls",
        compound(
            (
                "Workbook",
                struct.pack("<2H", 0x809, 16)
                + bytes(16)
                + struct.pack("<2H", 0x896, len(THEME))
                + THEME,
            )
        ),
    ),
    "old Word with a theme": (
        "a.doc",
        compound(("WordDocument", b"\xec\xa5\xc1\0" + bytes(60)), ("1Table", bytes(80) + THEME)),
    ),
    "sources by the thousand": ("a.zip", zipped_many(5200)),
    "disk-like text": ("a.txt", b"KDM Virtual desktop\n" * 40),
}
"""Name and content of an attachment."""

SIGNED_TEXT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nhello"


def typed(kind: bytes, *parts: bytes) -> bytes:
    return TOP + b"Content-Type: " + kind + b"; boundary=x\r\n\r\n" + body(*parts)


MESSAGES: dict[str, bytes] = {
    "text": TOP + TEXT,
    "S/MIME, signed": typed(
        b'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256',
        SIGNED_TEXT,
        b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
        b"Content-Transfer-Encoding: base64\r\n"
        b"Content-Disposition: attachment; filename=smime.p7s\r\n\r\n" + base64_of(SIGNATURE),
    ),
    "S/MIME, signed opaquely": opaque(signed(SIGNED_TEXT)),
    "S/MIME, encrypted": opaque(bytes.fromhex("308006092a864886f70d010703a080") + bytes(200)),
    "PGP, signed": typed(
        b'multipart/signed; protocol="application/pgp-signature"; micalg=pgp-sha256',
        SIGNED_TEXT,
        b"Content-Type: application/pgp-signature; name=signature.asc\r\n\r\n" + ARMOR,
    ),
    "PGP, encrypted": typed(
        b'multipart/encrypted; protocol="application/pgp-encrypted"',
        b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1",
        b"Content-Type: application/octet-stream; name=encrypted.asc\r\n\r\n"
        b"-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n=abcd\r\n-----END PGP MESSAGE-----",
    ),
    "newsletter": TOP
    + b"List-Unsubscribe: <https://client.example/u>\r\n"
    + b"Content-Type: multipart/alternative; boundary=x\r\n\r\n"
    + body(
        TEXT,
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable"
        b'\r\n\r\n<html><body onload=3D"x()"><script>var a</script><img src=3D"https://client.exam'
        b'ple/p.gif" width=3D1>=\r\n</body></html>',
    ),
    "invitation": typed(
        b"multipart/mixed",
        b"Content-Type: multipart/alternative; boundary=y\r\n\r\n"
        + body(
            TEXT,
            b"Content-Type: text/html\r\n\r\n" + HTML % b"<p>hello</p>",
            b'Content-Type: text/calendar; charset="utf-8"; method=REQUEST\r\n\r\n' + CALENDAR,
            boundary=b"y",
        ),
        attachment(b"invite.ics", base64_of(CALENDAR)),
    ),
    "forwarded": usual(
        TEXT,
        b"Content-Type: message/rfc822\r\nContent-Disposition: attachment; "
        b'filename="Fwd: Minutes, 2.11.2026.eml"\r\n\r\n' + usual(TEXT, attachment(b"a.jpg", b"")),
    ),
    "forwarded in the text": TOP
    + b"Content-Type: text/plain\r\n\r\nSee below.\r\n\r\n----- Forwarded Message -----\r\n"
    b"From: Ann <ann@client.example>\r\nSubject: Minutes\r\nContent-Type: text/plain\r\n\r\nhi\r\n",
    "delivery report": typed(
        b"multipart/report; report-type=delivery-status",
        TEXT,
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        b"Final-Recipient: rfc822; joe@mx.example\r\nAction: failed\r\nStatus: 5.1.1\r\n",
        b"Content-Type: message/rfc822\r\n\r\n" + usual(TEXT, attachment(b"a.pdf", b"")),
    ),
    "delivery report with the header": typed(
        b"multipart/report; report-type=delivery-status",
        TEXT,
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n",
        b"Content-Type: text/rfc822-headers\r\n\r\n" + TOP + b"Content-Type: multipart/mixed; "
        b"boundary=y\r\n",
    ),
    "delivery report, cut": typed(
        b"multipart/report; report-type=delivery-status",
        TEXT,
        b"Content-Type: message/rfc822\r\n\r\n" + usual(TEXT, TEXT).replace(b"--x--", b"")[:250],
    ),
    "read receipt": typed(
        b"multipart/report; report-type=disposition-notification",
        TEXT,
        b"Content-Type: message/disposition-notification\r\n\r\nDisposition: manual-action/x\r\n",
    ),
    "complaint": typed(
        b"multipart/report; report-type=feedback-report",
        TEXT,
        b"Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n",
        b"Content-Type: message/rfc822\r\n\r\n" + TOP + TEXT,
    ),
    "digest": typed(b"multipart/digest", *[b"\r\n" + TOP + TEXT] * 30),
    "picture in a page": typed(
        b'multipart/related; type="text/html"',
        b"Content-Type: text/html\r\n\r\n" + HTML % b'<img src="cid:a">',
        b"Content-Type: image/png; name=a.png\r\nContent-ID: <a>\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64_of(PNG),
    ),
    "footer of a list": usual(TEXT, b"Content-Type: text/plain\r\n\r\n-- \r\n_____\r\nlist"),
    "text behind the end": usual(TEXT, TEXT) + b"\r\n-- \r\nadded by the gateway\r\n",
    "file name in Cyrillic": usual(
        TEXT,
        attachment(b"a.txt", base64_of(b"hello")).replace(
            b'name="a.txt"', b"name*0*=utf-8''%D0%BF%D1%80%D0%B8; name*1*=%D0%B2%D0%B5%D1%82.pdf"
        ),
    ),
    **{
        f"page of a site: {location.decode()}": typed(
            b"multipart/related",
            b"Content-Type: text/html\r\nContent-Location: " + location + b"\r\n\r\n"
            b"<html><script>a</script><p>News</p></html>",
            b"Content-Type: image/gif\r\nContent-Location: http://www.shop.com/logo.gif\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\nR0lGODlhAQABAAAAACwAAAAAAQABAAA=",
        )
        for location in (
            b"http://www.shop.com",
            b"http://www.shop.com/",
            b"https://shop.com/news?from=a.exe",
            b"http://shop.com/index.html#setup.exe",
            b"//shop.com",
            b"www.shop.com",
            b"cid:1@shop.com",
            b"http://www.shop.\r\n com/",
        )
    },
    **{
        f"to many people: {field.decode()}": TOP
        + field
        + b": "
        + b",\r\n ".join(
            b"=?utf-8?q?J=C3=BCrgen?= =?utf-8?q?M=C3=BCller%d?= <a%d@client.example>" % (n, n)
            for n in range(260)
        )
        + b"\r\n"
        + TEXT
        for field in (b"To", b"Cc", b"Resent-To", b"Reply-To")
    },
    "quoted old coding": TOP
    + b"Content-Type: text/plain\r\n\r\n> begin 644 a.txt\r\n> #86)C\r\n> end\r\n",
}


def harmless() -> Iterator[tuple[str, bytes]]:
    for name, (file_name, content) in FILES.items():
        yield f"file: {name}", mailed(file_name, content)
        if not file_name.endswith(".zip"):
            yield f"file in a zip: {name}", mailed("a.zip", zipped(file_name, content))
    yield from MESSAGES.items()
