"""The signed messages of the RFCs, octet by octet."""

from __future__ import annotations

import pytest

from filterd.auth.dkim.signing import SigningKey
from filterd.auth.dkim.verify import verify_dkim
from filterd.message import Message
from filterd.message.authentication import AuthResult, DkimCheck
from tests.helpers.zones import Zones

BODY = "\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"

FIELDS = """\
From: Joe SixPack <joe@football.example.com>\r
To: Suzie Q <suzie@shopping.example.net>\r
Subject: Is dinner ready?\r
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r
Message-ID: <20030712040037.46341.5F8J@football.example.com>\r
"""

# RFC 6376 appendix A.2. Its body has one blank after "game." (erratum); the lines are indented by
# six blanks.
RFC_6376 = (
    """\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\r
      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r
      h=Received : From : To : Subject : Date : Message-ID;\r
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHutKVdkLLkpVaVVQPzeRD\r
      I009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV4bmp/YzhwvcubU4=;\r
Received: from client1.football.example.com  [192.0.2.1]\r
      by submitserver.example.com with SUBMISSION;\r
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r
"""
    + FIELDS
    + BODY.replace("game.  Are", "game. Are")
)

RFC_6376_KEY = b"""\
v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkM\
oGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gb\
to/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"""

# RFC 8463 appendix A.3.
RFC_8463 = (
    """\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r
 subject : date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r
 date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r
"""
    + FIELDS
    + BODY
)

RFC_8463_ED25519_KEY = b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
RFC_8463_RSA_KEY = b"""\
v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3\
idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\
KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"""

# The seed of RFC 8463 appendix A.2, as PKCS #8.
RFC_8463_PRIVATE_KEY = b"""\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""

ZONES = {
    "brisbane._domainkey.example.com": {"TXT": [RFC_6376_KEY]},
    "brisbane._domainkey.football.example.com": {"TXT": [RFC_8463_ED25519_KEY]},
    "test._domainkey.football.example.com": {"TXT": [RFC_8463_RSA_KEY]},
}


def verified(text: str) -> tuple[DkimCheck, ...]:
    return verify_dkim(Message(text.encode()), Zones(ZONES))


def test_rfc_6376() -> None:
    [check] = verified(RFC_6376)
    assert check == DkimCheck(
        AuthResult.PASS,
        domain="example.com",
        selector="brisbane",
        auid="joe@football.example.com",
        algorithm="rsa-sha256",
        bits=1024,
        signature="AuUoFEfD",
    )


def test_rfc_8463() -> None:
    ed25519, rsa = verified(RFC_8463)
    assert (ed25519.result, ed25519.algorithm, ed25519.bits) == ("pass", "ed25519-sha256", 256)
    assert (rsa.result, rsa.algorithm, rsa.bits) == ("pass", "rsa-sha256", 1024)
    assert {ed25519.auid, rsa.auid} == {"@football.example.com"}


def test_the_key_of_rfc_8463_is_published_as_there() -> None:
    key = SigningKey.from_pem(RFC_8463_PRIVATE_KEY, "football.example.com", "brisbane")
    assert key.record.encode() == RFC_8463_ED25519_KEY


@pytest.mark.parametrize(
    "change",
    [
        ("Is dinner ready?", "Is  dinner ready?"),
        ("[192.0.2.1]\r\n      by", "[192.0.2.1]\r\n     by"),
        ("Joe.\r\n", "Joe. \r\n"),
        ("h=Received :", "h=Received:"),
        ("From: Joe", "from: Joe"),
    ],
)
def test_the_simple_form_takes_no_change(change: tuple[str, str]) -> None:
    [check] = verified(RFC_6376.replace(*change))
    assert check.result is AuthResult.FAIL


@pytest.mark.parametrize(
    ("change", "results"),
    [
        (("Is dinner ready?", "Is \t dinner\r\n\tready?  "), ["pass", "pass"]),
        (("From: Joe", "FROM  :Joe"), ["pass", "pass"]),
        (("Joe.\r\n", "Joe. \t\r\n\r\n \r\n"), ["pass", "pass"]),
        (("game.  Are", "game.\tAre"), ["pass", "pass"]),
        (("Is dinner", "Isdinner"), ["fail", "fail"]),
        (("\r\nHi.", "\r\n Hi."), ["fail", "fail"]),
        (("q=dns/txt; s=test;", "q=dns/txt; s=test ;"), ["pass", "fail"]),
        (("Subject: Is", "Subject: Lunch\r\nSubject: Is"), ["fail", "fail"]),
    ],
)
def test_the_relaxed_form_takes_white_space(change: tuple[str, str], results: list[str]) -> None:
    assert [check.result for check in verified(RFC_8463.replace(*change))] == results
