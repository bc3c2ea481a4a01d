"""What other filters and MTAs had to mend in 2026: here it holds.

Each kind is made at two sizes: nothing raises, and twice the size is no more than a few times the
work. Where there is a right answer, it is asked for as well.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from filterd.bayes.model.text import text_of
from filterd.chain.headers import LabelSettings, header_edits
from filterd.chain.policy import Decision
from filterd.chain.verdict import Action, ChangeField, Verdict
from filterd.filters.parts.filter import Parts, signatures
from filterd.filters.parts.settings import PartsSettings
from filterd.message import Envelope, Message
from filterd.message.address import Mailbox, readable
from filterd.review.accounts import Accounts
from filterd.web.preview import document, harmless
from tests.helpers.growth import growth
from tests.helpers.zones import Zones
from tests.hostile.tricks.documents import pdf
from tests.hostile.tricks.structure import TEXT, TOP, attachment, base64_of, usual
from tests.hostile.tricks.wrappings import opaque, signed

SMALL = 0.2
"""Seconds of work that are not worth comparing."""

FACTOR = 3.5
"""How much more twice the size may cost; 2 is linear, 4 quadratic."""

Maker = Callable[[int], bytes]


def html(markup: bytes) -> bytes:
    return TOP + b"Content-Type: text/html\r\n\r\n" + markup + b"\r\n"


def field(name: bytes, value: bytes) -> bytes:
    return TOP + name + b": " + value + b"\r\n\r\nhello\r\n"


def deep(count: int) -> bytes:
    return TOP + b"Content-Type: message/rfc822\r\n\r\n" * count + TEXT + b"\r\n"


def related(count: int) -> bytes:
    shown = b"".join(b'<img src="cid:%d@x">' % n for n in range(count))
    parts = [b"Content-Type: text/html\r\n\r\n" + shown]
    parts += [b"Content-Type: image/png\r\nContent-ID: <%d@x>\r\n\r\nx" % n for n in range(count)]
    return usual(*parts).replace(b"multipart/mixed", b"multipart/related")


def alternatives(count: int) -> bytes:
    pair = (b"Content-Type: text/plain\r\n\r\nhello", b"Content-Type: text/html\r\n\r\n<p>hello")
    return usual(*(pair * count)).replace(b"multipart/mixed", b"multipart/alternative")


def continuations(count: int) -> bytes:
    numbered = b"".join(b";\r\n filename*%d=%s" % (n, b"a") for n in reversed(range(count)))
    return TOP + b"Content-Disposition: attachment" + numbered + b"\r\n\r\nhello\r\n"


def seven_zip(count: int) -> bytes:
    """A 7z whose header announces that many folders."""
    number = b"\xf0" + struct.pack("<I", count) if count > 127 else bytes([count])
    header = b"\x01\x04\x06\x00\x01\x09\x01\x00\x07\x0b" + number + b"\x00" + b"\x01" * count
    start = struct.pack("<QQI", 0, len(header), zlib.crc32(header))
    archive = b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + header
    return usual(TEXT, attachment(b"a.7z", base64_of(archive)))


def rar(count: int) -> bytes:
    """A RAR 5 whose numbers never end: each octet says that another one follows."""
    archive = b"Rar!\x1a\x07\x01\0" + b"\0\0\0\0" + b"\xff" * count
    return usual(TEXT, attachment(b"a.rar", base64_of(archive)))


def padded_pdf(count: int) -> bytes:
    objects = [b"<</Type/Catalog" + b" " * 50 + b"/Pages 2 0 R>>"] * count
    coded = b"<</Filter/ASCII85Decode/Length 9>>stream\n" + b"z" * count + b"~>\nendstream"
    return usual(TEXT, attachment(b"a.pdf", base64_of(pdf(*objects, coded))))


MAKERS: dict[str, tuple[Maker, int]] = {
    "message in message": (deep, 2_500),
    "comments in a type": (lambda n: field(b"Content-Type", b"text/plain " + b"(" * n), 50_000),
    "comments in an address": (lambda n: field(b"To", b"(" * n + b"a@b" + b")" * n), 50_000),
    "comments in results": (
        lambda n: field(b"Authentication-Results", b"(" * n + b"mx.test"),
        50_000,
    ),
    "comments in a disposition": (
        lambda n: field(b"Content-Disposition", b"(" * n + b")" * n + b"attachment"),
        50_000,
    ),
    "addresses by semicolon": (lambda n: field(b"To", b"a@b.example; " * n), 10_000),
    "continuations backwards": (continuations, 5_000),
    "alternatives": (alternatives, 500),
    "content ids": (related, 500),
    "attributes": (lambda n: html(b"<p " + b"a=b " * n + b">hello</p>"), 50_000),
    "elements in elements": (lambda n: html(b"<div>" * n + b"hello"), 50_000),
    "comments in a style": (lambda n: html(b"<style>" + b"/*x" * n + b"</style>hello"), 50_000),
    "userinfo": (lambda n: html(b'<a href="http://' + b"a:@" * n + b'@bank.example/">x'), 10_000),
    "queries in queries": (
        lambda n: html(b'<a href="http://x/' + b"?u=http://y/" * n + b'">'),
        10_000,
    ),
    "folders of a 7z": (seven_zip, 20_000),
    "numbers of a RAR": (rar, 100_000),
    "objects of a PDF": (padded_pdf, 2_000),
}


def examined(data: bytes) -> Verdict:
    """All that reads a message, and what the parts filter says of it."""
    message = Message(data, Envelope(macros={"j": "mx.test"}), "id7")
    text_of(message)
    header_edits(message, Verdict(), Decision(Action.ACCEPT), LabelSettings())
    for entity in message.leaves():
        if entity.content_type == "text/html":
            document(harmless(entity.text))
    for one in message.fields("To"):
        readable(one.text)
    return Parts(PartsSettings()).examine(message)


@pytest.mark.parametrize("name", MAKERS)
def test_twice_the_size_is_no_more_than_a_few_times_the_work(name: str) -> None:
    make, count = MAKERS[name]
    small, large = make(count), make(2 * count)
    assert growth(examined, small, large, at_least=SMALL / 2, limit=FACTOR) < FACTOR


def symbols(data: bytes) -> set[str]:
    return {symbol.name for symbol in examined(data).symbols}


def test_what_is_too_deep_is_said() -> None:
    assert "MIME_TOO_DEEP" in symbols(deep(5_000))
    assert examined(deep(5_000)).action is Action.QUARANTINE


@pytest.mark.parametrize(
    "parameters",
    [
        b"filename*1=x; filename*2=e; filename*0=a.e",
        b"filename*2*=%65; filename*0*=utf-8''a.e; filename*1*=x",
        b'filename*1="xe"; x=y; filename*0="a.e"',
    ],
)
def test_continuations_out_of_order_are_one_name(parameters: bytes) -> None:
    part = b"Content-Disposition: attachment; " + parameters + b"\r\n\r\nhello"
    verdict = examined(usual(TEXT, part))
    assert "BANNED_PART" in {symbol.name for symbol in verdict.symbols}
    assert [one.filename for one in verdict.removed] == ["a.exe"]


@pytest.mark.parametrize(
    "value",
    [b"(mx.test) other.test; dkim=pass", b"(" * 100_000 + b"mx.test", b"other.test; x=(mx.test)"],
)
def test_only_the_authserv_id_names_the_host(value: bytes) -> None:
    mail = Message(field(b"Authentication-Results", value), Envelope(macros={"j": "mx.test"}))
    edits = header_edits(mail, Verdict(), Decision(Action.ACCEPT), LabelSettings())
    removed = [edit for edit in edits if isinstance(edit, ChangeField)]
    assert not removed


@pytest.mark.parametrize("domain", [b"x\r\n\tX-Evil:\r\n yes", b"x\rX-Evil: yes", b"x\n (y); =z"])
def test_no_line_end_of_a_signature_gets_into_our_results(domain: bytes) -> None:
    signature = b"v=1; a=rsa-sha256; d=" + domain + b"; s=" + domain + b"; bh=x; b=x; h=from"
    noted = signatures.results(Message(field(b"DKIM-Signature", signature)), "mx.test", Zones({}))
    assert noted is not None
    lines = noted.value.split("\n")
    assert all(line.startswith("\t") for line in lines[1:])
    assert not set(noted.value) & set("\r\0")
    assert "X-Evil: " not in noted.value


def test_a_semicolon_makes_no_address_of_two() -> None:
    assert "ann@mx.test" not in set(Mailbox.parse("ann@mx.test; bob@other.test").covered_by())


def test_a_program_in_mail_signed_again_and_again_is_found() -> None:
    mail = usual(TEXT, attachment(b"a.exe", base64_of(b"MZ" + bytes(100))))
    for depth in range(1, 13):
        mail = opaque(signed(mail))
        verdict = examined(mail)
        assert "BANNED_PART" in {symbol.name for symbol in verdict.symbols}, depth
        assert verdict.action is Action.QUARANTINE, depth


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "*",
        "!",
        "x",
        "$argon2id$",
        "$argon2id$v=19$m=0,t=0,p=0$$",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$",
        "{PLAIN}",
        "$1$x$y",
        "\ud800",
    ],
)
def test_a_malformed_password_hash_is_nobodys_password(stored: str, tmp_path: Path) -> None:

    path = tmp_path / "accounts.json"
    account = {"name": "ann", "role": "admin", "password": stored, "domains": [], "recipients": []}
    path.write_text(json.dumps({"format": 1, "accounts": [account]}))
    path.chmod(0o600)
    accounts = Accounts(path)
    for password in ("", "x", stored.encode("utf-8", "replace").decode(), "anything at all"):
        assert accounts.verify("ann", password) is None
