"""Rules that ask the DNS, in a real name server, through settings and chain.

askdns with what another rule found, hashes of addresses and links, name servers of a link's domain,
and the system that an address belongs to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.chain.pipeline import Pipeline
from filterd.config.assembly import build_pipeline
from filterd.config.load import load
from filterd.message import Message
from filterd.message.envelope import Client, Envelope
from tests.helpers.process import folder
from tests.helpers.servers.nsd import Nsd

LISTED = hashlib.sha1(b"eve@crime.test").hexdigest()
LINK = hashlib.sha1(b"http://www.shop.test/order").hexdigest()

ZONES = {
    "list.example": f"""\
4711 A 127.0.0.2
{LISTED} A 127.0.0.2
{LINK} A 127.0.0.2
ns7.hoster.test A 127.0.1.2
""",
    "asn.example": '7.2.0.192 TXT "64500 | 192.0.2.0/24 | ZZ"\n',
    "shop.test": "shop.test. NS ns7.hoster.test.\n",
}

RULES = r"""
loadplugin Mail::SpamAssassin::Plugin::AskDNS
loadplugin Mail::SpamAssassin::Plugin::HashBL
loadplugin Mail::SpamAssassin::Plugin::URIDNSBL
loadplugin Mail::SpamAssassin::Plugin::ASN
util_rb_tld test example
header   __ORDER    Subject =~ /order (?<ORDER>\d+)/
askdns   ORDER_LISTED  _ORDER_.list.example A 127.0.0.2
askdns   NO_SUCH_HOST  _LASTEXTERNALHELO_ A [NXDOMAIN]
header   EMAIL_LISTED  eval:check_hashbl_emails('list.example')
header   LINK_LISTED   eval:check_hashbl_uris('list.example')
urifullnsrhssub SERVER_LISTED list.example. A 127.0.1.2
body     SERVER_LISTED eval:check_uridnsbl('SERVER_LISTED')
asn_lookup asn.example
header   SYSTEM        eval:check_asn('/^AS64500$/')
tflags   EMAIL_LISTED  net
tflags   LINK_LISTED   net
tflags   SERVER_LISTED net
tflags   SYSTEM        net
meta     BOTH          ORDER_LISTED && EMAIL_LISTED
"""

SETTINGS = """\
[chain]
filters = ["rules"]
[resolver]
nameservers = ["{server}"]
timeout = 30
[filters.rules]
stock = false
own = false
files = ["{rules}"]
use_network = {network}
cache = "{cache}"
"""

MAIL = (
    b"From: Eve <eve@crime.test>\r\nTo: joe@mx.example\r\nSubject: order 4711\r\n\r\n"
    b"See http://www.shop.test/Order?id=7\r\n"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Nsd]:
    with folder("nsd") as place:
        found = Nsd(place, ZONES)
        found.start()
        yield found
        found.stop()


def symbols(server: Nsd, place: Path, mail: bytes, *, network: bool) -> set[str]:
    (place / "local.cf").write_text(RULES)
    file = place / "filterd.toml"
    file.write_text(
        SETTINGS.format(
            server=server.address,
            rules=place / "local.cf",
            network=str(network).lower(),
            cache=place / "cache",
        )
    )
    pipeline: Pipeline = build_pipeline(load(file), keeping=False)
    pipeline.chain.prepare()
    client = Client("mx.shop.test", "192.0.2.7", helo="mx.shop.test")
    examination = pipeline.process(Message(mail, Envelope(client=client))).examination
    assert not examination.failures
    return {symbol.name for symbol in examination.verdict.symbols}


def test_what_is_listed(server: Nsd, tmp_path: Path) -> None:
    assert symbols(server, tmp_path, MAIL, network=True) == {
        *("ORDER_LISTED", "EMAIL_LISTED", "LINK_LISTED", "SERVER_LISTED"),
        *("NO_SUCH_HOST", "SYSTEM", "BOTH"),
    }


def test_what_is_not(server: Nsd, tmp_path: Path) -> None:
    mail = MAIL.replace(b"4711", b"4712").replace(b"crime.test", b"good.test")
    assert symbols(server, tmp_path, mail.replace(b"shop.test", b"list.example"), network=True) == {
        *("NO_SUCH_HOST", "SYSTEM"),
    }


def test_without_the_network(server: Nsd, tmp_path: Path) -> None:
    assert symbols(server, tmp_path, MAIL, network=False) == set()
