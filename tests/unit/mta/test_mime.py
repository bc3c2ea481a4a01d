"""Eight bits on the way to a mailer: what is encoded, decoded, cut and left, as by sendmail."""

from __future__ import annotations

import quopri
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.cf.host import OWN_CLASSES
from filterd.mta.delivery.router import DeliveryError
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.mail.header import split_message
from filterd.mta.sendmail.mime_decoding import with_eight_bits
from filterd.mta.sendmail.mime_lengths import balanced, cut_fields
from filterd.mta.sendmail.mime_parts import PartStyle, quoted_printable, rewritten_parts
from filterd.mta.sendmail.mime_tokens import content_type, encoding
from tests.helpers.mini_cf import router
from tests.helpers.smtp_server import TAKES_MAIL, server

NOTE = b"X-MIME-Autoconverted: from %s to %s by mx.test id Q1\n"
TEXT = b"MIME-Version: 1.0\nContent-Type: text/plain\n"


def is_in(name: str, word: str) -> bool:
    return word.lower() in OWN_CLASSES.get(name, "").split()


SEVEN = PartStyle(is_in, (2047, 1023), "mx.test", "Q1", is_seven=True)
EIGHT = PartStyle(is_in, (2047, 1023), "mx.test", "Q1")


def written(message: bytes, style: PartStyle = SEVEN) -> bytes:
    fields, body = split_message(message)
    return rewritten_parts(fields, body, style)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("hé = x", ["h=C3=A9 =3D x"]),
        ("end ", ["end=20"]),
        ("\t", ["=09"]),
        ("", [""]),
        ("y" * 72 + ".", ["y" * 72 + "."]),
        ("y" * 73 + ".", ["y" * 73 + "."]),
        ("y" * 73 + ".z", ["y" * 73 + "=", ".z"]),
        ("y" * 74 + ".", ["y" * 73 + "=", "y."]),
        ("a b " * 20, ["a b " * 18 + "a=", " b a b=20"]),
        ("\x7f\x01#[", ["=7F=01#["]),
    ],
)
def test_a_line_in_quoted_printable(line: str, wanted: list[str]) -> None:
    assert quoted_printable(line.encode()) == [one.encode() for one in wanted]


def test_signs_that_are_hidden_on_request() -> None:
    assert quoted_printable(b"#[", extends=True) == [b"=23=5B"]
    assert quoted_printable(b"From x", hides_from=True) == [b"From=20x"]
    assert quoted_printable(b"From x") == [b"From x"]


@given(st.binary(max_size=300).map(lambda line: line.replace(b"\n", b"")), st.booleans())
def test_quoted_printable_means_the_line(line: bytes, extends: bool) -> None:
    lines = quoted_printable(line, extends=extends)
    assert quopri.decodestring(b"\n".join(lines)) == line
    assert all(one.isascii() and len(one) <= 79 for one in lines)


def test_few_octets_of_eight_bits_are_quoted_printable() -> None:
    body = "h\xe9llo, it is early\n".encode("latin1")
    given = TEXT + b"Content-Transfer-Encoding: 8bit (c)\nX-A: 1\n\n" + body
    assert written(given) == (
        TEXT
        + b"X-A: 1\nContent-Transfer-Encoding: quoted-printable\n"
        + NOTE % (b"8bit", b"quoted-printable")
        + b"\nh=E9llo, it is early\n"
    )


@pytest.mark.parametrize(
    ("field", "body"),
    [(b"", "hé text\n"), (b"Content-Transfer-Encoding: binary\n", "hé" + "z" * 40 + "\n")],
)
def test_many_or_binary_ones_are_base64(field: bytes, body: str) -> None:
    assert written(TEXT + field + b"\n" + body.encode()) == (
        TEXT
        + b"Content-Transfer-Encoding: base64\n"
        + NOTE % (b"8bit", b"base64")
        + b"\n"
        + b64encode(body.encode().replace(b"\n", b"\r\n"))
        + b"\n"
    )


@pytest.mark.parametrize(
    "given",
    [
        TEXT + b"\nascii\n",
        TEXT + b"Content-Transfer-Encoding: quoted-printable\n\nh\xe9\n",
        TEXT + b"Content-Transfer-Encoding: 8bit\n\nascii\n",
        b"Content-Type: message/partial\n\nh\xe9\n",
        b"Content-Type: multipart/signed; boundary=X\n\n--X\n\nh\xe9\n--X--\n",
    ],
)
def test_what_stays_as_it_is(given: bytes) -> None:
    assert written(given) == given


NESTED = (
    """\
Content-Type: multipart/mixed; boundary="a b"

pr\xe9
--a b
Content-Type: multipart/alternative; boundary=Y
Content-Transfer-Encoding: 8bit

--Y
Content-Type: text/plain

h\xe9{fill}
--Y
Content-Transfer-Encoding: 8bit

ascii
--Y--
--a b{blanks}
Content-Type: message/rfc822

Subject: inner

h\xe9{fill}
""".replace("{fill}", "z" * 20)
    .replace("{blanks}", "  ")
    .encode("latin1")
)


def test_parts_in_parts_are_encoded_each_for_itself() -> None:
    said = b"Content-Transfer-Encoding: quoted-printable\n" + NOTE % (b"8bit", b"quoted-printable")
    assert written(NESTED) == (
        b'Content-Type: multipart/mixed; boundary="a b"\n\npri\n--a b\n'
        b"Content-Type: multipart/alternative; boundary=Y\n\n--Y\nContent-Type: text/plain\n"
        + said
        + b"\nh=E9"
        + b"z" * 20
        + b"\n--Y\nContent-Transfer-Encoding: 8bit\n\nascii\n--Y--\n--a b\n"
        + b"Content-Type: message/rfc822\n\nSubject: inner\nMIME-Version: 1.0\n"
        + said
        + b"\nh=E9"
        + b"z" * 20
        + b"\n\n--a b--\n"
    )


def test_parts_for_eight_bits_lose_what_stands_between_and_get_their_end() -> None:
    wanted = NESTED.replace(b"pr\xe9", b"pri").replace(b"--a b  \n", b"--a b\n")
    assert written(NESTED, EIGHT) == wanted + b"--a b--\n"


def test_parts_in_too_many_parts_stay() -> None:
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(90)
    )
    assert written(head + b"\nx\n").count(b"\n--b") == 110


@given(st.binary(max_size=300), st.booleans())
def test_any_message_is_written(message: bytes, is_seven: bool) -> None:
    written(NESTED + message, SEVEN if is_seven else EIGHT)
    written(message, SEVEN if is_seven else EIGHT)


@pytest.mark.parametrize(
    ("coding", "body", "wanted"),
    [
        ("quoted-printable", "h=C3=A9 text =\nsoft\n", "hé text soft\n"),
        ("QUOTED-Printable", "a=zz=4 x  \nb=\nc =20 \n=3d=0D=0Ax\n", "abc   \n=\r\nx\n"),
        ("quoted-printable", "=4 1 x\n", "A x\n"),
        ("quoted-printable", "", ""),
        ("base64", "aMOpIHRleHQK\n", "hé text\n"),
        ("BASE64", "YQ0KYg0KYw==\n", "a\nb\nc\n"),
        ("base64", "YWJjCg==YWJjCg==\nYWJ\n=\nZA==\n", "abc\nabc\nabd\n"),
        ("base64", "QUFB" * 900, "A" * 2048 + "\n" + "A" * 652 + "\n"),
    ],
)
def test_plain_text_is_decoded(coding: str, body: str, wanted: str) -> None:
    head = f"Content-Transfer-Encoding: {coding}\nX-A: 1\nContent-Type: TEXT/plain;x=y\n\n"
    assert with_eight_bits((head + body).encode(), "mx.test", "Q1") == (
        b"X-A: 1\nContent-Type: TEXT/plain;x=y\nContent-Transfer-Encoding: 8bit\n"
        + NOTE % (coding.encode(), b"8bit")
        + b"\n"
        + wanted.encode()
        + b"\n"
    )


@pytest.mark.parametrize(
    ("type", "coding"),
    [
        ("text/html", "base64"),
        ("text/plainx", "base64"),
        ("(c) text/plain", "base64"),
        ("text / plain", "base64"),
        ("text/plain/x", "base64"),
        ("text/plain", "x-uuencode"),
        ("text/plain", "base64 (c)"),
        ("text/plain", "8bit"),
    ],
)
def test_other_text_is_not_decoded(type: str, coding: str) -> None:
    head = f"Content-Type: {type}\nContent-Transfer-Encoding: {coding}\n\nYWJj\n"
    assert with_eight_bits(head.encode(), "mx.test", "Q1") is None


@given(st.binary(max_size=200), st.sampled_from(["base64", "quoted-printable"]))
def test_any_text_is_decoded(body: bytes, coding: str) -> None:
    head = f"Content-Type: text/plain\nContent-Transfer-Encoding: {coding}\n\n".encode()
    assert with_eight_bits(head + body, "mx.test", "Q1") is not None


def test_words_of_mime_fields() -> None:
    type = content_type(b' (c) Text (d)/ PLAIN (e); charset=(f)x; Name="a \\" b"; =;z')
    assert (type.name, type.parameters["charset"], type.is_odd) == ("text/plain", b"x", False)
    assert type.parameters["name"] == b'a " b'
    assert content_type(b"text/plain;; a=b").is_odd
    assert content_type(b"multipart/mixed").is_odd
    assert content_type(b"foo").name == "foo/-none-"
    assert content_type(b"=").name == content_type(b"").name == "-none-/-none-"
    assert encoding(b" 8bit (x)") == "8bit"


@pytest.mark.parametrize(
    ("text", "limit", "wanted"),
    [
        ('name="' + "n" * 50 + '"', 40, 'name="' + "n" * 33 + '"'),
        ("(" * 140, 10, "((((()))))"),
        ("a(b" + "c" * 20 + ")d", 10, "a(bcccccc)"),
        ('"d', 10, '""'),
        ("short", 10, "short"),
    ],
)
def test_what_is_cut_stays_in_balance(text: str, limit: int, wanted: str) -> None:
    assert balanced(text.encode(), limit).decode() == wanted


def test_fields_of_mime_are_cut() -> None:
    fields = [
        (b"Content-Type", b" text/plain; name=" + b"n" * 50 + b"; x=y"),
        (b"Content-Description", b' "' + b"d" * 200),
        (b"Content-Id", b" <" + b"i" * 200),
        (b"X-Long", b" " + b"x" * 200),
    ]
    cut = dict(cut_fields(fields, (128, 40), is_in))
    assert cut[b"Content-Type"] == b" text/plain; name=" + b"n" * 35 + b"; x=y"
    assert [len(cut[name]) for name in cut][1:] == [1 + 127, 1 + 128, 1 + 200]
    assert cut_fields(fields, (0, 0), is_in) == fields


# What a server gets

EIGHT_BITS = "From: a@x.test\n\nh\xe9llo, it is early\n".encode("latin1")
OF_MIME = EIGHT_BITS.replace(b"\n\n", b"\nMIME-Version: 1.0\n\n", 1)


def sent(message: bytes, extension: str, *lines: str, flags: str = "") -> bytes:
    """What the next server hears. Raises DeliveryError."""
    hello = f"250-mx.test\r\n250 {extension}\r\n".encode()
    with server([TAKES_MAIL[0], hello, *TAKES_MAIL[2:]]) as heard:
        line = f"Mesmtp, P=[IPC], F=mDFXa{flags}, E=\\r\\n, A=TCP $h {heard.port}"
        file = router("O DefaultCharSet=x-own", *lines, line)
        targets = file.expand((Target("joe@[127.0.0.1]"),))
        (outcome,) = file.deliver(QueueEntry("Q1", "a@x.test", targets), message)
        if outcome.error is not None:
            raise outcome.error
        heard.wait_for(b"QUIT\r\n")
    return heard.data


@pytest.mark.parametrize(
    ("mode", "message", "extension", "parts"),
    [
        ("pass8", EIGHT_BITS, "HELP", ["DATA\r\nFrom: a@x.test\r\n\r\nh\xe9llo"]),
        ("pass8", OF_MIME, "8BITMIME", ["<a@x.test>\r\n", "1.0\r\n\r\nh\xe9llo"]),
        (
            "pass8",
            OF_MIME,
            "HELP",
            [
                "1.0\r\nContent-Type: text/plain; charset=x-own\r\n",
                ": quoted-printable\r\n",
                "h=E9llo",
            ],
        ),
        ("mimefy", EIGHT_BITS, "HELP", ["MIME-Version: 1.0\r\n", "from 8bit to", "h=E9llo"]),
        (
            "mimefy",
            EIGHT_BITS,
            "8BITMIME",
            [" BODY=8BITMIME\r\n", "charset=x-own\r\nContent-Transfer-Encoding: 8bit\r\n\r\nh\xe9"],
        ),
    ],
)
def test_what_a_server_gets(mode: str, message: bytes, extension: str, parts: list[str]) -> None:
    heard = sent(message, extension, f"O EightBitMode={mode}").decode("latin1")
    for part in parts:
        assert part in heard


def test_what_cannot_be_encoded_is_refused_where_it_may_not_pass() -> None:
    odd = OF_MIME.replace(b"1.0\n", b"1.0\nContent-Type: text/plain;; x=y\n")
    assert b"h\xe9llo" in sent(odd, "HELP")
    with pytest.raises(DeliveryError, match="does not support 8BITMIME") as refused:
        sent(odd, "HELP", "O EightBitMode=mimefy")
    assert (refused.value.code, refused.value.temporary) == ("5.6.3", False)


def test_a_mailer_of_seven_bits() -> None:
    assert b"h=E9llo" in sent(OF_MIME, "8BITMIME", flags="7")
    with pytest.raises(DeliveryError, match="Cannot send 8-bit data to 7-bit") as refused:
        sent(EIGHT_BITS, "8BITMIME", flags="7")
    assert (refused.value.code, refused.value.temporary) == ("5.6.3", False)
    assert b"h\xe9llo" in sent(OF_MIME, "HELP", flags="8")
    assert b"=46rom" not in sent(OF_MIME + b"From x\n", "HELP")
    assert b"From=20x" in sent(OF_MIME + b"From x\n", "HELP", flags="E")


def test_decoding_is_what_was_encoded() -> None:
    body = "hé text, hé text\n" * 99
    message = written(TEXT + b"\n" + body.encode())
    assert b64decode(message.partition(b"\n\n")[2]) == body.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b'multipart/mixed; boundary="B"; x="' + b"x" * 254 + b'"', "multipart"),
        (b'multipart/mixed; boundary="B"; x="' + b"x" * 255 + b'"', "-none-"),
        (b"multipart/mixed; boundary=B; x=" + b"x" * 256, "multipart"),
        (b"multipart/mixed; boundary=B; x=" + b"x" * 257, "-none-"),
        (b"multipart/mixed; boundary=B" + b"; x=y" * 248, "multipart"),
        (b"multipart/mixed; boundary=B" + b"; x=y" * 249, "-none-"),
    ],
)
def test_a_type_that_sendmail_cannot_take_in_is_none(value: bytes, kind: str) -> None:
    found = content_type(value)
    assert (found.kind, found.is_odd) == (kind, False)


def test_a_message_of_such_a_type_is_encoded_as_a_whole() -> None:
    head = b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="B"; x="%s"\n' % (
        b"x" * 300
    )
    body = b"before\n--B\n\nh\xe9llo, and more\n--B--\n"
    encoded = b"Content-Transfer-Encoding: quoted-printable\n" + NOTE % (
        b"8bit",
        b"quoted-printable",
    )
    wanted = head + encoded + b"\nbefore\n--B\n\nh=E9llo, and more\n--B--\n"
    assert written(head + b"\n" + body) == wanted
