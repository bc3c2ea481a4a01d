"""DNS lists of addresses and names in a real name server, through settings and chain.

The situations are those of rspamd's functional tests for its modules rbl and surbl, as far as they
are about lists that filterd asks: a miss, a hit, several codes, a code that nobody named, a hit in
Received, an allowed client, URLs by name, by number, in HTML, text and Subject, mail addresses,
images, and domains in A-labels and U-labels.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.chain.pipeline import Pipeline
from filterd.config.assembly import build_pipeline
from filterd.config.load import load
from filterd.message import Message
from tests.helpers.dns_lists import mail
from tests.helpers.process import folder
from tests.helpers.servers.nsd import Nsd

ZONES = {
    "rbl.example": """\
2.0.0.127 A 127.0.0.2
1.2.3.4 A 127.0.0.2
2.2.3.4 A 127.0.0.10
3.2.3.4 A 127.0.0.2
3.2.3.4 A 127.0.0.3
4.2.3.4 A 127.0.0.2
5.2.3.4 A 127.0.0.3
9.0.5.4 A 127.255.255.254
""",
    "wl.example": "4.2.3.4 A 127.0.0.2\n5.2.3.4 A 127.0.0.9\n",
    "dbl.example": """\
test A 127.0.1.2
spam.test A 127.0.1.2
phish.test A 127.0.1.4
xn--mller-kva.test A 127.0.1.2
""",
    "multi.example": """\
test A 127.0.0.14
black.test A 127.0.0.2
greyred.test A 127.0.0.12
1.2.3.4 A 127.0.0.2
""",
    "zen.example": """\
8.8.8.8 A 127.0.0.4
8.8.8.8 A 127.0.0.11
9.8.8.8 A 127.0.0.3
1.0.0.10 A 127.0.0.2
1.1.168.192 A 127.0.0.2
""",
    # A wildcard: everything is listed, its test points too.
    "sold.example": "* A 127.0.0.2\n",
    "parked.example": "* A 192.0.2.80\n",
}

HOSTS = """\
www.ru A 8.8.8.8
www.ru A 8.8.8.9
www.ru A 10.0.0.1
private A 192.168.1.1
"""

SETTINGS = """\
[chain]
filters = ["dnslists"]
trusted_networks = ["203.0.113.0/29"]
[resolver]
nameservers = ["{server}"]
timeout = 30
[filters.dnslists]
wait = 25
[[filters.dnslists.lists]]
zone = "rbl.example"
ask = ["client", "received"]
symbol = "FAKE_RBL_UNKNOWN"
points = 0.1
codes = {{ "127.0.0.2" = "FAKE_RBL_CODE_2 2", "127.0.0.3" = "FAKE_RBL_CODE_3 3" }}
[[filters.dnslists.lists]]
zone = "wl.example"
symbol = "FAKE_WL_UNKNOWN"
codes = {{ "127.0.0.2" = "FAKE_WL_CODE_2 -1 allow" }}
[[filters.dnslists.lists]]
zone = "dbl.example"
like = "dbl.spamhaus.org"
[[filters.dnslists.lists]]
zone = "multi.example"
like = "multi.uribl.com"
ask = ["url", "email", "sender", "helo"]
[[filters.dnslists.lists]]
zone = "zen.example"
ask = ["url"]
resolve = true
symbol = "URIBL_PBL"
[filters.dnslists.lists.codes]
"127.0.0.2" = "URIBL_SBL 6"
"127.0.0.3" = "URIBL_SBL_CSS 5"
"127.0.0.4" = "URIBL_XBL 3"
[[filters.dnslists.lists]]
zone = "sold.example"
symbol = "SOLD"
points = 50
ask = ["client", "url"]
[[filters.dnslists.lists]]
zone = "parked.example"
symbol = "PARKED"
points = 50
ask = ["client", "url"]
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with folder("nsd") as place:
        server = Nsd(place, {**ZONES, "hosts.test": HOSTS})
        server.start()
        file: Path = tmp_path_factory.mktemp("settings") / "filterd.toml"
        file.write_text(SETTINGS.format(server=server.address))
        pipeline = build_pipeline(load(file), keeping=False)
        pipeline.chain.prepare()
        yield pipeline
        server.stop()


def found(chain: Pipeline, message: Message) -> dict[str, float]:
    """Symbols and points, without those of the two lists that nobody should believe."""
    examination = chain.process(message).examination
    assert not examination.failures
    symbols = {symbol.name: symbol.score for symbol in examination.verdict.symbols}
    assert not symbols.keys() & {"SOLD", "PARKED"}
    symbols.pop("DNSLISTS_UNANSWERED", None)
    return symbols


CLIENTS = {
    "miss": ("1.2.3.4", {}),
    "hit": ("4.3.2.1", {"FAKE_RBL_CODE_2": 2.0}),
    "several codes": ("4.3.2.3", {"FAKE_RBL_CODE_2": 2.0, "FAKE_RBL_CODE_3": 3.0}),
    "a code without a name": ("4.3.2.2", {"FAKE_RBL_UNKNOWN": 0.1}),
    "allowed": ("4.3.2.4", {"FAKE_RBL_CODE_2": 0.0, "FAKE_WL_CODE_2": -1.0}),
    "known, and not allowed": ("4.3.2.5", {"FAKE_RBL_CODE_3": 3.0, "FAKE_WL_UNKNOWN": 0.0}),
    "local": ("127.0.0.1", {}),
    "IPv4 in IPv6": ("::ffff:4.3.2.1", {"FAKE_RBL_CODE_2": 2.0}),
    "IPv6": ("2001:db8::1", {}),
}


@pytest.mark.parametrize(("client", "symbols"), CLIENTS.values(), ids=CLIENTS)
def test_a_client(chain: Pipeline, client: str, symbols: dict[str, float]) -> None:
    assert found(chain, mail(client=client)) == symbols


def received(*addresses: str) -> str:
    return "".join(f"Received: from a (a [{one}]) by b with SMTP; Sun\r\n" for one in addresses)


def test_a_received_address(chain: Pipeline) -> None:
    message = mail(client="8.8.8.8", fields=received("4.3.2.5"))
    assert found(chain, message) == {"RECEIVED_FAKE_RBL_CODE_3": 1.5}


def test_behind_a_trusted_relay(chain: Pipeline) -> None:
    message = mail(client="203.0.113.1", fields=received("4.3.2.1", "4.3.2.4"))
    assert found(chain, message) == {"FAKE_RBL_CODE_2": 2.0, "RECEIVED_FAKE_RBL_CODE_2": 1.0}


def html(text: str) -> Message:
    return mail(text, client="8.8.8.8", kind="text/html")


def subject(text: str) -> Message:
    return mail(client="8.8.8.8", fields=f"Subject: {text}\r\n")


ENCODED = "=?utf-8?b?" + base64.b64encode(b"see http://spam.test/").decode() + "?="

SPAM = {"URIBL_DBL_SPAM": 6.0}

CONTENT = {
    "text": (mail("http://www.spam.test/x", client="8.8.8.8"), SPAM),
    "another code": (mail("http://phish.test", client="8.8.8.8"), {"URIBL_DBL_PHISH": 7.0}),
    "a bit": (mail("http://black.test", client="8.8.8.8"), {"URIBL_BLACK": 6.0}),
    "several bits": (
        mail("http://greyred.test", client="8.8.8.8"),
        {"URIBL_GREY": 1.5, "URIBL_RED": 0.5},
    ),
    "HTML": (html('<a href="http://www.spam.test/x">x</a>'), SPAM),
    "an image": (html('<img src="http://www.spam.test/x.png">'), SPAM),
    "an entity": (html('<a href="http://sp&shy;am.test/x">x</a>'), SPAM),
    "a mail address in HTML": (html('<a href="mailto:ann@spam.test">'), SPAM),
    "a mail address in text": (mail("ann@www.spam.test", client="8.8.8.8"), SPAM),
    "Subject": (subject("see http://spam.test/"), SPAM),
    "Subject, encoded": (subject(ENCODED), SPAM),
    "U-labels": (mail("http://www.müller.test/", client="8.8.8.8"), SPAM),
    "A-labels": (mail("http://www.xn--mller-kva.test/", client="8.8.8.8"), SPAM),
    "a number": (mail("http://4.3.2.1/", client="8.8.8.8"), {"URIBL_BLACK": 6.0}),
    "a number as one": (html('<a href="http://0x04030201/">'), {"URIBL_BLACK": 6.0}),
    "nothing": (mail("http://www.honest.test/ ann@honest.test", client="8.8.8.8"), {}),
    "twice": (mail("http://a.spam.test http://b.spam.test", client="8.8.8.8"), SPAM),
    "exempt": (mail("http://www.w3.org/", client="8.8.8.8"), {}),
    "HELO": (mail(client="8.8.8.8", helo="mail.black.test"), {"URIBL_BLACK": 6.0}),
    "sender": (mail(client="8.8.8.8", sender="ann@x.black.test"), {"URIBL_BLACK": 6.0}),
    "sender, SMTPUTF8": (mail(client="8.8.8.8", sender="jü@müller.test"), SPAM),
    "a name of the client": (mail(client="8.8.8.8", name="host.spam.test"), SPAM),
    "DKIM": (
        mail(client="8.8.8.8", fields="DKIM-Signature: v=1; d=mail.spam.test; b=A\r\n"),
        SPAM,
    ),
}


@pytest.mark.parametrize(("message", "symbols"), CONTENT.values(), ids=CONTENT)
def test_content(chain: Pipeline, message: Message, symbols: dict[str, float]) -> None:
    assert found(chain, message) == symbols


def test_the_addresses_that_a_url_leads_to(chain: Pipeline) -> None:
    """Private ones are asked about by nobody, though the list has them."""
    message = mail("http://www.ru.hosts.test/x http://private.hosts.test/", client="8.8.4.4")
    told = chain.process(message).examination.verdict.symbols
    details = {symbol.name: symbol.detail for symbol in told}
    details.pop("DNSLISTS_UNANSWERED", None)
    assert details == {
        "URIBL_XBL": "www.ru.hosts.test at 8.8.8.8 (url)",
        "URIBL_PBL": "www.ru.hosts.test at 8.8.8.8 (url)",
        "URIBL_SBL_CSS": "www.ru.hosts.test at 8.8.8.9 (url)",
    }


def test_a_list_that_refuses_is_told_and_rests(chain: Pipeline) -> None:
    """It is the last test: the list is left alone from then on."""
    told = chain.process(mail(client="4.5.0.9")).examination.verdict.symbols
    details = {symbol.name: symbol.detail for symbol in told}
    assert set(details) == {"DNSLISTS_UNANSWERED"}
    assert (
        "rbl.example: it answers 127.255.255.254, which is an error"
        in details["DNSLISTS_UNANSWERED"]
    )
    assert "sold.example: it lists" in details["DNSLISTS_UNANSWERED"]
    assert "parked.example" in details["DNSLISTS_UNANSWERED"]
    assert found(chain, mail(client="4.3.2.1")) == {}
