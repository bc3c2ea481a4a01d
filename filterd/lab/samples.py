"""Sample mail that filterd makes itself, for the demo, the self-test and the tests.

The strings that virus scanners and spam filters are to react to are put together at run time, so
that no scanner trips over filterd's own files.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
"""The Generic Test for Unsolicited Bulk Email: every spam filter calls it spam."""

EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""The antivirus test file: harmless, and every scanner finds it."""

SENDER = "alice@sender.example"
RECIPIENT = "joe@mx.example"


@dataclass(frozen=True, slots=True)
class Sample:
    """One generated message. about: what it is, for people. data: with CRLF line ends."""

    name: str
    about: str
    data: bytes


def _mail(subject: str, sender: str = "Alice Meyer <alice@sender.example>") -> EmailMessage:
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = sender
    mail["To"] = f"Joe <{RECIPIENT}>"
    mail["Subject"] = subject
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{zlib.crc32(subject.encode())}@sender.example>"
    return mail


def _clean() -> EmailMessage:
    mail = _mail("Re: minutes of Tuesday's meeting")
    mail["In-Reply-To"] = "<4711@mx.example>"
    mail.set_content(
        "Hello Joe,\n\nthanks for the minutes. I corrected the dates on the second page and put\n"
        "the file back into the shared folder. Could you check the room for the 14th? The\n"
        "projector was broken last time.\n\nOn Tuesday you wrote:\n"
        "> the minutes are in the folder, please look at the dates\n\nAlice\n"
    )
    return mail


def _newsletter() -> EmailMessage:
    mail = _mail("Chess club news, November", "Chess Club <news@chess.example>")
    mail["List-Id"] = "Chess club members <members.chess.example>"
    mail["List-Unsubscribe"] = "<mailto:leave@chess.example>"
    mail.set_content(
        "Dear members,\n\nthe autumn tournament ended on Sunday. Round seven was played in the\n"
        "library; the table is on our page. Next training: Thursday, 19:30, room 2.\n\nThe board\n"
    )
    mail.add_alternative(
        "<html><body><h1>Chess club news</h1><p>Dear members,</p><p>the autumn tournament ended on"
        " Sunday. Round seven was played in the library; the <a href='https://chess.example/table'>"
        "table</a> is on our page.</p><p>Next training: Thursday, 19:30, room 2.</p></body></html>",
        subtype="html",
    )
    return mail


def _spam() -> EmailMessage:
    mail = _mail("FREE!!! Lose weight and MAKE MONEY FAST from home", "Offers <x7k2@deals.example>")
    mail.set_content(
        "<html><body bgcolor=#ffff00><center><font size=7 color=red><b>FREE TRIAL! ACT NOW!</b>"
        "</font><p><font size=5>Dear Friend, you have been selected. 100% GUARANTEED to lose 30"
        " pounds and earn $5000 a week working from home! No experience needed, no obligation,"
        " limited time offer. Lowest mortgage rates, click below, credit card accepted.</font>"
        "<p><a href='http://deals.example/buy?id=8827'><font size=6>CLICK HERE NOW</font></a><p>"
        "<font size=1>This is not spam. You receive this email because you opted in. To be removed"
        " from our mailing list <a href='http://deals.example/remove'>click here</a> and your email"
        " address will be removed.</font></center></body></html>\n",
        subtype="html",
    )
    return mail


def _gtube() -> EmailMessage:
    mail = _mail("Test of the spam filter")
    mail.set_content(f"This message has the test string of spam filters:\n\n{GTUBE}\n")
    return mail


def _eicar() -> EmailMessage:
    mail = _mail("Test of the virus scanner")
    mail.set_content("The test file is attached.\n")
    mail.add_attachment(
        EICAR.encode(), maintype="application", subtype="octet-stream", filename="eicar.com.txt"
    )
    return mail


def _zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def _eicar_zip() -> EmailMessage:
    mail = _mail("Test of the virus scanner, zipped")
    mail.set_content("The test file is in the archive.\n")
    mail.add_attachment(
        _zipped("eicar.txt", EICAR.encode()),
        maintype="application",
        subtype="zip",
        filename="test.zip",
    )
    return mail


def _exe() -> EmailMessage:
    mail = _mail("The program you asked for")
    mail.set_content(
        "Hello Joe,\n\nhere is the tool. Start it and tell me what you see.\n\nAlice\n"
    )
    # The DOS header of a program that does nothing.
    mail.add_attachment(
        b"MZ" + bytes(62) + b"This program cannot be run.\r\n",
        maintype="application",
        subtype="octet-stream",
        filename="tool.exe",
    )
    return mail


def _macro() -> EmailMessage:
    mail = _mail("Invoice 2026-117")
    mail.set_content("Dear Joe,\n\nplease find our invoice attached.\n\nAlice Meyer\n")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<w:document/>")
        archive.writestr("word/vbaProject.bin", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    mail.add_attachment(
        buffer.getvalue(),
        maintype="application",
        subtype="vnd.ms-word.document.macroEnabled.12",
        filename="invoice.docm",
    )
    return mail


def _nested() -> EmailMessage:
    mail = _mail("Fwd: something strange arrived")
    mail.set_content("Hello Joe,\n\nthis came to me, what do you think?\n\nAlice\n")
    mail.add_attachment(_exe())
    return mail


_MAKERS: tuple[tuple[str, str, Callable[[], EmailMessage]], ...] = (
    ("clean", "a plain text between people", _clean),
    ("newsletter", "an HTML newsletter somebody asked for", _newsletter),
    ("spam", "advertising, for the classifier", _spam),
    ("gtube", "the test string of spam filters", _gtube),
    ("eicar", "the test file of virus scanners", _eicar),
    ("eicar-zip", "the same in a zip archive", _eicar_zip),
    ("exe", "a program attached", _exe),
    ("macro", "a Word document with macros", _macro),
    ("nested", "a forwarded message with a program", _nested),
)


def samples() -> list[Sample]:
    """All sample messages, newly made."""
    return [Sample(name, about, make().as_bytes()) for name, about, make in _MAKERS]


def sample(name: str) -> Sample:
    """The sample of that name. Raises KeyError for an unknown name."""
    for known, about, make in _MAKERS:
        if known == name:
            return Sample(name, about, make().as_bytes())
    raise KeyError(name)
