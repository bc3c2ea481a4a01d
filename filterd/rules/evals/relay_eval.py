"""RelayEval: what the relays that a message came through say of it.

Source: the tests of Mail::SpamAssassin::Plugin::RelayEval by their descriptions in the stock rules.
"""

from __future__ import annotations

import re
from itertools import pairwise

from filterd.rules.evals.registry import Plugin
from filterd.rules.view.ip_text import IPV4, is_private
from filterd.rules.view.relays import text_of
from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::RelayEval")

_NUMERIC_HELO = re.compile(
    rf"\bhelo=({IPV4})\b(?=[\0- ,;\[()<>]|\Z)".encode("ascii"), re.IGNORECASE
)
_IS_IPV4 = re.compile(IPV4)
_LETTER = re.compile(r"[A-Za-z]")
_LONG_ENDING = re.compile(r"\S{3,}|ie|fr|de", re.ASCII)
_NAME = re.compile(r"\w[\w.-]+\.\w+", re.ASCII)
_LOCALHOST = re.compile(r"localhost(?:\.localdomain)?")
_BIG_MAILERS = frozenset(
    "lycos.com lycos.co.uk hotmail.com localhost.com excite.com caramail.com cs.com aol.com"
    " msn.com yahoo.com drizzle.com".split()
)
NETWORK_PARTS = 2
"""Leading numbers of two IPv4 addresses that are the same for neighbours."""


@PLUGIN.test("check_for_numeric_helo")
def check_for_numeric_helo(view: View) -> bool:
    """The first IPv4 address that a relay called itself is a public one."""
    match = _NUMERIC_HELO.search(text_of(view.relays.untrusted))
    return match is not None and not is_private(match[1].decode("ascii"))


@PLUGIN.test("check_for_illegal_ip")
def check_for_illegal_ip(_view: View) -> bool:
    """Of old rules; SpamAssassin keeps the name, and never hits."""
    return False


@PLUGIN.test("helo_ip_mismatch")
def helo_ip_mismatch(view: View) -> bool:
    """A relay called itself by a public IPv4 address of another /24 than its own."""
    for relay in view.relays.untrusted:
        addresses = relay.helo, relay.ip
        if any(_IS_IPV4.fullmatch(one) is None or is_private(one) for one in addresses):
            continue
        if relay.helo.rpartition(".")[0] != relay.ip.rpartition(".")[0]:
            return True
    return False


@PLUGIN.test("check_all_trusted")
def check_all_trusted(view: View) -> bool:
    """All relays are trusted, and there is one."""
    relays = view.relays
    return bool(relays.trusted and not relays.untrusted and not relays.unparsed)


@PLUGIN.test("check_no_relays")
def check_no_relays(view: View) -> bool:
    """The message says of no relay."""
    return not view.relays.all and not view.relays.unparsed


@PLUGIN.test("check_relays_unparseable")
def check_relays_unparseable(view: View) -> bool:
    """A Received field has a form that is not known."""
    return bool(view.relays.unparsed)


@PLUGIN.test("check_for_sender_no_reverse")
def check_for_sender_no_reverse(view: View) -> bool:
    """The last relay has a name with a dot, and a public address."""
    last = view.relays.untrusted[-1:]
    return any("." in relay.rdns and not relay.ip_private for relay in last)


@PLUGIN.test("check_for_from_domain_in_received_headers")
def check_for_from_domain_in_received_headers(view: View, domain: str, desired: str) -> bool:
    """Whether mail from the domain came from a relay there to another there, as desired."""
    octets = re.escape(domain.encode("latin-1", "replace"))
    if not re.search(rb"\b" + octets, view.value("From", "addr"), re.IGNORECASE):
        return False
    name = re.compile(rb"(?:.*\W)?" + octets)
    found = any(
        name.fullmatch(relay.rdns.encode("latin-1")) and name.fullmatch(relay.by.encode("latin-1"))
        for relay in view.relays.all
    )
    return found == (desired == "true")


@PLUGIN.test("check_for_no_rdns_dotcom_helo")
def check_for_no_rdns_dotcom_helo(view: View) -> bool:
    """The last relay with a public address called itself one of a big provider's, and has no name
    at all."""
    for relay in reversed(view.relays.untrusted):
        if not relay.ip_private:
            labels = relay.helo.lower().split(".")
            names = {".".join(labels[-count:]) for count in (2, 3)}
            return relay.lacks_rdns and not _BIG_MAILERS.isdisjoint(names)
    return False


def _domain(host: str) -> str:
    """The last two or three labels of a host; an address as it stands."""
    if _LETTER.search(host) is None:
        return host
    labels = host.split(".")
    if len(labels) > 1 and _LONG_ENDING.search(labels[-1]):
        return ".".join(labels[-2:])
    return ".".join(labels[-3:])


@PLUGIN.test("check_for_forged_received_trail")
def check_for_forged_received_trail(view: View) -> bool:
    """More than once, the relay that a field names is not the one that wrote the next."""
    relays = view.relays.untrusted
    names = []
    for relay in relays:
        name = _domain(relay.rdns.lower())
        is_local = _LOCALHOST.fullmatch(name) is not None and relay.ip == "127.0.0.1"
        by = _domain(relay.by.lower())
        names.append((None if is_local and _NAME.fullmatch(by) else name, by))
    wrong = 0
    for (previous, _), (_, by) in pairwise(names):
        if previous is None or _NAME.fullmatch(by) is None or _NAME.fullmatch(previous) is None:
            continue
        wrong += by != previous and (by, previous) != ("msn.com", "hotmail.com")
    return wrong > 1


@PLUGIN.test("check_for_forged_received_ip_helo")
def check_for_forged_received_ip_helo(view: View) -> bool:
    """A relay called itself by a public IPv4 address of another /16 than its own."""
    for relay in view.relays.untrusted:
        helo, ip = _domain(relay.helo.lower()), relay.ip
        if _NAME.fullmatch(_domain(relay.by.lower())) is None or is_private(helo):
            continue
        if helo.replace(".", "").isdigit() and ip.replace(".", "").isdigit():
            parts = helo.split("."), ip.split(".")
            if len(parts[0]) == len(parts[1]) == 4 and (
                parts[0][:NETWORK_PARTS] != parts[1][:NETWORK_PARTS]
            ):
                return True
    return False
